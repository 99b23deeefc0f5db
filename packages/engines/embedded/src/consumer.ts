import type { Delivery, DeliveryTag, Outcome, Settlement } from '@posthaste/contracts'
import { succeeded } from '@posthaste/contracts'
import type { DurableSubscription } from './durable-engine.ts'
import { deliveryLost } from './errors.ts'
import { vanished } from './group/delivery.ts'
import type { Group } from './group/group.ts'
import type { Member } from './group/member.ts'
import { whenDurable } from './outcomes.ts'
import type { Publisher } from './publisher.ts'
import type { Committer } from './storage/committer.ts'

/** What a subscription needs from the engine. */
export interface ConsumerContext {
  readonly committer: Committer
  readonly publisher: Publisher
  /** The member has left. */
  readonly stopped: () => void
}

/** A member's subscription, as the core sees it. */
export class Consumer implements DurableSubscription {
  readonly #group: Group
  readonly #member: Member
  readonly #context: ConsumerContext
  #stopped: Promise<void> | undefined

  constructor(group: Group, member: Member, context: ConsumerContext) {
    this.#group = group
    this.#member = member
    this.#context = context
    group.join(member)
  }

  grant(credit: number): void {
    if (this.#stopped !== undefined || !(credit > 0)) return
    this.#member.grant(credit)
    this.#group.granted(this.#member)
  }

  settle(batch: readonly Settlement[]): Promise<readonly Outcome[]> {
    const outcomes = new Array<Outcome>(batch.length)
    for (let i = 0; i < batch.length; i++) outcomes[i] = this.#settleOne(batch[i]!)
    return whenDurable(this.#context.committer, outcomes)
  }

  /** What is in a member's hands stays there while the process lives. */
  async extend(): Promise<void> {}

  stop(): Promise<void> {
    this.#stopped ??= this.#stop((member) => this.#group.leave(member))
    return this.#stopped
  }

  vanish(): Promise<void> {
    this.#stopped ??= this.#stop((member) => this.#group.leave(member, vanished))
    return this.#stopped
  }

  letGo(tag: DeliveryTag): void {
    const delivery = this.#member.peek(tag)
    if (delivery !== undefined && this.#member.letGo(delivery)) this.#group.granted(this.#member)
  }

  restore(tag: DeliveryTag): boolean {
    const delivery = this.#member.peek(tag)
    return delivery !== undefined && this.#member.restore(delivery)
  }

  held(): Iterable<Delivery> {
    return this.#member.held()
  }

  async #stop(leave: (member: Member) => void): Promise<void> {
    leave(this.#member)
    this.#context.stopped()
    if (this.#context.committer.failure === undefined) await this.#context.committer.flushed()
  }

  #settleOne(settlement: Settlement): Outcome {
    const delivery = this.#member.peek(settlement.tag)
    if (delivery === undefined) return deliveryLost
    if (settlement.kind === 'ack' && settlement.publish !== undefined) {
      const published = this.#context.publisher.takeAllOrNone(settlement.publish)
      if (!published.ok) return published
    }
    const canTakeMore = this.#member.take(delivery)
    if (settlement.kind === 'ack') this.#group.ack(delivery)
    else this.#group.release(delivery, settlement)
    if (canTakeMore) this.#group.granted(this.#member)
    return succeeded
  }
}
