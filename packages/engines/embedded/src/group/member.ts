import {
  type DeliverySink,
  type DeliveryTag,
  type OutgoingRecord,
  type PosthasteError,
  type RecordFilter,
  SerialTable,
} from '@posthaste/contracts'
import type { DurableSubscriptionSpec } from '../durable-engine.ts'
import { HeldDelivery, type Place } from './delivery.ts'
import type { Entry } from './entry.ts'

/** What a record takes in memory, beside its body: a guess. */
const recordBytes = 400

/** One member of a group: its credit, what it has in hand, and where its deliveries go. */
export class Member {
  readonly name: string
  /** Which records it takes; undefined: all. */
  readonly filter: RecordFilter | undefined
  readonly #sink: DeliverySink
  readonly #held = new SerialTable<HeldDelivery>()
  #batch: HeldDelivery[] = []
  #lastTag = 0
  readonly #bytesMax: number
  /** What the records in its hands take in memory. */
  #bytes = 0
  /** Granted, and of no use while it has as many bytes in its hands as it may. */
  #aside = 0
  /** How many more it can be handed now. */
  credit = 0
  /** Settled and not granted again yet. */
  owed = 0

  constructor(spec: Pick<DurableSubscriptionSpec, 'member' | 'filter' | 'bytesInHandMax'>, sink: DeliverySink) {
    this.name = spec.member
    this.filter = spec.filter
    this.#bytesMax = spec.bytesInHandMax ?? Number.POSITIVE_INFINITY
    this.#sink = sink
  }

  /** The member can take this many more. */
  grant(credit: number): void {
    if (this.#bytes < this.#bytesMax) this.credit += credit
    else this.#aside += credit
    this.owed = Math.max(0, this.owed - credit)
  }

  /** Puts a record into the next batch. Hot path. */
  hand(record: OutgoingRecord, from: { place: Place; entry: Entry | undefined }): void {
    const delivery = new HeldDelivery(++this.#lastTag, record, from)
    this.#held.set(delivery.tag, delivery)
    this.#batch.push(delivery)
    this.credit--
    this.#bytes += weightOf(record)
    if (this.#bytes < this.#bytesMax) return
    this.#aside += this.credit
    this.credit = 0
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

  /**
   * Takes a delivery out of the member's hands. Hot path.
   * @returns whether that is why it can be handed more
   */
  take({ tag, record }: HeldDelivery): boolean {
    this.#held.delete(tag)
    this.owed++
    return this.#lighten(weightOf(record))
  }

  /** Forgets the body of a delivery. @returns whether that is why it can be handed more */
  letGo(delivery: HeldDelivery): boolean {
    const { byteLength } = delivery.record.body
    delivery.letGo()
    return this.#lighten(byteLength)
  }

  /** Has the body again. @returns false where it cannot be read */
  restore(delivery: HeldDelivery): boolean {
    if (delivery.isWhole) return true
    if (!delivery.restore()) return false
    this.#bytes += delivery.record.body.byteLength
    return true
  }

  #lighten(bytes: number): boolean {
    this.#bytes -= bytes
    if (this.#aside === 0 || this.#bytes >= this.#bytesMax) return false
    this.credit += this.#aside
    this.#aside = 0
    return true
  }

  /** Takes everything out of the member's hands, in the order of delivery. */
  takeAll(): readonly HeldDelivery[] {
    const all = this.#held.values()
    this.#held.clear()
    this.#batch = []
    this.#bytes = 0
    this.#aside = 0
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

function weightOf({ body }: OutgoingRecord): number {
  return body.byteLength + recordBytes
}
