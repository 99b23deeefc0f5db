import {
  type Delivery,
  type DeliverySink,
  type DeliveryTag,
  type RecordFilter,
  SerialTable,
  type SubscriptionSpec,
} from '@posthaste/contracts'
import type { Entry } from './entry.ts'

/** One subscription's standing in its group. */
export class Member {
  readonly name: string
  readonly sink: DeliverySink
  /** Undefined: it takes everything. */
  readonly filter: RecordFilter | undefined
  readonly inFlight = new SerialTable<Entry>()
  credit = 0
  /** Whether it is still in the group. */
  active = true
  #batch: Delivery[] = []
  #lastTag: DeliveryTag = 0

  constructor({ member, filter }: SubscriptionSpec, sink: DeliverySink) {
    this.name = member
    this.filter = filter
    this.sink = sink
  }

  /** Hot path: puts a record into the batch that `flush` delivers. */
  take(entry: Entry): void {
    const { record, storedAtMs, position } = entry.stored
    const tag = ++this.#lastTag
    this.credit -= 1
    this.inFlight.set(tag, entry)
    this.#batch.push({ tag, record, attempt: entry.attempts + 1, storedAtMs, position })
  }

  /** Delivers what was taken, unless the member left meanwhile. */
  flush(): void {
    if (this.#batch.length === 0) return
    const batch = this.#batch
    this.#batch = []
    if (this.active) this.sink.deliver(batch)
  }
}
