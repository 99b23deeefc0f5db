import type {
  DeliverySink,
  DeliveryTag,
  OutgoingRecord,
  PosthasteError,
  RecordFilter,
  SubscriptionSpec,
} from '@posthaste/contracts'
import { HeldDelivery, type Place } from './delivery.ts'
import type { Entry } from './entry.ts'

/** One member of a group: its credit, what it has in hand, and where its deliveries go. */
export class Member {
  readonly name: string
  /** Which records it takes; undefined: all. */
  readonly filter: RecordFilter | undefined
  readonly #sink: DeliverySink
  readonly #held = new Map<DeliveryTag, HeldDelivery>()
  #batch: HeldDelivery[] = []
  #lastTag = 0
  credit = 0
  /** Settled and not granted again yet. */
  owed = 0

  constructor({ member, filter }: Pick<SubscriptionSpec, 'member' | 'filter'>, sink: DeliverySink) {
    this.name = member
    this.filter = filter
    this.#sink = sink
  }

  /** The member can take this many more. */
  grant(credit: number): void {
    this.credit += credit
    this.owed = Math.max(0, this.owed - credit)
  }

  /** Puts a record into the next batch. Hot path. */
  hand(record: OutgoingRecord, from: { place: Place; entry: Entry | undefined }): void {
    const delivery = new HeldDelivery(++this.#lastTag, record, from)
    this.#held.set(delivery.tag, delivery)
    this.#batch.push(delivery)
    this.credit--
  }

  /** Delivers the batch. */
  flush(): void {
    if (this.#batch.length === 0) return
    const batch = this.#batch
    this.#batch = []
    this.#sink.deliver(batch)
  }

  /** A delivery in the member's hands; undefined if it is not in them. */
  peek(tag: DeliveryTag): HeldDelivery | undefined {
    return this.#held.get(tag)
  }

  /** Takes a delivery out of the member's hands. */
  take(tag: DeliveryTag): void {
    this.#held.delete(tag)
    this.owed++
  }

  /** Takes everything out of the member's hands, in the order of delivery. */
  takeAll(): readonly HeldDelivery[] {
    const all = [...this.#held.values()]
    this.#held.clear()
    this.#batch = []
    this.credit = 0
    this.owed = 0
    return all
  }

  held(): Iterable<HeldDelivery> {
    return this.#held.values()
  }

  /** Tells the core that the subscription has ended by itself. */
  closed(cause: PosthasteError): void {
    this.takeAll()
    this.#sink.closed(cause)
  }
}
