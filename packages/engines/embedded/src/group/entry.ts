import type { OutgoingRecord } from '@posthaste/contracts'
import type { Cursor } from '../log/cursor.ts'

/** One of the logs that a group reads, with the records of it that have a history. */
export interface Origin {
  readonly cursor: Cursor
  /** The how-manieth level of priority it is of, from the highest. */
  readonly turn: number
  /** 0 for the channel's own, 1 for what is addressed to the group. */
  readonly rank: number
  readonly entries: Map<number, Entry>
  /** Offset of the next record to read. */
  readonly position: number
}

/** More than any offset. Ten of them leave a double room for halves. */
const turnSpan = 2 ** 48

/**
 * A record with a history: it was handed back, failed, waits for its time, or waits behind another of its key. Records
 * without one, which is nearly all of them, have no entry.
 */
export class Entry {
  readonly source: Origin
  readonly offset: number
  /** Its place among all that the group reads, as {@link orderOf} has it; equal ones in order of their offsets. */
  readonly order: number
  readonly key: string | undefined
  /** Hand-overs that counted, the present one not included. */
  failed = 0
  /** Processes that died with this record in their hands. */
  crashes = 0
  /** Whether the store knows that it is being handed over. */
  inHand = false
  /** Whether later records of its key wait until it is settled. */
  hold = false
  /** When it may be handed over again; 0 when it may now. */
  dueAtMs = 0
  /** Whether the store has a row for it, or will have with the next transaction. */
  stored = false
  /** The record, while it is worth its memory. */
  record: OutgoingRecord | undefined

  constructor(source: Origin, place: { offset: number; order: number; key: string | undefined }) {
    this.source = source
    this.offset = place.offset
    this.order = place.order
    this.key = place.key
  }

  /**
   * A record that was there when two processes died is handed over alone, so that the third, if it dies too, has named
   * the culprit, and its neighbours are not dead-lettered with it.
   */
  get isolated(): boolean {
    return this.crashes >= 2
  }

  /** Whether it is of an earlier process, and the reader has not come to it. */
  get isUnread(): boolean {
    return this.offset >= this.source.position
  }

  /** Whether the store must know before it is handed over again: after a crash it is the row that counts. */
  get needsMark(): boolean {
    return this.stored
  }
}

/**
 * The place of a record among all that a group reads: level by level of priority, and within one what is addressed to the
 * group stands between the channel's own.
 */
export function orderOf({ turn, rank }: Origin, offset: number, behind: number): number {
  return turn * turnSpan + (rank === 0 ? offset : behind - 0.5)
}

/** A place among all that a group reads. */
export interface InOrder {
  readonly order: number
  readonly offset: number
}

/** Whether a place is before another. */
export function isBefore(a: InOrder, b: InOrder): boolean {
  return a.order < b.order || (a.order === b.order && a.offset < b.offset)
}
