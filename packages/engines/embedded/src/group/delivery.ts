import type { Delivery, DeliveryTag, OutgoingRecord } from '@posthaste/contracts'
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

/** A delivery with what it takes to settle it. One object per message: hot path. */
export class HeldDelivery implements Delivery {
  readonly tag: DeliveryTag
  readonly record: OutgoingRecord
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

  get position(): string {
    const { source, offset, storedAtMs } = this
    const position = positionOf(source.cursor.log, offset, storedAtMs)
    return source.rank === 0 ? position : `${addressedMark}${position}`
  }
}

/** What is addressed to one group stands in a log of its own, behind everything in the channel's. */
export const addressedMark = 'g'
