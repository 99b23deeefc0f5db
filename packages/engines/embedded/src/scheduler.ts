import type { Clock, OutgoingRecord, Scheduling, Timer } from '@posthaste/contracts'
import { BlockWriter, StoredBlock } from './storage/block-codec.ts'
import type { Committer, Participant } from './storage/committer.ts'
import { behind, idKey, idOf, namedRows, nameKey, timeFloor, timeKey, timeOf, wideMax } from './storage/keys.ts'
import type { Row, Store, Transaction } from './storage/store.ts'
import { TimerCounts } from './timer-counts.ts'

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

/** Records moved in one turn of the event loop, so that others have their turns while a million become due at once. */
const movedPerTurn = 500
const movedPerTurnBytes = 256 * 1024
/**
 * Records that are on their way out at a time, so that a million do not stand in memory at once. More than a turn brings:
 * the rows by id lie scattered, and the more of them a transaction removes, the more of them share a page that it writes.
 */
const movingMax = 8_192
/** No timer is set for longer, so that a jump of the wall clock is noticed. */
const timerMsMax = 60_000
const all = { from: timeFloor(0), to: timeFloor(wideMax) }

/** A row on its way out, with what leads to it; of a damaged one not all is known. */
interface Leaving {
  readonly logId: number | undefined
  readonly key: Buffer
  readonly name: Buffer | undefined
}

/**
 * Records that are not due yet: rows ordered by due time, of which only the time of the first is in memory. What is due
 * moves to its channel in one transaction, so that it is there once, and takes its place in the order of its key then.
 */
export class Scheduler implements Participant, Scheduling {
  readonly #context: SchedulerContext
  readonly #writer = new BlockWriter()
  readonly #counts: TimerCounts
  #added: { target: ScheduleTarget; record: OutgoingRecord; dueAtMs: number }[] = []
  /** Rows on their way out: already moved or cancelled, removed with the next transaction. */
  readonly #leaving = new Map<string, Leaving>()
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
    this.#counts = new TimerCounts(context.store)
    const first = context.store.keys('timers', { ...all, limit: 1 })[0]
    if (first !== undefined) this.#arm(timeOf(first))
  }

  /** Takes a record that is due later; durable with the next transaction. */
  add(target: ScheduleTarget, record: OutgoingRecord, dueAtMs: number): void {
    this.#added.push({ target, record, dueAtMs: Math.ceil(dueAtMs) })
    this.#context.committer.join(this)
  }

  async cancel(channel: string, id: string): Promise<boolean> {
    const { committer } = this.#context
    const target = this.#context.targetOf(channel)
    if (target === undefined) return false
    // A record that is on its way into the store is found once it is there.
    if (this.#added.length > 0 || this.#writtenAtMs < Number.POSITIVE_INFINITY) await committer.flushed()
    const rows = this.#waitingUnder(target.id, id)
    if (rows.length === 0) return false
    for (const { value } of rows) this.#remove(target.id, value, nameKey(target.id, id, value))
    await committer.flushed()
    return true
  }

  async dueAt(channel: string, id: string): Promise<number | undefined> {
    const { committer } = this.#context
    const target = this.#context.targetOf(channel)
    if (target === undefined) return undefined
    if (this.#added.length > 0 || this.#writtenAtMs < Number.POSITIVE_INFINITY) await committer.flushed()
    // Rows of one name are ordered by time.
    const first = this.#waitingUnder(target.id, id)[0]
    return first === undefined ? undefined : timeOf(first.value)
  }

  /** Rows of an id that lead to a record that waits; none to one that is on its way out, or was quarantined. */
  #waitingUnder(logId: number, id: string): readonly Row[] {
    const { store } = this.#context
    return store
      .rows('scheduled', namedRows(logId, id))
      .filter(({ value }) => !this.#leaving.has(value.toString('hex')))
      .filter(({ value }) => store.keys('timers', { from: value, to: behind(value), limit: 1 }).length > 0)
  }

  /** Records that wait for their time to join a log, those on their way to the disk included. */
  waiting(logId: number): number {
    return this.#added.reduce((count, { target }) => (target.id === logId ? count + 1 : count), this.#counts.of(logId))
  }

  write(tx: Transaction): void {
    for (const { target, record, dueAtMs } of this.#added) {
      const key = timeKey(dueAtMs, { boot: this.#context.boot, count: this.#count++ })
      this.#writer.add(record)
      tx.put('timers', key, Buffer.concat([idKey(target.id), this.#writer.take(this.#context.clock.nowMs())]))
      tx.put('scheduled', nameKey(target.id, record.id, key), key)
      this.#counts.add(target.id, 1)
      this.#writtenAtMs = Math.min(this.#writtenAtMs, dueAtMs)
    }
    this.#added = []
    this.#removing = [...this.#leaving.keys()]
    for (const { logId, key, name } of this.#leaving.values()) {
      tx.remove('timers', key)
      if (name !== undefined) tx.remove('scheduled', name)
      if (logId !== undefined) this.#counts.add(logId, -1)
    }
    this.#counts.write(tx)
  }

  committed(): void {
    this.#counts.committed()
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

  #remove(logId: number | undefined, key: Buffer, name: Buffer | undefined): void {
    this.#leaving.set(key.toString('hex'), { logId, key, name })
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
      await this.#moveAll()
    } catch {
      return // The committer has failed and has told everybody.
    } finally {
      this.#moving = false
    }
    if (this.#closed) return
    const next = this.#context.store.keys('timers', { ...all, limit: 1 })[0]
    if (next !== undefined) this.#arm(timeOf(next))
  }

  async #moveAll(): Promise<void> {
    const { committer } = this.#context
    let from = timeFloor(0)
    while (!this.#closed) {
      const { last, more } = this.#moveSome(from)
      if (last === undefined && this.#leaving.size === 0) return
      if (!more || this.#leaving.size >= movingMax) await committer.flushed()
      else await new Promise((resolve) => setImmediate(resolve))
      if (last === undefined) return
      from = behind(last)
    }
  }

  /** Moves some of what is due from a key on: up to which one, if there was any, and whether there may be more. */
  #moveSome(from: Buffer): { last: Buffer | undefined; more: boolean } {
    const { store, clock } = this.#context
    const damaged: Row[] = []
    const rows = store.rows('timers', {
      from,
      to: timeFloor(clock.nowMs() + 1),
      limit: movedPerTurn,
      bytesMax: movedPerTurnBytes,
      onDamaged: (row) => void damaged.push(row),
    })
    for (const { key, value } of damaged) this.#quarantine(key, value)
    for (const { key, value } of rows) if (!this.#leaving.has(key.toString('hex'))) this.#moveOne(key, value)
    const keys = [...rows, ...damaged].map(({ key }) => key).sort(Buffer.compare)
    const bytes = rows.reduce((sum, { value }) => sum + value.length, 0)
    return { last: keys.at(-1), more: keys.length === movedPerTurn || bytes >= movedPerTurnBytes }
  }

  #moveOne(key: Buffer, value: Buffer): void {
    const logId = idOf(value)
    const target = this.#context.target(logId)
    const record = StoredBlock.read(value.subarray(4))?.record(0, target?.name ?? '')
    if (record === undefined) {
      this.#quarantine(key, value)
      return
    }
    // Without a target, the group that it was addressed to is gone.
    target?.append(record)
    this.#remove(logId, key, nameKey(logId, record.id, key))
  }

  #quarantine(key: Buffer, value: Buffer): void {
    if (this.#leaving.has(key.toString('hex'))) return
    this.#context.onDamaged(key, value)
    const target = value.length < 4 ? undefined : this.#context.target(idOf(value))
    this.#remove(target?.id, key, undefined)
  }
}
