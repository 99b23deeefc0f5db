import type { Clock, OutgoingRecord, Scheduling, Timer } from '@posthaste/contracts'
import { BlockWriter, StoredBlock } from './storage/block-codec.ts'
import type { Committer, Participant } from './storage/committer.ts'
import { idKey, idOf, namedRows, nameKey, timeFloor, timeKey, timeOf, wideMax } from './storage/keys.ts'
import type { Store, Transaction } from './storage/store.ts'

/** Where due records go. */
export interface ScheduleTarget {
  readonly id: number
  readonly name: string
  append(record: OutgoingRecord): void
}

/** What the scheduler needs from the engine. */
export interface SchedulerContext {
  readonly store: Store
  readonly committer: Committer
  readonly clock: Clock
  /** The how-manieth opening of the directory this is. */
  readonly boot: number
  /** The log that has this id; undefined if there is none any more. */
  readonly target: (id: number) => ScheduleTarget | undefined
  /** The log that records of a channel are scheduled for. */
  readonly targetOf: (channel: string) => ScheduleTarget | undefined
  /** A scheduled record that cannot be read. */
  readonly onDamaged: (key: Buffer, row: Buffer) => void
}

/** Records moved per transaction, so that a million due at once do not stand in memory at once. */
const movedMax = 1_000
/** No timer is set for longer, so that a jump of the wall clock is noticed. */
const timerMsMax = 60_000
const all = { from: timeFloor(0), to: timeFloor(wideMax) }

/**
 * Records that are not due yet: rows ordered by due time, of which only the time of the first is in memory. What is due
 * moves to its channel in one transaction, so that it is there once, and takes its place in the order of its key then.
 */
export class Scheduler implements Participant, Scheduling {
  readonly #context: SchedulerContext
  readonly #writer = new BlockWriter()
  #added: { target: ScheduleTarget; record: OutgoingRecord; dueAtMs: number }[] = []
  /** Rows on their way out: already moved or cancelled, removed with the next transaction. */
  readonly #leaving = new Map<string, { key: Buffer; name: Buffer }>()
  #removing: string[] = []
  /** When the first of the records is due that the present transaction writes. */
  #writtenAtMs = Number.POSITIVE_INFINITY
  #count = 0
  #timer: Timer | undefined
  #timerAtMs = Number.POSITIVE_INFINITY
  #moving = false
  #closed = false

  constructor(context: SchedulerContext) {
    this.#context = context
    const first = context.store.keys('timers', { ...all, limit: 1 })[0]
    if (first !== undefined) this.#arm(timeOf(first))
  }

  /** Takes a record that is due later; durable with the next transaction. */
  add(target: ScheduleTarget, record: OutgoingRecord, dueAtMs: number): void {
    this.#added.push({ target, record, dueAtMs: Math.ceil(dueAtMs) })
    this.#context.committer.join(this)
  }

  async cancel(channel: string, id: string): Promise<boolean> {
    const { store, committer } = this.#context
    const target = this.#context.targetOf(channel)
    if (target === undefined) return false
    // A record that is on its way into the store is found once it is there.
    if (this.#added.length > 0 || this.#writtenAtMs < Number.POSITIVE_INFINITY) await committer.flushed()
    const rows = store
      .rows('scheduled', namedRows(target.id, id))
      .filter(({ value }) => !this.#leaving.has(value.toString('hex')))
    if (rows.length === 0) return false
    for (const { value } of rows) this.#remove(value, nameKey(target.id, id, value))
    await committer.flushed()
    return true
  }

  async dueAt(channel: string, id: string): Promise<number | undefined> {
    const { store, committer } = this.#context
    const target = this.#context.targetOf(channel)
    if (target === undefined) return undefined
    if (this.#added.length > 0 || this.#writtenAtMs < Number.POSITIVE_INFINITY) await committer.flushed()
    // Rows of one name are ordered by time.
    const first = store
      .rows('scheduled', namedRows(target.id, id))
      .find(({ value }) => !this.#leaving.has(value.toString('hex')))
    return first === undefined ? undefined : timeOf(first.value)
  }

  /** Records that wait for their time to join a log. */
  waiting(logId: number): number {
    return this.#context.store.keys('scheduled', { from: idKey(logId), to: idKey(logId + 1) }).length
  }

  write(tx: Transaction): void {
    for (const { target, record, dueAtMs } of this.#added) {
      const key = timeKey(dueAtMs, { boot: this.#context.boot, count: this.#count++ })
      this.#writer.add(record)
      tx.put('timers', key, Buffer.concat([idKey(target.id), this.#writer.take(this.#context.clock.nowMs())]))
      tx.put('scheduled', nameKey(target.id, record.id, key), key)
      this.#writtenAtMs = Math.min(this.#writtenAtMs, dueAtMs)
    }
    this.#added = []
    this.#removing = [...this.#leaving.keys()]
    for (const { key, name } of this.#leaving.values()) {
      tx.remove('timers', key)
      tx.remove('scheduled', name)
    }
  }

  committed(): void {
    for (const key of this.#removing) this.#leaving.delete(key)
    this.#removing = []
    // Not earlier: a timer that fires before the row can be read would find nothing and never come back.
    if (this.#writtenAtMs < Number.POSITIVE_INFINITY) this.#arm(this.#writtenAtMs)
    this.#writtenAtMs = Number.POSITIVE_INFINITY
  }

  close(): void {
    this.#closed = true
    this.#timer?.cancel()
  }

  #remove(key: Buffer, name: Buffer): void {
    this.#leaving.set(key.toString('hex'), { key, name })
    this.#context.committer.join(this)
  }

  #arm(atMs: number): void {
    if (this.#closed || atMs >= this.#timerAtMs) return
    this.#timer?.cancel()
    this.#timerAtMs = atMs
    const delayMs = Math.min(timerMsMax, Math.max(0, atMs - this.#context.clock.nowMs()))
    this.#timer = this.#context.clock.setTimer(delayMs, () => {
      this.#timerAtMs = Number.POSITIVE_INFINITY
      void this.#moveDue()
    })
  }

  async #moveDue(): Promise<void> {
    if (this.#moving) return
    this.#moving = true
    try {
      while (!this.#closed && this.#moveSome()) await this.#context.committer.flushed()
    } catch {
      return // The committer has failed and has told everybody.
    } finally {
      this.#moving = false
    }
    if (this.#closed) return
    const next = this.#context.store.keys('timers', { ...all, limit: 1 })[0]
    if (next !== undefined) this.#arm(timeOf(next))
  }

  /** Whether anything was due. */
  #moveSome(): boolean {
    const range = { from: timeFloor(0), to: timeFloor(this.#context.clock.nowMs() + 1), limit: movedMax }
    const rows = this.#context.store.rows('timers', range)
    for (const { key, value } of rows) {
      if (this.#leaving.has(key.toString('hex'))) continue
      const target = this.#context.target(idOf(value))
      const record = target === undefined ? undefined : StoredBlock.read(value.subarray(4))?.record(0, target.name)
      if (target === undefined || record === undefined) {
        this.#context.onDamaged(key, value)
        this.#leaving.set(key.toString('hex'), { key, name: key })
        this.#context.committer.join(this)
        continue
      }
      target.append(record)
      this.#remove(key, nameKey(target.id, record.id, key))
    }
    return rows.length > 0
  }
}
