import type { Delivery, DeliveryTag, OutgoingRecord, ReleaseSettlement } from '@posthaste/contracts'
import { positionOf } from '../log/position.ts'
import type { Segment } from '../log/segments.ts'
import type { Entry, Origin } from './entry.ts'

/** Where a record stands, on its way to a member. */
export interface Place {
  readonly source: Origin
  readonly segment: Segment
  readonly offset: number
  readonly storedAtMs: number
  /** As in the block that holds it. */
  readonly behind: number
}

/** In the place of a body that was let go of. */
const noBody = new Uint8Array()

/** A delivery with what it takes to settle it. One object per message: hot path. */
export class HeldDelivery implements Delivery {
  readonly tag: DeliveryTag
  record: OutgoingRecord
  readonly attempt: number
  readonly storedAtMs: number
  readonly source: Origin
  readonly segment: Segment
  readonly offset: number
  readonly behind: number
  readonly entry: Entry | undefined

  constructor(tag: DeliveryTag, record: OutgoingRecord, from: { place: Place; entry: Entry | undefined }) {
    this.tag = tag
    this.record = record
    this.attempt = from.entry === undefined ? 1 : from.entry.failed + 1
    this.storedAtMs = from.place.storedAtMs
    this.source = from.place.source
    this.segment = from.place.segment
    this.offset = from.place.offset
    this.behind = from.place.behind
    this.entry = from.entry
  }

  /** Whether its record is all there. */
  get isWhole(): boolean {
    return this.record.body !== noBody
  }

  /** Keeps everything of its record but the body. */
  letGo(): void {
    this.record = { ...this.record, body: noBody }
  }

  /** Reads its record again. @returns false where there is none any more */
  restore(): boolean {
    const block = this.source.cursor.log.blockOf(this.offset)
    const record = block?.record(this.offset - block.first)
    if (record !== undefined) this.record = record
    return record !== undefined
  }

  get position(): string {
    const { source, offset, storedAtMs } = this
    const position = positionOf(source.cursor.log, offset, storedAtMs)
    return source.rank === 0 ? position : `${addressedMark}${position}`
  }
}

/** What is addressed to one group stands in a log of its own, behind everything in the channel's. */
export const addressedMark = 'g'

/** How a record goes back to its group. */
export interface GivenBack {
  /** Hand-overs that counted. */
  readonly failed: number
  /** Processes that ended with it in hand. */
  readonly crashes: number
  readonly visibleAtMs: number
  readonly hold: boolean
}

/** By a member that says so: who lived to tell is cleared; who was not tried is, but for one more crash. */
export function released({ attempt, entry }: HeldDelivery, settlement: Omit<ReleaseSettlement, 'tag'>): GivenBack {
  const { countsAttempt, visibleAtMs = 0, holdKey: hold = false } = settlement
  if (countsAttempt) return { failed: attempt, crashes: 0, visibleAtMs, hold }
  return { failed: attempt - 1, crashes: Math.min(entry?.crashes ?? 0, 1), visibleAtMs, hold }
}

/** By a member that leaves in order. */
export function handedBack(delivery: HeldDelivery): GivenBack {
  return released(delivery, { kind: 'release', countsAttempt: false })
}

/** By a member that has ended without a word, and what it had in hand may be why: it counts, as if this process had ended. */
export function vanished({ attempt, entry }: HeldDelivery): GivenBack {
  return { failed: attempt, crashes: (entry?.crashes ?? 0) + 1, visibleAtMs: 0, hold: false }
}
