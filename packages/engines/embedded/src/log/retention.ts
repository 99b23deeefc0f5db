import type { Clock, Retention, Timer } from '@posthaste/contracts'
import { StoredBlock } from '../storage/block-codec.ts'
import type { Committer, Participant } from '../storage/committer.ts'
import { offsetKey, offsetOf } from '../storage/keys.ts'
import type { Store, Transaction } from '../storage/store.ts'
import type { ChannelLog } from './channel-log.ts'

/** Blocks removed per transaction, so that a day's worth that expires at once does not make one commit long. */
const removedMax = 256
/** Read at a time where all blocks must be measured. */
const measuredBytes = 1024 * 1024
const sweepMsMin = 1_000
const sweepMsMax = 60_000

/** What retention needs from the engine. */
export interface RetentionContext {
  readonly store: Store
  readonly committer: Committer
  readonly clock: Clock
}

interface Removable {
  readonly log: ChannelLog
  readonly first: number
}

/** A block that nobody needs, as far as the bounds of the retention are concerned. */
interface OldBlock {
  readonly removable: Removable
  readonly storedAtMs: number
  readonly bytes: number
}

/**
 * Deletes blocks of an event log that every group has settled and that nobody asked to keep any longer. Never a block
 * that a group still needs. Where there is a log for each level of priority, the bounds are those of all of them together.
 */
export class LogRetention implements Participant {
  readonly #logs: readonly ChannelLog[]
  readonly #retention: Retention
  readonly #context: RetentionContext
  #timer: Timer | undefined
  #more = false
  /** When the oldest block was stored, if it is known: nothing is past its time before that is. */
  #oldestMs: number | undefined

  constructor(logs: readonly ChannelLog[], context: RetentionContext) {
    this.#logs = logs
    this.#retention = logs[0]?.spec.retention ?? {}
    this.#context = context
    if (this.#retention.bytesMax !== undefined) for (const log of logs) log.bytes ??= this.#measure(log)
    this.#arm()
  }

  /** A group has moved on: something may be in nobody's need. */
  sweep(): void {
    this.#context.committer.join(this)
  }

  close(): void {
    this.#timer?.cancel()
  }

  write(tx: Transaction): void {
    this.#more = false
    if (!this.#mayRemove()) return
    const unneeded = this.#logs.map((log) => this.#unneeded(log))
    const { forMs, bytesMax } = this.#retention
    const removable = forMs === undefined && bytesMax === undefined ? unneeded.flat() : [...this.#expired(unneeded)]
    for (const { log, first } of removable) {
      log.forget(first)
      tx.remove('blocks', offsetKey(log.id, first))
    }
    if (removable.length > 0) {
      this.#oldestMs = undefined
      for (const log of this.#logs) if (log.bytes !== undefined) log.writeTail(tx)
    }
    const isAtLimit = (blocks: readonly Removable[]): boolean =>
      blocks.length === removedMax && removable.includes(blocks[removedMax - 1]!)
    this.#more = unneeded.some(isAtLimit)
  }

  committed(): void {
    if (this.#more) this.sweep()
  }

  /** What time alone makes removable is looked at now and then. */
  #arm(): void {
    const { forMs } = this.#retention
    if (forMs === undefined) return
    this.#timer = this.#context.clock.setTimer(Math.min(sweepMsMax, Math.max(sweepMsMin, forMs / 4)), () => {
      this.sweep()
      this.#arm()
    })
  }

  /** Looked at before anything is read: groups move on with each transaction, and a bound is seldom passed. */
  #mayRemove(): boolean {
    const { forMs, bytesMax } = this.#retention
    if (forMs === undefined && bytesMax === undefined) return true
    if (bytesMax !== undefined && this.#bytes() > bytesMax) return true
    if (forMs === undefined) return false
    this.#oldestMs ??= this.#findOldestMs()
    return this.#oldestMs !== undefined && this.#oldestMs <= this.#context.clock.nowMs() - forMs
  }

  #findOldestMs(): number | undefined {
    let oldestMs: number | undefined
    for (const { id, committedEnd } of this.#logs) {
      const range = { from: offsetKey(id, 0), to: offsetKey(id, committedEnd), limit: 1 }
      const [row] = this.#context.store.rows('blocks', range)
      if (row !== undefined)
        oldestMs = Math.min(oldestMs ?? Number.POSITIVE_INFINITY, StoredBlock.read(row.value)?.storedAtMs ?? 0)
    }
    return oldestMs
  }

  /** Blocks of a log that every group has settled, the oldest first; as many as a transaction may remove. */
  #unneeded(log: ChannelLog): Removable[] {
    const floor = neededFrom(log)
    const range = { from: offsetKey(log.id, 0), to: offsetKey(log.id, floor + 1), limit: removedMax + 1 }
    const firsts = this.#context.store.keys('blocks', range).map(offsetOf)
    // A block ends where the next begins; of the last one found only the end of the log tells that it ends below the floor.
    const last = firsts.at(-1)
    const allBelow = firsts.length <= removedMax && last !== floor && floor === log.committedEnd
    if (!allBelow) firsts.pop()
    return firsts.map((first) => ({ log, first }))
  }

  /** Those that are past a bound of the retention, the oldest of all logs first. */
  *#expired(unneeded: readonly (readonly Removable[])[]): Generator<Removable> {
    const { forMs, bytesMax = Number.POSITIVE_INFINITY } = this.#retention
    const oldestMs = forMs === undefined ? Number.NEGATIVE_INFINITY : this.#context.clock.nowMs() - forMs
    const queues = unneeded.map((blocks) => this.#opened(blocks))
    const heads = queues.map((queue) => queue.next().value)
    for (;;) {
      const at = indexOfOldest(heads)
      const block = at === undefined ? undefined : heads[at]
      if (at === undefined || !block || !(block.storedAtMs <= oldestMs || this.#bytes() > bytesMax)) return
      const { log } = block.removable
      if (log.bytes !== undefined) log.bytes -= block.bytes
      yield block.removable
      heads[at] = queues[at]!.next().value
    }
  }

  *#opened(blocks: readonly Removable[]): Generator<OldBlock, undefined> {
    for (const removable of blocks) {
      const row = this.#context.store.get('blocks', offsetKey(removable.log.id, removable.first))
      if (row === undefined) return
      yield { removable, storedAtMs: StoredBlock.read(row)?.storedAtMs ?? 0, bytes: row.length }
    }
  }

  #bytes(): number {
    return this.#logs.reduce((sum, { bytes = 0 }) => sum + bytes, 0)
  }

  /** What a log keeps that was written before anybody counted. */
  #measure({ id, committedEnd }: ChannelLog): number {
    let bytes = 0
    for (let from = 0; ; ) {
      const range = { from: offsetKey(id, from), to: offsetKey(id, committedEnd), bytesMax: measuredBytes }
      const rows = this.#context.store.rows('blocks', range)
      for (const { value } of rows) bytes += value.length
      const last = rows.at(-1)
      if (last === undefined) return bytes
      from = offsetOf(last.key) + 1
    }
  }
}

/** Below this offset nobody needs anything. */
function neededFrom(log: ChannelLog): number {
  let floor = log.committedEnd
  for (const reader of log.readers) floor = Math.min(floor, reader.floor)
  return floor
}

function indexOfOldest(blocks: readonly (OldBlock | undefined)[]): number | undefined {
  let oldest: number | undefined
  for (const [at, block] of blocks.entries()) {
    if (block !== undefined && (oldest === undefined || block.storedAtMs < blocks[oldest]!.storedAtMs)) oldest = at
  }
  return oldest
}
