import type { Delivery, OutgoingRecord } from '@posthaste/contracts'
import { positionOf } from './place.ts'
import { type Decoded, internalHeaders } from './record-codec.ts'
import { type GroupPosition, Window } from './window.ts'
import type { Fetched } from './wire/fetch.ts'
import type { ReadRecord } from './wire/record-batch.ts'

/** A record of a partition, as it is handed over. */
export class Entry implements Delivery {
  tag = 0
  readonly attempt = 1
  readonly range: string
  readonly partition: number
  readonly record: OutgoingRecord
  readonly storedAtMs: number
  readonly offset: number
  /** What the engine noted beside the record. */
  readonly internal: Readonly<Record<string, string>>

  constructor(range: Range, read: ReadRecord, { record, internal }: Decoded) {
    this.range = range.name
    this.partition = range.partition
    this.record = record
    this.internal = internal
    this.storedAtMs = read.timestampMs
    this.offset = read.offset
  }

  get position(): string {
    return positionOf(this.range, this.offset)
  }
}

const bufferedMax = 2_000
const bufferedBytesMax = 2 * 1_048_576

/** How records become entries of a range; undefined is not for the group. */
export type Decode = (read: ReadRecord, partition: number) => Decoded

/** A partition as one member of a group reads it: what was read and not handed over, and what is done. */
export class Range {
  readonly partition: number
  readonly name: string
  readonly window: Window
  readonly orders: Map<string, number>
  readonly #group: string | undefined
  readonly #decode: Decode
  /** Where to go on reading. */
  fetchAt: number
  /** Whether the group does not want more of it for now. */
  paused = false
  /** Whether it goes to another member: nothing more of it is handed over. */
  recalled = false
  /** Offsets that were found done without a delivery since the last commit. */
  skipped = 0
  #buffer: Entry[] = []
  #head = 0
  #bytes = 0
  /** What was handed back, in order. */
  #returned: Entry[] = []

  constructor(
    partition: number,
    start: { readonly position: GroupPosition; readonly orders: Map<string, number> },
    how: { readonly group: string | undefined; readonly decode: Decode },
  ) {
    this.partition = partition
    this.name = String(partition)
    this.window = new Window(start.position)
    this.orders = start.orders
    this.fetchAt = this.window.watermark
    this.#group = how.group
    this.#decode = how.decode
  }

  /** Whether there is room for more. */
  get wantsMore(): boolean {
    if (this.recalled || this.#buffer.length - this.#head >= bufferedMax || this.#bytes >= bufferedBytesMax)
      return false
    return this.window.fits(this.fetchAt)
  }

  /** Whether something waits to be handed over. */
  get hasNext(): boolean {
    return !this.paused && !this.recalled && (this.#returned.length > 0 || this.#head < this.#buffer.length)
  }

  /** The next entry; only where there is one. */
  next(): Entry {
    if (this.#returned.length > 0) return this.#returned.shift() as Entry
    const entry = this.#buffer[this.#head] as Entry
    this.#head += 1
    this.#bytes -= entry.record.body.length
    if (this.#head === this.#buffer.length) {
      this.#buffer = []
      this.#head = 0
    }
    return entry
  }

  /** Takes an entry back, to hand it over again in its place. */
  takeBack(entry: Entry): void {
    const at = this.#returned.findIndex(({ offset }) => offset > entry.offset)
    this.#returned.splice(at < 0 ? this.#returned.length : at, 0, entry)
  }

  /** Takes what was fetched, as far as the window goes. */
  take({ batches, nextOffset }: Fetched): void {
    for (const { records } of batches) {
      for (const read of records) {
        if (read.offset < this.fetchAt) continue
        if (!this.#skipTo(read.offset) || !this.window.fits(read.offset)) return
        this.#takeOne(read)
        this.fetchAt = read.offset + 1
      }
    }
    this.#skipTo(nextOffset)
  }

  /** What is not there any more counts as done. */
  startAt(offset: number): void {
    this.#skipTo(offset)
    this.fetchAt = Math.max(this.fetchAt, offset)
  }

  #skipTo(offset: number): boolean {
    if (offset <= this.fetchAt) return true
    const reached = this.window.completeRange(this.fetchAt, offset)
    this.skipped += reached - this.fetchAt
    this.fetchAt = reached
    return reached === offset
  }

  #takeOne(read: ReadRecord): void {
    if (this.window.isDone(read.offset)) return
    const decoded = this.#decode(read, this.partition)
    if (this.#isForOthers(decoded, read.offset)) {
      this.window.complete(read.offset)
      this.skipped += 1
      return
    }
    this.#buffer.push(new Entry(this, read, decoded))
    this.#bytes += read.value?.length ?? 0
  }

  #isForOthers({ internal }: Decoded, offset: number): boolean {
    const addressee = internal[internalHeaders.group]
    if (addressee === undefined || this.#group === undefined) return false
    return addressee !== this.#group || offset < this.window.addressedFrom
  }
}
