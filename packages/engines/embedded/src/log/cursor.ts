import type { Committer, Participant } from '../storage/committer.ts'
import { idKey, offsetKey, offsetOf } from '../storage/keys.ts'
import type { Store, Transaction } from '../storage/store.ts'
import type { Block } from './block.ts'
import type { ChannelLog } from './channel-log.ts'
import { Segment, SegmentList, type SegmentObserver } from './segments.ts'

/** What a cursor is made of. */
export interface CursorIdentity {
  readonly id: number
  readonly log: ChannelLog
  /** Whether nobody else reads this log, so that a block is deleted as soon as all of it is settled. */
  readonly exclusive: boolean
}

/** Rows of `settled`: everything up to `end` is, or the bits say which. */
const runRow = 1
const bitsRow = 2

/**
 * How far one group is in one log: what it has settled, and which records it may have handed over when the process died.
 *
 * Settled is everything below `floor` and what the segments above it say. `claimed` is a promise made durable before
 * records below it are handed over for the first time, in the same transaction as whatever else is written, so that an
 * ordinary hand-over costs no sync of its own: after a crash, an unsettled record below it may have been the cause.
 */
export class Cursor implements Participant, SegmentObserver {
  readonly id: number
  readonly log: ChannelLog
  readonly #exclusive: boolean
  readonly #committer: Committer
  readonly #segments: SegmentList = new SegmentList(this)
  /** A new one for each transaction: the table of one that is cleared would keep the next alive. */
  #changed = new Set<Segment>()
  readonly #dropped: number[] = []
  #floor = 0
  #readAt = 0
  /** Whether the place of reading is known to be the beginning of a block; where a cursor begins may be within one. */
  #aligned = false
  #claimed = 0
  #claiming = 0
  #durableClaim = 0
  #suspectBelow = 0
  #settledAbove = 0
  #ahead: Block[] = []
  /** Up to where the next transaction may claim, as whoever hands over would have it. */
  claimTarget: () => number = () => 0
  /** Told that nothing unsettled can be read any more before an offset that the reader has not reached. */
  onGap: (end: number) => void = () => {}
  /** Told when a claim has become durable. */
  onClaimed: () => void = () => {}

  private constructor(identity: CursorIdentity, committer: Committer) {
    this.id = identity.id
    this.log = identity.log
    this.#exclusive = identity.exclusive
    this.#committer = committer
  }

  /** A cursor of a group that did not exist: it begins at `offset`. */
  static create(identity: CursorIdentity, committer: Committer, offset: number): Cursor {
    const cursor = new Cursor(identity, committer)
    cursor.#floor = offset
    cursor.#readAt = offset
    cursor.#dirty()
    return cursor
  }

  /** A cursor as the store has it; undefined if it has none of that id. */
  static restore(identity: CursorIdentity, committer: Committer, store: Store): Cursor | undefined {
    const row = store.get('cursors', idKey(identity.id))
    if (row === undefined) return undefined
    const cursor = new Cursor(identity, committer)
    cursor.#floor = row.readUIntBE(0, 6)
    cursor.#claimed = row.readUIntBE(6, 6)
    cursor.#suspectBelow = cursor.#claimed
    cursor.#durableClaim = cursor.#claimed
    const rows = store.mayHave('settled', identity.id) ? store.rows('settled', rowsOf(identity.id)) : []
    for (const { key, value } of rows) cursor.#restoreSegment(offsetOf(key), value)
    cursor.#readAt = cursor.#floor
    return cursor
  }

  #restoreSegment(first: number, row: Buffer): void {
    const segment = new Segment(first, row.readUIntBE(1, 6))
    segment.stored = true
    if (row[0] === runRow) segment.remaining = 0
    else segment.restore(new Uint8Array(row.subarray(7)))
    for (let offset = Math.max(first, this.#floor); offset < segment.end; offset++) {
      if (segment.has(offset)) this.#settledAbove++
    }
    this.#segments.insert(segment)
  }

  /** Everything below is settled. */
  get floor(): number {
    return this.#floor
  }

  /** Where the next block is read. */
  get readAt(): number {
    return this.#readAt
  }

  /** First-time hand-overs are allowed below this offset. */
  get durableClaim(): number {
    return this.#durableClaim
  }

  /** Records that are not settled. Those on their way to the disk count, as settlements on theirs do: no record is between two. */
  get unsettled(): number {
    return Math.max(0, this.log.next - this.#floor - this.#settledAbove)
  }

  /** Whether a record may have been handed over by a process that died. */
  isSuspect(offset: number): boolean {
    return offset < this.#suspectBelow
  }

  /** Has the next transaction claim, or only write what changed. */
  touch(): void {
    this.#dirty()
  }

  /** Whether a record is settled. */
  isSettled(offset: number): boolean {
    return offset < this.#floor || (this.#segments.find(offset)?.has(offset) ?? false)
  }

  /** Takes the promise back: nothing is in anybody's hands. For an orderly end. Suspects that nobody saw remain. */
  disclaim(): void {
    this.claimTarget = () => 0
    this.#claimed = this.#readAt < this.#suspectBelow ? this.#suspectBelow : 0
    this.#dirty()
  }

  /** The next block to read, or undefined at the end. `pass` moves behind it. */
  nextBlock(): Block | undefined {
    if (!this.#aligned) this.#align()
    this.#skipRuns()
    const recent = this.log.recentAt(this.#readAt)
    if (recent !== undefined) return recent
    if (this.#readAt >= this.log.committedEnd) return undefined
    while (this.#ahead.length > 0 && this.#ahead[0]!.first < this.#readAt) this.#ahead.shift()
    if (this.#ahead.length === 0) this.#ahead = this.log.readFrom(this.#readAt)
    const block = this.#ahead[0]
    this.#settleGap(block === undefined ? this.log.committedEnd : block.first)
    return block
  }

  /** A group that was declared while records were on their way begins in the middle of their block. */
  #align(): void {
    if (this.#readAt >= this.log.committedEnd) return
    this.#readAt = this.log.blockOf(this.#readAt)?.first ?? this.#readAt
    this.#aligned = true
  }

  /** Runs of settled blocks are not read again. */
  #skipRuns(): void {
    for (let run = this.#segments.find(this.#readAt); run?.done; run = this.#segments.find(this.#readAt))
      this.#readAt = run.end
  }

  /** Offsets that no block holds any more (trimmed, quarantined) count as settled. */
  #settleGap(end: number): void {
    if (this.#readAt < end) this.onGap(end)
    while (this.#readAt < end) {
      const stop = Math.min(end, this.#segments.following(this.#readAt)?.first ?? end)
      // What is below the floor is settled already, and must not move it back.
      const first = Math.max(this.#readAt, this.#floor)
      if (stop > first) {
        const gap = new Segment(first, stop)
        this.#segments.insert(gap)
        this.#settledAbove += gap.remaining
        gap.remaining = 0
        this.#complete(gap)
      }
      this.#readAt = stop
      this.#skipRuns()
      if (stop === end) break
    }
  }

  /** Moves the reading place behind a block. */
  pass(block: Block): void {
    this.#readAt = block.first + block.count
    if (this.#exclusive) this.log.forget(block.first)
  }

  /** What is settled of a block. */
  segmentOf(block: Block): Segment {
    return this.segmentAt(block.first, block.count)
  }

  /** What is settled of the block that begins at `first`. */
  segmentAt(first: number, count: number): Segment {
    const known = this.#segments.find(first)
    if (known !== undefined) return known
    const segment = new Segment(first, first + count)
    for (let offset = first; offset < this.#floor && offset < segment.end; offset++) segment.add(offset)
    if (!segment.done) this.#segments.insert(segment)
    return segment
  }

  /** Settles a record. Hot path. */
  settle(segment: Segment, offset: number): void {
    if (!segment.add(offset)) return
    this.#settledAbove++
    if (segment.remaining === 0) this.#complete(segment)
    else this.#changed.add(segment)
    this.#dirty()
  }

  /** Settles a record whose block cannot be read any more. */
  settleLost(offset: number): void {
    const segment = this.#segments.find(offset)
    if (segment !== undefined) this.settle(segment, offset)
  }

  #complete(segment: Segment): void {
    if (this.#exclusive) this.log.removeBlock(segment.first)
    const merged = this.#segments.merge(segment)
    if (merged.previous !== undefined || merged.first > this.#floor) return
    this.#segments.remove(merged)
    this.#settledAbove -= merged.end - Math.max(merged.first, this.#floor)
    this.#floor = merged.end
    this.log.floorMoved()
  }

  changed(segment: Segment): void {
    this.#changed.add(segment)
    this.#dirty()
  }

  dropped(segment: Segment): void {
    this.#changed.delete(segment)
    if (segment.stored) this.#dropped.push(segment.first)
    segment.stored = false
  }

  #dirty(): void {
    this.#committer.join(this)
  }

  write(tx: Transaction): void {
    this.#advanceFloor()
    this.#claimed = Math.max(this.#claimed, Math.min(this.log.next, this.claimTarget()))
    for (const first of this.#dropped) tx.remove('settled', offsetKey(this.id, first))
    this.#dropped.length = 0
    for (const segment of this.#changed) this.#writeSegment(tx, segment)
    this.#changed = new Set()
    const row = Buffer.allocUnsafe(12)
    row.writeUIntBE(this.#floor, 0, 6)
    row.writeUIntBE(this.#claimed, 6, 6)
    tx.put('cursors', idKey(this.id), row)
    this.#claiming = this.#claimed
  }

  /** Within the first block, records settled in order need no bits: the floor says it. */
  #advanceFloor(): void {
    const { head } = this.#segments
    if (head === undefined || head.done || head.first > this.#floor) return
    const floor = head.first + head.advancePrefix()
    this.#settledAbove -= Math.max(0, floor - this.#floor)
    this.#floor = Math.max(floor, this.#floor)
  }

  #writeSegment(tx: Transaction, segment: Segment): void {
    const key = offsetKey(this.id, segment.first)
    const inOrder = segment.count - segment.remaining === segment.prefix && segment.first <= this.#floor
    if (inOrder && !segment.done) {
      if (segment.stored) tx.remove('settled', key)
      segment.stored = false
      return
    }
    const bits = segment.done ? undefined : segment.bits
    const row = Buffer.alloc(7 + (bits?.length ?? 0))
    row[0] = bits === undefined ? runRow : bitsRow
    row.writeUIntBE(segment.end, 1, 6)
    if (bits !== undefined) row.set(bits, 7)
    tx.put('settled', key, row)
    segment.stored = true
  }

  committed(): void {
    if (this.#claiming <= this.#durableClaim) return
    this.#durableClaim = this.#claiming
    this.onClaimed()
  }
}

function rowsOf(id: number): { from: Buffer; to: Buffer } {
  return { from: offsetKey(id, 0), to: offsetKey(id + 1, 0) }
}
