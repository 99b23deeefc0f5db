import type { Clock, Log, Timer } from '@posthaste/contracts'
import type { Committer, Participant } from './storage/committer.ts'
import { nameKey, offsetKey, offsetOf, wideMax, wideOf, wideRow } from './storage/keys.ts'
import type { Store, Transaction } from './storage/store.ts'

/** Ids that a transaction forgets beside those it brings, so that a day's worth that ends at once does not make one long. */
const forgottenMax = 256
/** No timer is set for longer, so that a jump of the wall clock is noticed; nor for so little that it fires all the time. */
const timerMsMax = 60_000
const timerMsMin = 100
/** Bytes of a key before the id. */
const timePrefixBytes = 10

/** What recognising ids needs from the engine. */
export interface KnownIdsContext {
  readonly store: Store
  readonly committer: Committer
  readonly clock: Clock
  readonly log: Log
}

/** Which ids, and for how long. */
export interface KnownIdsScope {
  /** Of the channel's lowest log. */
  readonly logId: number
  readonly channel: string
  readonly windowMs: number
}

/**
 * The ids that a channel was given within a time: rows by id, written in the transaction that brings the record, and rows
 * by time, by which they are forgotten. In memory is only what is on its way into the store.
 */
export class KnownIds implements Participant {
  readonly #scope: KnownIdsScope
  readonly #context: KnownIdsContext
  #added = new Map<string, number>()
  /** What the present transaction brings. */
  #writing = new Map<string, number>()
  #timer: Timer | undefined
  #forgetting = false
  #closed = false

  constructor(scope: KnownIdsScope, context: KnownIdsContext) {
    this.#scope = scope
    this.#context = context
    this.#arm()
  }

  /** Whether a record of this id was taken so short a time ago that another one is a repetition. */
  has(id: string): boolean {
    const atMs = this.#added.get(id) ?? this.#writing.get(id) ?? this.#stored(id)
    return atMs !== undefined && this.#context.clock.nowMs() - atMs < this.#scope.windowMs
  }

  /** A record of this id is taken; to be called in the turn that takes it, so that both are in one transaction. */
  add(id: string): void {
    this.#added.set(id, Math.floor(this.#context.clock.nowMs()))
    this.#context.committer.join(this)
  }

  write(tx: Transaction): void {
    this.#writing = this.#added
    this.#added = new Map()
    for (const [id, atMs] of this.#writing) {
      tx.put('known', nameKey(this.#scope.logId, id), wideRow(atMs))
      tx.put('knownByTime', this.#timeKey(atMs, id), Buffer.alloc(0))
    }
    this.#forget(tx)
  }

  committed(): void {
    this.#writing = new Map()
    if (this.#forgetting) this.#context.committer.join(this)
    else this.#arm()
  }

  close(): void {
    this.#closed = true
    this.#timer?.cancel()
  }

  /** Those whose time is over, at least as many as there are new ones, so that they do not become more and more. */
  #forget(tx: Transaction): void {
    const limit = forgottenMax + 2 * this.#writing.size
    const keys = this.#oldest(this.#context.clock.nowMs() - this.#scope.windowMs, limit)
    for (const key of keys) {
      tx.remove('knownByTime', key)
      const id = key.toString('utf8', timePrefixBytes)
      // It may have come again since.
      if (!this.#writing.has(id) && this.#stored(id) === offsetOf(key))
        tx.remove('known', nameKey(this.#scope.logId, id))
    }
    this.#forgetting = keys.length === limit
  }

  /** Rows of the oldest ids that were taken at a time or before. */
  #oldest(untilMs: number, limit: number): Buffer[] {
    if (untilMs < 0) return []
    const { logId } = this.#scope
    return this.#context.store.keys('knownByTime', {
      from: offsetKey(logId, 0),
      to: offsetKey(logId, Math.floor(untilMs) + 1),
      limit,
    })
  }

  #stored(id: string): number | undefined {
    try {
      const row = this.#context.store.get('known', nameKey(this.#scope.logId, id))
      return row === undefined ? undefined : wideOf(row)
    } catch (cause) {
      // Rather twice than never: an id that cannot be read is not known.
      const { channel } = this.#scope
      this.#context.log.error(`that '${channel}' was given ${id} is damaged: it counts as new`, { channel, id, cause })
      return undefined
    }
  }

  #timeKey(atMs: number, id: string): Buffer {
    return Buffer.concat([offsetKey(this.#scope.logId, atMs), Buffer.from(id)])
  }

  /** What a channel that is given nothing more knows must be forgotten, too. */
  #arm(): void {
    if (this.#closed || this.#timer !== undefined) return
    const { clock, committer } = this.#context
    const first = this.#oldest(wideMax - 1, 1)[0]
    if (first === undefined) return
    const inMs = offsetOf(first) + this.#scope.windowMs - clock.nowMs()
    this.#timer = clock.setTimer(Math.min(timerMsMax, Math.max(timerMsMin, inMs)), () => {
      this.#timer = undefined
      if (inMs > timerMsMax) this.#arm()
      else committer.join(this)
    })
  }
}
