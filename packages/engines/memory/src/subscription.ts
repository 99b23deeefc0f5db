import {
  type DeliveryTag,
  type EngineSubscription,
  type Outcome,
  type OutgoingRecord,
  PosthasteError,
  type ReleaseSettlement,
  type Settlement,
  succeeded,
} from '@posthaste/contracts'
import type { Group } from './group.ts'
import type { Member } from './member.ts'
import type { State } from './store.ts'

/** A member of a group, as the core sees it. */
export class Subscription implements EngineSubscription {
  readonly #group: Group
  readonly #member: Member
  readonly #state: State

  constructor(group: Group, member: Member, state: State) {
    this.#group = group
    this.#member = member
    this.#state = state
  }

  /** Credit is a positive integer; anything else grants nothing. */
  grant(credit: number): void {
    if (this.#member.active && credit > 0 && Number.isInteger(credit)) this.#group.grant(this.#member, credit)
  }

  async settle(batch: readonly Settlement[]): Promise<readonly Outcome[]> {
    return batch.map((settlement) =>
      settlement.kind === 'ack' ? this.#ack(settlement.tag, settlement.publish) : this.#release(settlement),
    )
  }

  /** One step: what cannot be published leaves the delivery as it is. */
  #ack(tag: DeliveryTag, publish: readonly OutgoingRecord[] | undefined): Outcome {
    if (this.#member.inFlight.get(tag) === undefined) return this.#lost(tag)
    if (publish !== undefined) {
      const published = this.#state.publishTogether(publish)
      if (!published.ok) return published
    }
    this.#group.acknowledge(this.#member, tag)
    return succeeded
  }

  #release({ tag, countsAttempt, holdKey = false, visibleAtMs }: ReleaseSettlement): Outcome {
    const waits = visibleAtMs !== undefined && visibleAtMs > this.#state.nowMs()
    const how = { countsAttempt, holdKey, visibleAtMs: waits ? visibleAtMs : undefined }
    return this.#group.release(this.#member, tag, how) ? succeeded : this.#lost(tag)
  }

  #lost(tag: DeliveryTag): Outcome {
    const message = `delivery ${tag} of ${this.#member.name} in ${this.#group.name}: settled or given back before`
    return { ok: false, error: new PosthasteError('DELIVERY_LOST', message) }
  }

  /** Does nothing: deliveries stay while the member lives. */
  async extend(): Promise<void> {}

  async stop(): Promise<void> {
    this.#group.leave(this.#member, 'handBack')
  }
}
