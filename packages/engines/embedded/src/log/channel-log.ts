import type { ChannelSpec, OutgoingRecord } from '@posthaste/contracts'
import { BlockWriter, StoredBlock } from '../storage/block-codec.ts'
import type { Committer, Participant } from '../storage/committer.ts'
import { asBuffer, idKey, offsetKey, offsetOf, wideMax } from '../storage/keys.ts'
import type { Store, Transaction } from '../storage/store.ts'
import { type Block, RecentBlock } from './block.ts'
import type { RecentBlocks } from './recent-blocks.ts'

/** What a channel log needs from the engine. */
export interface LogContext {
  readonly store: Store
  readonly committer: Committer
  readonly recent: RecentBlocks
  readonly nowMs: () => number
  /** A block that had to be put together again, or of which nothing can be read. */
  readonly onDamagedBlock: (log: ChannelLog, first: number, bytes: Buffer) => void
}

/** Somebody who deletes what nobody needs. */
export interface LogSweeper {
  /** A reader has moved on. */
  sweep(): void
  close(): void
}

/** Somebody who follows a log. */
export interface LogReader {
  /** Everything below is settled. */
  readonly floor: number
  /** Whether it will soon read the block that begins here, so that it is worth its memory. */
  follows(first: number): boolean
  /** Records are on their way into the log: a chance to claim them in the same transaction. */
  appending(): void
  /** Records are durable and may be read. */
  appended(): void
}

/** Which log it is. */
export interface LogIdentity {
  readonly id: number
  readonly spec: ChannelSpec
  /** The log between whose records its own have their places. */
  readonly main?: ChannelLog | undefined
  readonly level?: number | undefined
}

/** Blocks end here, so that reading one record of a backlog does not read a megabyte, and a sync can be shared anyway. */
const blockBytesMax = 64 * 1024
const blockRecordsMax = 1024
/** What a record takes in memory, beside its bytes: a guess at its objects and strings. */
const recordBytes = 400
/** How much of a backlog is read at a time. */
const readAheadBytes = 256 * 1024
const readAheadBlocks = 64

/**
 * The ordered log of one channel: appended at its tail, read in ranges, trimmed at its head. It knows nothing of groups
 * but which of its blocks nobody needs any more.
 */
export class ChannelLog implements Participant {
  readonly id: number
  readonly name: string
  readonly spec: ChannelSpec
  /** Its level of priority, 0 the lowest; undefined where the channel has but one. */
  readonly level: number | undefined
  readonly #context: LogContext
  readonly #writer = new BlockWriter()
  readonly #main: ChannelLog | undefined
  #pending: OutgoingRecord[] = []
  /** For each of them, where it stands among the records of the main log; empty where there is none. */
  #behind: number[] = []
  #written: RecentBlock[] = []
  #removals: number[] = []
  #next: number
  #committed: number
  /** When the newest block was stored. */
  #storedAtMs: number
  /** Who reads this log. */
  readonly readers = new Set<LogReader>()
  /** Deletes what nobody needs; absent where the only reader does that by itself. */
  retention: LogSweeper | undefined
  /** Bytes of all blocks that are kept; undefined where nobody has counted them. Only where `retention` asks for it. */
  bytes: number | undefined

  constructor({ id, spec, main, level = 0 }: LogIdentity, context: LogContext) {
    this.id = id
    this.spec = spec
    this.name = spec.name
    this.level = (spec.priorities ?? 1) > 1 ? level : undefined
    this.#main = main
    this.#context = context
    const tail = readTail(context.store, id)
    this.#next = tail.next
    this.#committed = tail.next
    this.#storedAtMs = tail.storedAtMs
    this.bytes = spec.retention?.bytesMax === undefined ? undefined : tail.bytes
  }

  /** The offset that the next record gets. */
  get next(): number {
    return this.#next
  }

  /** Records below this offset are durable. */
  get committedEnd(): number {
    return this.#committed
  }

  /** Takes a record at the tail; it is durable and readable after the next commit. Hot path. */
  append(record: OutgoingRecord): void {
    if (this.#pending.length === 0) {
      this.#context.committer.join(this)
      for (const reader of this.readers) reader.appending()
    }
    this.#pending.push(record)
    if (this.#main !== undefined) this.#behind.push(this.#main.next)
    this.#next++
  }

  /** A reader's floor has moved. */
  floorMoved(): void {
    this.retention?.sweep()
  }

  /** Nobody needs a block in memory any more. */
  forget(first: number): void {
    this.#context.recent.drop(this.id, first)
  }

  /** Marks a block that nobody needs; it goes with the next commit. */
  removeBlock(first: number): void {
    this.#context.recent.drop(this.id, first)
    this.#removals.push(first)
    this.#context.committer.join(this)
  }

  write(tx: Transaction): void {
    for (const first of this.#removals) tx.remove('blocks', offsetKey(this.id, first))
    this.#removals = []
    if (this.#pending.length === 0) return
    const records = this.#pending
    const behind = this.#behind
    this.#pending = []
    this.#behind = []
    // A clock that is set back must not undo the order of time: whoever looks for a time relies on it.
    const storedAtMs = Math.max(this.#storedAtMs, this.#context.nowMs())
    this.#storedAtMs = storedAtMs
    const writer = this.#writer
    let start = 0
    for (let i = 0; i < records.length; i++) {
      writer.add(records[i]!)
      const isRoomy = writer.bytes < blockBytesMax && writer.count < blockRecordsMax && behind[i] === behind[i + 1]
      if (isRoomy && i < records.length - 1) continue
      this.#putBlock(tx, records.slice(start, i + 1), { storedAtMs, behind: behind[i] ?? 0 })
      start = i + 1
    }
    this.writeTail(tx)
  }

  /** Notes where the log ends, and how much it keeps. */
  writeTail(tx: Transaction): void {
    tx.put('tails', idKey(this.id), tailRow({ next: this.#next, storedAtMs: this.#storedAtMs, bytes: this.bytes }))
  }

  #putBlock(tx: Transaction, records: readonly OutgoingRecord[], about: { storedAtMs: number; behind: number }): void {
    const last = this.#written.at(-1)
    const first = last === undefined ? this.#committed : last.first + last.count
    const bytes = this.#writer.take(about.storedAtMs, about.behind)
    tx.put('blocks', offsetKey(this.id, first), bytes)
    if (this.bytes !== undefined) this.bytes += bytes.length
    this.#written.push(
      new RecentBlock({ first, ...about, bytes: bytes.length + records.length * recordBytes }, records),
    )
  }

  committed(): void {
    if (this.#written.length === 0) return
    for (const block of this.#written) {
      if (this.#isFollowed(block.first)) this.#context.recent.add(this.id, block)
      this.#committed = block.first + block.count
    }
    this.#written = []
    if (this.readers.size === 0) this.floorMoved()
    for (const reader of this.readers) reader.appended()
  }

  #isFollowed(first: number): boolean {
    for (const reader of this.readers) if (reader.follows(first)) return true
    return false
  }

  /** The block that begins at an offset while it is still in memory. */
  recentAt(first: number): Block | undefined {
    return this.#context.recent.get(this.id, first)
  }

  /**
   * Blocks that begin at or behind an offset, in order; fewer than there are, and none only at the end: damaged ones are
   * passed over until an intact one is found.
   */
  readFrom(offset: number): Block[] {
    const blocks: Block[] = []
    const to = offsetKey(this.id, this.#committed)
    for (let from = offset; blocks.length === 0; ) {
      const range = { from: offsetKey(this.id, from), to, limit: readAheadBlocks, bytesMax: readAheadBytes }
      const rows = this.#context.store.rows('blocks', range)
      if (rows.length === 0) break
      for (const { key, value } of rows) {
        from = offsetOf(key) + 1
        const block = this.#open(from - 1, value)
        if (block !== undefined) blocks.push(block)
      }
    }
    return blocks
  }

  /** The block that holds an offset, from memory or the store; undefined if it is gone. */
  blockOf(offset: number): Block | undefined {
    const { store, recent } = this.#context
    const open = recent.openAt(this.id, offset, store.commits)
    if (open !== undefined) return open
    const range = { from: offsetKey(this.id, 0), to: offsetKey(this.id, offset), limit: 1, reverse: true }
    const row = store.rows('blocks', range)[0]
    if (row === undefined) return undefined
    const first = offsetOf(row.key)
    const block = this.recentAt(first) ?? this.#open(first, row.value)
    if (block !== undefined) recent.keepOpen(this.id, block, store.commits)
    return block !== undefined && offset < first + block.count ? block : undefined
  }

  /** The stored bytes of the block that holds an offset. */
  rawBlockOf(offset: number): Buffer | undefined {
    const range = { from: offsetKey(this.id, 0), to: offsetKey(this.id, offset), limit: 1, reverse: true }
    return this.#context.store.rows('blocks', range)[0]?.value
  }

  /** Offset of the oldest block that is kept, or of the tail. */
  oldest(): number {
    const range = { from: offsetKey(this.id, 0), to: offsetKey(this.id, wideMax), limit: 1 }
    const key = this.#context.store.keys('blocks', range)[0]
    return key === undefined ? this.#committed : offsetOf(key)
  }

  /** Offset of the first block that was stored at a time or later; the tail if none was. Reads as few blocks as it can. */
  offsetAt(timeMs: number): number {
    let low = this.oldest()
    let high = this.#committed
    while (low < high) {
      const middle = Math.floor((low + high) / 2)
      const block = this.blockOf(middle) ?? this.readFrom(middle)[0]
      if (block === undefined || block.storedAtMs >= timeMs) high = Math.min(middle, block?.first ?? middle)
      else low = block.first + block.count
    }
    return Math.min(low, this.#committed)
  }

  #open(first: number, bytes: Buffer): Block | undefined {
    const stored = StoredBlock.read(asBuffer(bytes))
    if (stored === undefined || stored.isRebuilt) this.#context.onDamagedBlock(this, first, bytes)
    if (stored === undefined) return undefined
    const channel = this.name
    const { count, storedAtMs, behind } = stored
    return { first, count, storedAtMs, behind, record: (index) => stored.record(index, channel) }
  }
}

/** Where a log ends. */
interface Tail {
  readonly next: number
  /** When the newest block was stored. */
  readonly storedAtMs: number
  readonly bytes: number | undefined
}

const tailBytes = 6 + 8 + 8

/** The end of a log. One that no record was ever appended to has no row. */
function readTail(store: Store, id: number): Tail {
  const row = store.get('tails', idKey(id))
  if (row === undefined) return { next: 0, storedAtMs: 0, bytes: 0 }
  const next = row.readUIntBE(0, 6)
  // Format 1 had nothing but the offset.
  if (row.length < tailBytes) return { next, storedAtMs: lastStoredAtMs(store, id), bytes: undefined }
  const bytes = row.readDoubleLE(14)
  return { next, storedAtMs: row.readDoubleLE(6), bytes: Number.isNaN(bytes) ? undefined : bytes }
}

function tailRow({ next, storedAtMs, bytes }: Tail): Buffer {
  const row = Buffer.allocUnsafe(tailBytes)
  row.writeUIntBE(next, 0, 6)
  row.writeDoubleLE(storedAtMs, 6)
  row.writeDoubleLE(bytes ?? Number.NaN, 14)
  return row
}

function lastStoredAtMs(store: Store, id: number): number {
  const range = { from: offsetKey(id, 0), to: offsetKey(id, wideMax), limit: 1, reverse: true }
  const last = store.rows('blocks', range)[0]
  return last === undefined ? 0 : (StoredBlock.read(asBuffer(last.value))?.storedAtMs ?? 0)
}
