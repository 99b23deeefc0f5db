import {
  type Delivery,
  type DeliverySink,
  type DeliveryTag,
  type EngineSubscription,
  type Log,
  type Outcome,
  type OutgoingRecord,
  type Settlement,
  type SubscriptionSpec,
  succeeded,
} from '@posthaste/contracts'
import { deliveryLost, failed } from './errors.ts'

/** What a subscription over plain pub/sub needs. */
export interface PubSubNeeds {
  readonly log: Log
  publish(records: readonly OutgoingRecord[]): Promise<readonly Outcome[]>
  left(subscription: PubSubSubscription): Promise<void>
}

/** So many messages wait for credit; what comes then is dropped, since the server keeps nothing. */
const waitingMax = 10_000

/** A message that waits, or is being handled. */
type Heard = Omit<Delivery, 'tag'>

/** What one process hears of a channel, in memory alone. */
export class PubSubSubscription implements EngineSubscription {
  readonly spec: SubscriptionSpec
  readonly #sink: DeliverySink
  readonly #needs: PubSubNeeds
  readonly #waiting: Heard[] = []
  readonly #unsettled = new Map<DeliveryTag, Heard>()
  #credit = 0
  #lastTag: DeliveryTag = 0
  #dropped = 0
  #isActive = true
  #isScheduled = false

  constructor(spec: SubscriptionSpec, sink: DeliverySink, needs: PubSubNeeds) {
    this.spec = spec
    this.#sink = sink
    this.#needs = needs
  }

  /** A message was published. */
  heard(message: Heard): void {
    if (this.#waiting.length >= waitingMax) {
      this.#dropped += 1
      const { channel, group } = this.spec
      if (this.#dropped % 1_000 === 1)
        this.#needs.log.warn('messages are dropped, too many wait', { channel, group, dropped: this.#dropped })
      return
    }
    this.#waiting.push(message)
    this.#soon()
  }

  grant(credit: number): void {
    if (!this.#isActive || !Number.isInteger(credit) || credit <= 0) return
    this.#credit += credit
    this.#soon()
  }

  /** Never from within a call of the core. */
  #soon(): void {
    if (this.#isScheduled) return
    this.#isScheduled = true
    queueMicrotask(() => {
      this.#isScheduled = false
      this.#deliver()
    })
  }

  #deliver(): void {
    const count = Math.min(this.#credit, this.#waiting.length)
    if (count === 0 || !this.#isActive) return
    this.#credit -= count
    const batch = this.#waiting.splice(0, count).map((heard): Delivery => {
      this.#lastTag += 1
      this.#unsettled.set(this.#lastTag, heard)
      return { ...heard, tag: this.#lastTag }
    })
    this.#sink.deliver(batch)
  }

  settle(batch: readonly Settlement[]): Promise<readonly Outcome[]> {
    return Promise.all(batch.map((settlement) => this.#settle(settlement)))
  }

  async #settle(settlement: Settlement): Promise<Outcome> {
    const heard = this.#unsettled.get(settlement.tag)
    if (heard === undefined) return deliveryLost
    if (settlement.kind === 'release') {
      if (settlement.visibleAtMs !== undefined || settlement.holdKey === true)
        return failed('CAPABILITY_UNSUPPORTED', 'redis pub/sub: nothing waits and no key is held')
      this.#unsettled.delete(settlement.tag)
      this.#waiting.unshift({ ...heard, attempt: heard.attempt + (settlement.countsAttempt ? 1 : 0) })
      this.#soon()
      return succeeded
    }
    const { publish = [] } = settlement
    const outcomes = publish.length === 0 ? [] : await this.#needs.publish(publish)
    const failure = outcomes.find(({ ok }) => !ok)
    if (failure !== undefined) return failure
    return this.#unsettled.delete(settlement.tag) ? succeeded : deliveryLost
  }

  /** Does nothing: there are no leases. */
  async extend(): Promise<void> {}

  /** What it has not handled is gone: nobody else hears it again. */
  async stop(): Promise<void> {
    if (!this.#isActive) return
    this.#isActive = false
    this.#waiting.length = 0
    this.#unsettled.clear()
    await this.#needs.left(this)
  }
}
