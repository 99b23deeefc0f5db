import type { Clock, Timer } from '@posthaste/contracts'
import { StoredBlock } from '../storage/block-codec.ts'
import type { Committer, Participant } from '../storage/committer.ts'
import { offsetKey, offsetOf } from '../storage/keys.ts'
import type { Store, Transaction } from '../storage/store.ts'
import type { ChannelLog } from './channel-log.ts'

/** Blocks removed per transaction, so that a day's worth that expires at once does not make one commit long. */
const removedMax = 256
const sweepMsMin = 1_000
const sweepMsMax = 60_000

/** What retention needs from the engine. */
export interface RetentionContext {
  readonly store: Store
  readonly committer: Committer
  readonly clock: Clock
}

/**
 * Deletes blocks of an event log that every group has settled and that nobody asked to keep any longer. Never a block
 * that a group still needs.
 */
export class LogRetention implements Participant {
  readonly #log: ChannelLog
  readonly #context: RetentionContext
  #timer: Timer | undefined
  #more = false
  readonly #bytesAtOpen: number
  #removedBytes = 0

  constructor(log: ChannelLog, context: RetentionContext) {
    this.#log = log
    this.#context = context
    this.#bytesAtOpen = this.#measure()
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
    const removable = this.#removable()
    for (const first of removable) {
      this.#log.forget(first)
      tx.remove('blocks', offsetKey(this.#log.id, first))
    }
    this.#more = removable.length === removedMax
  }

  committed(): void {
    if (this.#more) this.sweep()
  }

  /** What time alone makes removable is looked at now and then. */
  #arm(): void {
    const forMs = this.#log.spec.retention?.forMs
    if (forMs === undefined) return
    this.#timer = this.#context.clock.setTimer(Math.min(sweepMsMax, Math.max(sweepMsMin, forMs / 4)), () => {
      this.sweep()
      this.#arm()
    })
  }

  #removable(): number[] {
    const floor = this.#neededFrom()
    const range = { from: offsetKey(this.#log.id, 0), to: offsetKey(this.#log.id, floor + 1), limit: removedMax + 1 }
    const firsts = this.#context.store.keys('blocks', range).map(offsetOf)
    // A block ends where the next begins; of the last one found only the end of the log tells that it ends below the floor.
    const last = firsts.at(-1)
    const allBelow = firsts.length <= removedMax && last !== floor && floor === this.#log.committedEnd
    if (!allBelow) firsts.pop()
    return firsts.slice(0, this.#expired(firsts))
  }

  #neededFrom(): number {
    let floor = this.#log.committedEnd
    for (const reader of this.#log.readers) floor = Math.min(floor, reader.floor)
    return floor
  }

  /** How many of the oldest blocks are past a bound of the retention; all of them where there is none. */
  #expired(firsts: readonly number[]): number {
    const { forMs, bytesMax } = this.#log.spec.retention ?? {}
    if (forMs === undefined && bytesMax === undefined) return firsts.length
    const oldestMs = forMs === undefined ? Number.NEGATIVE_INFINITY : this.#context.clock.nowMs() - forMs
    let count = 0
    for (const first of firsts) {
      const row = this.#context.store.get('blocks', offsetKey(this.#log.id, first))
      const old = row !== undefined && (StoredBlock.read(row)?.storedAtMs ?? 0) <= oldestMs
      if (row === undefined || !(old || this.#bytes() > (bytesMax ?? Number.POSITIVE_INFINITY))) break
      this.#removedBytes += row.length
      count++
    }
    return count
  }

  #bytes(): number {
    return this.#bytesAtOpen + this.#log.bytesWritten - this.#removedBytes
  }

  #measure(): number {
    if (this.#log.spec.retention?.bytesMax === undefined) return 0
    const { id, committedEnd } = this.#log
    let bytes = 0
    for (let from = 0; ; ) {
      const rows = this.#context.store.rows('blocks', {
        from: offsetKey(id, from),
        to: offsetKey(id, committedEnd),
        limit: removedMax,
      })
      for (const { value } of rows) bytes += value.length
      const last = rows.at(-1)
      if (last === undefined) return bytes
      from = offsetOf(last.key) + 1
    }
  }
}
