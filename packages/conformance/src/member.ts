import assert from 'node:assert/strict'
import type {
  Clock,
  Delivery,
  DeliverySink,
  DeliveryTag,
  EngineSubscription,
  Outcome,
  OutgoingRecord,
  PosthasteError,
  Settlement,
} from '@posthaste/contracts'
import type { Received, Scope, Witness } from './witness.ts'

/** Decides about a delivery at once: a settlement, or undefined to keep it. */
export type Handle = (received: Received) => Settlement | undefined

/** How a member of the suite consumes. */
export interface MemberOptions {
  /** Credit granted at the start; default 0. */
  readonly credit?: number | undefined
  /** Settles deliveries as they come and grants as much credit again; without it they are kept for the case to settle. */
  readonly handle?: Handle | undefined
  /** Told of every delivery as it comes, before anything is done with it. */
  readonly watch?: ((received: Received) => void) | undefined
  /** Told of every delivery that is taken away. */
  readonly watchLost?: ((received: Received) => void) | undefined
}

/** What a member needs from its case. */
export interface MemberSurroundings {
  readonly clock: Clock
  readonly witness: Witness
  until(condition: () => boolean, what: () => string): Promise<void>
}

/** Acknowledges everything. */
export const acknowledge: Handle = ({ tag }) => ({ kind: 'ack', tag })

/** A consumer as the suite uses it: keeps what it receives, and checks what must hold for every subscription. */
export class Member implements DeliverySink {
  readonly name: string
  readonly scope: Scope
  /** Everything it was given, in order. */
  readonly received: Received[] = []
  readonly #surroundings: MemberSurroundings
  readonly #handle: Handle | undefined
  readonly #watch: ((received: Received) => void) | undefined
  readonly #watchLost: ((received: Received) => void) | undefined
  readonly #unsettled = new Map<DeliveryTag, Received>()
  readonly #tags = new Set<DeliveryTag>()
  readonly #taken = new Set<Received>()
  readonly #underWay = new Set<Promise<unknown>>()
  #subscription: EngineSubscription | undefined
  #credit = 0
  /** `leaving` from when it is said until the engine has answered: deliveries may still come, and are not its any more. */
  #state: 'joined' | 'leaving' | 'ended' = 'joined'

  constructor(name: string, scope: Scope, options: MemberOptions & MemberSurroundings) {
    this.name = name
    this.scope = scope
    this.#surroundings = options
    this.#handle = options.handle
    this.#watch = options.watch
    this.#watchLost = options.watchLost
  }

  /** To be called once, with what `subscribe` gave. */
  begin(subscription: EngineSubscription, credit: number): void {
    this.#subscription = subscription
    if (credit > 0) this.grant(credit)
  }

  // ── The engine calls ──────────────────────────────────────────────────────────────────────────────────────────────

  deliver(batch: readonly Delivery[]): void {
    const { witness, clock } = this.#surroundings
    const taken = batch.map((delivery): Received => {
      // Property by property: an engine may compute some of them when they are read.
      const { tag, record, attempt, storedAtMs, position } = delivery
      const seen = { member: this.name, receivedAtMs: clock.nowMs(), order: witness.nextOrder() }
      const received = { tag, record, attempt, storedAtMs, position, ...seen }
      this.#check(received)
      this.#tags.add(tag)
      this.received.push(received)
      if (this.#state !== 'joined') return received
      this.#unsettled.set(tag, received)
      witness.delivered(this.scope, received)
      this.#watch?.(received)
      return received
    })
    this.#credit -= batch.length
    if (this.#credit < 0) witness.accuse(`${this.name} got ${-this.#credit} deliveries more than it had credit for`)
    if (this.#handle !== undefined && this.#state === 'joined') this.#handleAll(taken, this.#handle)
  }

  lost(tags: readonly DeliveryTag[], _reason: PosthasteError): void {
    for (const tag of tags) {
      const received = this.#unsettled.get(tag)
      if (received !== undefined) this.#watchLost?.(received)
      this.#endDelivery(tag)
    }
  }

  closed(cause: PosthasteError): void {
    this.#accuse(`the subscription of ${this.name} ended: ${cause.message}`)
    this.detach()
  }

  #check({ tag, record, attempt }: Received): void {
    const { channel, group } = this.scope
    const accuse = (what: string) => this.#surroundings.witness.accuse(`${this.name} was given ${record.id} ${what}`)
    if (this.#state === 'ended') accuse('after it had left')
    if (this.#tags.has(tag)) accuse(`under tag ${tag}, which was used before`)
    if (!Number.isInteger(attempt) || attempt < 1) accuse(`as attempt ${attempt}`)
    if (record.channel !== channel) accuse(`of channel ${record.channel} instead of ${channel}`)
    if (record.group !== undefined && record.group !== group) accuse(`of group ${record.group} instead of ${group}`)
  }

  #handleAll(taken: readonly Received[], handle: Handle): void {
    const settlements = taken.map(handle).filter((settlement) => settlement !== undefined)
    if (settlements.length === 0) return
    // Credit comes back with the settlement, as the core has it; in a microtask, since a sink must not call back.
    const settled = Promise.resolve().then(async () => {
      if (this.#state !== 'joined') return
      const outcomes = await this.settle(settlements)
      for (const outcome of outcomes) {
        if (!outcome.ok) this.#accuse(`${this.name} could not settle: ${outcome.error.message}`)
      }
      if (this.#state === 'joined') this.grant(settlements.length)
    })
    const done = settled
      .catch((thrown: unknown) => this.#accuse(`${this.name} could not settle: ${String(thrown)}`))
      .finally(() => this.#underWay.delete(done))
    this.#underWay.add(done)
  }

  /** What is wrong for a member in the group, and to be expected for one that leaves. */
  #accuse(violation: string): void {
    if (this.#state === 'joined') this.#surroundings.witness.accuse(violation)
  }

  // ── The case calls ────────────────────────────────────────────────────────────────────────────────────────────────

  /** Deliveries that are neither settled nor lost. */
  get unsettled(): readonly Received[] {
    return [...this.#unsettled.values()]
  }

  get credit(): number {
    return this.#credit
  }

  grant(credit: number): void {
    this.#credit += credit
    this.#current().grant(credit)
  }

  /** Keeps the leases of deliveries whose handlers still run. */
  async extend(tags: readonly DeliveryTag[]): Promise<void> {
    await this.#current().extend(tags)
  }

  /** Waits for this many deliveries that were not taken before. */
  async take(count: number): Promise<readonly Received[]> {
    const end = this.#taken.size + count
    const what = () => `${this.name} to receive ${count}, has ${this.received.length - this.#taken.size}`
    await this.#surroundings.until(() => this.received.length >= end, what)
    const taken = this.waiting.slice(0, count)
    for (const received of taken) this.#taken.add(received)
    return taken
  }

  /** Waits for the next delivery. */
  async next(): Promise<Received> {
    const [received] = await this.take(1)
    assert.ok(received)
    return received
  }

  /** Waits for a delivery of this record that was not taken before, past others. */
  async receive({ id }: OutgoingRecord): Promise<Received> {
    const find = () => this.waiting.find(({ record }) => record.id === id)
    await this.#surroundings.until(
      () => find() !== undefined,
      () => `${this.name} to receive ${id}`,
    )
    const received = find()
    assert.ok(received)
    this.#taken.add(received)
    return received
  }

  /** Deliveries that came and were not taken. */
  get waiting(): readonly Received[] {
    return this.received.filter((received) => !this.#taken.has(received))
  }

  /** Settles and gives the outcomes as they are. */
  async settle(batch: readonly Settlement[]): Promise<readonly Outcome[]> {
    const ending = batch.map(({ tag }) => this.#unsettled.get(tag))
    for (const { tag } of batch) this.#endDelivery(tag)
    const outcomes = await this.#current().settle(batch)
    assert.equal(outcomes.length, batch.length, 'an outcome for each settlement')
    for (const [at, outcome] of outcomes.entries()) {
      const received = ending[at]
      if (outcome.ok || outcome.error.code === 'DELIVERY_LOST' || received === undefined || this.#state !== 'joined')
        continue
      this.#unsettled.set(received.tag, received)
      this.#surroundings.witness.resumed(this.scope, received)
    }
    return outcomes
  }

  /** Settles and expects it to work. */
  async settled(...batch: readonly Settlement[]): Promise<void> {
    for (const outcome of await this.settle(batch)) if (!outcome.ok) throw outcome.error
  }

  /** Acknowledges one delivery, with what is to be published in the same step. */
  async ack({ tag }: Delivery, publish?: readonly OutgoingRecord[]): Promise<void> {
    await this.settled({ kind: 'ack', tag, publish })
  }

  async ackAll(deliveries: readonly Delivery[]): Promise<void> {
    await this.settled(...deliveries.map(({ tag }): Settlement => ({ kind: 'ack', tag })))
  }

  /** Gives one delivery back; by default at once, counting no attempt and holding no key. */
  async release({ tag }: Delivery, how: ReleaseHow = {}): Promise<void> {
    await this.settled({ kind: 'release', tag, countsAttempt: false, ...how })
  }

  /** Leaves the group. */
  async stop(): Promise<void> {
    this.leaving()
    await this.#current().stop()
    this.detach()
    await Promise.all(this.#underWay)
  }

  /** From here on others may have what it has, even before the engine has answered. */
  leaving(): void {
    if (this.#state === 'joined') this.#state = 'leaving'
    for (const tag of [...this.#unsettled.keys()]) this.#endDelivery(tag)
  }

  /** The subscription is over: another delivery would be a fault. */
  detach(): void {
    this.leaving()
    this.#state = 'ended'
  }

  get ended(): boolean {
    return this.#state === 'ended'
  }

  #endDelivery(tag: DeliveryTag): void {
    const received = this.#unsettled.get(tag)
    if (received === undefined) return
    this.#unsettled.delete(tag)
    this.#surroundings.witness.ended(this.scope, received)
  }

  #current(): EngineSubscription {
    assert.ok(this.#subscription, `${this.name} has not joined`)
    return this.#subscription
  }
}

/** How a delivery goes back. */
export interface ReleaseHow {
  readonly countsAttempt?: boolean
  readonly visibleAtMs?: number
  readonly holdKey?: boolean
}
