import type { RecordFilter } from '@posthaste/contracts'
import type { Block } from '../log/block.ts'
import type { LogReader } from '../log/channel-log.ts'
import type { Cursor } from '../log/cursor.ts'
import type { Segment } from '../log/segments.ts'
import { offsetKey, offsetOf } from '../storage/keys.ts'
import type { Store } from '../storage/store.ts'
import { type Entry, type Origin, orderOf } from './entry.ts'
import { decodeEntry } from './entry-codec.ts'

/** A group that is farther behind reads the store: what it would need is gone from memory when it gets there. */
const nearRecords = 16_384

/** Who is told how a log grows. */
export interface SourceListener extends Pick<LogReader, 'appending' | 'appended'> {
  /** Whether anybody waits for its records. */
  readonly isAwake: () => boolean
}

/** Rows of entries read at a time, so that those of a full group do not all stand in memory twice. */
const restoredAtATime = 1_000

/**
 * One of the logs that a group reads: the channel's own, or the one that holds records addressed to this group alone.
 * Keeps the reading place within a block, and the records that have a history.
 */
export class Source implements Origin {
  readonly cursor: Cursor
  readonly turn: number
  readonly rank: number
  readonly entries = new Map<number, Entry>()
  #reader: LogReader | undefined
  block: Block | undefined
  segment: Segment | undefined
  index = 0

  constructor(cursor: Cursor, place: { turn: number; rank: number }) {
    this.cursor = cursor
    this.turn = place.turn
    this.rank = place.rank
  }

  /** Whether all that is durable has been read. */
  get isExhausted(): boolean {
    return this.position >= this.cursor.log.committedEnd
  }

  /** Records that were not read yet, those on their way to the disk included. */
  get unread(): number {
    return Math.max(0, this.cursor.log.next - this.position)
  }

  /** Follows the log from here on. */
  attach({ isAwake, appending, appended }: SourceListener): void {
    const { cursor } = this
    this.#reader = {
      get floor() {
        return cursor.floor
      },
      follows: (first) => isAwake() && first - cursor.readAt <= nearRecords,
      appending,
      appended,
    }
    cursor.log.readers.add(this.#reader)
  }

  /** Lets the log forget that it is read. */
  detach(): void {
    if (this.#reader !== undefined) this.cursor.log.readers.delete(this.#reader)
  }

  /** Brings back the entries that the store has. */
  restore(store: Store): void {
    const { id } = this.cursor
    if (!store.mayHave('entries', id)) return
    const to = offsetKey(id + 1, 0)
    for (let from = offsetKey(id, 0); ; ) {
      const rows = store.rows('entries', { from, to, limit: restoredAtATime })
      for (const { key, value } of rows) this.entries.set(offsetOf(key), decodeEntry(this, offsetOf(key), value))
      const last = rows.at(-1)
      if (last === undefined) return
      from = offsetKey(id, offsetOf(last.key) + 1)
    }
  }

  /** The block to read from, with the place in it; false at the end of what is durable. */
  advance(): boolean {
    if (this.block !== undefined && this.index < this.block.count) return true
    if (this.block !== undefined) this.cursor.pass(this.block)
    this.block = this.cursor.nextBlock()
    this.index = 0
    this.segment = this.block === undefined ? undefined : this.cursor.segmentOf(this.block)
    return this.block !== undefined
  }

  /** Where the next record to read stands among all that the group reads; infinite at the end of what is durable. */
  nextOrder(): number {
    const { cursor } = this
    if (this.block === undefined && cursor.readAt >= cursor.log.committedEnd) return Number.POSITIVE_INFINITY
    return this.advance() ? orderOf(this, this.position, this.block!.behind) : Number.POSITIVE_INFINITY
  }

  /**
   * Where as many records end that a filter accepts, as far as the present block tells; behind it each record counts. What
   * is refused in between is settled unseen, so that a selective filter costs a claim for each block and not for each record.
   */
  reach(wanted: number, filter: RecordFilter): number {
    const { block, segment } = this
    if (block === undefined) return this.position + wanted
    let left = wanted
    for (let index = this.index; index < block.count && left > 0; index++) {
      if (segment!.has(block.first + index)) continue
      const record = block.record(index)
      if (record !== undefined && filter.accepts(record) && --left === 0) return block.first + index + 1
    }
    return left === 0 ? this.position : block.first + block.count + left
  }

  /** Offset of the next record to read. */
  get position(): number {
    return this.block === undefined ? this.cursor.readAt : this.block.first + this.index
  }
}
