import {
  type ChannelSpec,
  type GroupSpec,
  type OutgoingRecord,
  PosthasteError,
  type PreparedRecord,
  RenewingMap,
  type Retention,
} from '@posthaste/contracts'
import type { Agenda, Appointment } from './agenda.ts'
import { firstNumber, type Stored } from './entry.ts'
import { Group } from './group.ts'
import type { Isolation } from './isolation.ts'
import { KnownIds } from './known-ids.ts'

/** What a channel needs from what is around it. */
export interface ChannelSurroundings {
  readonly agenda: Agenda
  readonly isolation: Isolation
  wake(group: Group): void
  nowMs(): number
  nextNumber(): number
}

/** A record that has not entered its channel yet, because it is not due. */
interface Scheduled {
  readonly record: OutgoingRecord
  readonly storedAtMs: number
  appointment: Appointment | undefined
}

/** Where the messages of one contract stand, in order, and the groups that read them. */
export class Channel {
  readonly spec: ChannelSpec
  readonly groups = new Map<string, Group>()
  /** What is prepared for it, by id. */
  readonly prepared = new Map<string, PreparedRecord>()
  readonly #surroundings: ChannelSurroundings
  /** By number, ascending: numbers only grow, and a map keeps the order of insertion. */
  readonly #records = new RenewingMap<number, Stored>()
  readonly #scheduled = new Map<string, Scheduled[]>()
  readonly #knownIds: KnownIds | undefined
  #bytes = 0

  constructor(spec: ChannelSpec, surroundings: ChannelSurroundings) {
    this.spec = spec
    this.#surroundings = surroundings
    if (spec.deduplicateForMs !== undefined) this.#knownIds = new KnownIds(spec.deduplicateForMs)
  }

  // ── Groups ────────────────────────────────────────────────────────────────────────────────────────────────────────

  /**
   * Makes a group. The group of a queue begins with everything that stands there, wherever it was told to begin: nobody
   * else would ever take it.
   */
  addGroup(spec: Omit<GroupSpec, 'channel'>): void {
    const { group: name, lifetime = 'durable' } = spec
    const group = this.#newGroup({ name, lifetime })
    if (spec.from === 'next' && this.spec.kind === 'log') return
    this.#trim()
    for (const [, stored] of this.#records.entries()) if (stored.record.group === undefined) this.#show(stored, group)
  }

  /** Puts a group in the place of any other of its name. */
  #newGroup({ name, lifetime }: Pick<Group, 'name' | 'lifetime'>): Group {
    const { agenda, isolation, wake } = this.#surroundings
    const settled = (stored: Stored) => this.#settled(stored)
    const group = new Group(
      { name, lifetime },
      { agenda, isolation, wake, settled, deserted: () => this.removeGroup(group) },
    )
    this.groups.set(name, group)
    return group
  }

  /**
   * Has a group without members begin again with the first record for which that is so. Of what comes before only what
   * was addressed to it alone stays; nothing of how far it was with any record does.
   */
  restart(before: Group, isReached: (stored: Stored) => boolean): void {
    this.#trim()
    const group = this.#newGroup(before)
    let reached = false
    for (const [, stored] of this.#records.entries()) {
      const addressee = stored.record.group
      reached ||= addressee === undefined && isReached(stored)
      // What is addressed to one group goes when that has settled it.
      if (addressee === undefined ? reached : addressee === group.name) this.#show(stored, group)
    }
    before.clear()
    this.#trim()
  }

  /** Takes out a group that has no members, with all that waits in it. */
  removeGroup(group: Group): void {
    if (this.groups.get(group.name) !== group) return
    this.groups.delete(group.name)
    group.clear()
    this.#trim()
  }

  // ── Records come in ───────────────────────────────────────────────────────────────────────────────────────────────

  /** Stores a record, unless it is a repetition. One that is not due yet takes its place in the order when it is. */
  publish(record: OutgoingRecord): void {
    const nowMs = this.#surroundings.nowMs()
    // What is addressed to one group is a redrive: it repeats on purpose.
    if (record.group === undefined && this.#knownIds?.isRepetition(record.id, nowMs)) return
    if (record.dueAtMs !== undefined && record.dueAtMs > nowMs) this.#schedule(record, record.dueAtMs)
    else this.#append(record, nowMs)
  }

  #schedule(record: OutgoingRecord, dueAtMs: number): void {
    const scheduled: Scheduled = { record, storedAtMs: this.#surroundings.nowMs(), appointment: undefined }
    scheduled.appointment = this.#surroundings.agenda.add(dueAtMs, () => {
      this.#unschedule(scheduled)
      this.#append(record, scheduled.storedAtMs)
    })
    const same = this.#scheduled.get(record.id)
    if (same === undefined) this.#scheduled.set(record.id, [scheduled])
    else same.push(scheduled)
  }

  #unschedule(scheduled: Scheduled): void {
    const { id } = scheduled.record
    const others = this.#scheduled.get(id)?.filter((one) => one !== scheduled) ?? []
    if (others.length === 0) this.#scheduled.delete(id)
    else this.#scheduled.set(id, others)
  }

  /** Forgets what is scheduled under an id. @returns whether there was any */
  cancel(id: string): boolean {
    const scheduled = this.#scheduled.get(id)
    if (scheduled === undefined) return false
    this.#scheduled.delete(id)
    for (const { appointment } of scheduled) {
      if (appointment !== undefined) this.#surroundings.agenda.remove(appointment)
    }
    return true
  }

  /** When the first of what is scheduled under an id is due; undefined when nothing is. */
  dueAt(id: string): number | undefined {
    const times = this.#scheduled.get(id)?.map(({ record }) => record.dueAtMs ?? 0)
    return times === undefined ? undefined : Math.min(...times)
  }

  #append(record: OutgoingRecord, storedAtMs: number): void {
    const number = this.#surroundings.nextNumber()
    const stored: Stored = {
      number,
      position: String(number),
      rank: number - this.#levelOf(record) * levelSpan,
      key: this.#levels > 1 ? undefined : record.key,
      record,
      storedAtMs,
      joinedAtMs: this.#surroundings.nowMs(),
      neededBy: 0,
      entry: undefined,
    }
    this.#records.set(number, stored)
    this.#bytes += record.body.byteLength
    for (const group of this.groups.values()) {
      if (record.group === undefined || record.group === group.name) this.#show(stored, group)
    }
    // The group that it was addressed to may have gone while it waited for its time.
    if (record.group !== undefined && stored.neededBy === 0) this.#drop(stored)
    this.#trim()
  }

  get #levels(): number {
    return this.spec.priorities ?? 1
  }

  #levelOf({ priority = 0 }: OutgoingRecord): number {
    return Math.min(priority, this.#levels - 1)
  }

  #show(stored: Stored, group: Group): void {
    const entry = group.add(stored)
    if (this.spec.kind === 'queue') stored.entry = entry
  }

  // ── Records go ────────────────────────────────────────────────────────────────────────────────────────────────────

  /** A group is done with a record; what nobody needs goes, unless retention keeps it. */
  #settled(stored: Stored): void {
    stored.neededBy -= 1
    if (stored.neededBy > 0) return
    // What was addressed to one group is no part of the history that others may read later.
    const kept = this.spec.kind === 'log' && stored.record.group === undefined && keeps(this.spec.retention)
    if (!kept) this.#drop(stored)
  }

  #drop(stored: Stored): void {
    if (this.#records.delete(stored.number)) this.#bytes -= stored.record.body.byteLength
  }

  /** Drops, from the oldest on, what no group needs and retention does not keep. */
  #trim(): void {
    if (this.spec.kind === 'queue') return
    for (const [, stored] of this.#records.entries()) {
      if (stored.neededBy > 0 || this.#retains(stored)) return
      this.#drop(stored)
    }
  }

  #retains(stored: Stored): boolean {
    const { forMs = Number.POSITIVE_INFINITY, bytesMax = Number.POSITIVE_INFINITY } = this.spec.retention ?? {}
    if (!keeps(this.spec.retention)) return false
    return stored.joinedAtMs + forMs > this.#surroundings.nowMs() && this.#bytes <= bytesMax
  }

  // ── Looking in ────────────────────────────────────────────────────────────────────────────────────────────────────

  /** The records after a position, oldest first. */
  *after(position: string | undefined): Generator<Stored> {
    for (const [, stored] of this.#records.entries())
      if (position === undefined || stored.position > position) yield stored
  }

  /** Why a record cannot be taken out of a queue; undefined when it can. */
  obstacle(position: string): PosthasteError | undefined {
    const stored = this.#records.get(Number(position))
    const what = `position ${position} of ${this.spec.name}`
    if (stored === undefined) return new PosthasteError('NOT_FOUND', `${what}: the record is gone`)
    if (stored.entry?.inFlight) return new PosthasteError('CONFLICT', `${what}: the record is being handled`)
    return undefined
  }

  /** Takes a record out of a queue, if nothing is in the way. */
  withdraw(position: string): void {
    const stored = this.#records.get(Number(position))
    const [group] = this.groups.values()
    if (stored?.entry !== undefined) group?.withdraw(stored.entry)
    else if (stored !== undefined) this.#drop(stored)
  }

  /** How many records that are not due yet a group will see. */
  scheduledFor(group: string): number {
    let count = 0
    for (const same of this.#scheduled.values()) {
      for (const { record } of same) if (record.group === undefined || record.group === group) count += 1
    }
    return count
  }
}

/**
 * Ranks of one level of priority lie between two multiples of this. Numbers begin here, and ten levels of them are still
 * exact as numbers.
 */
const levelSpan = firstNumber

/** Whether retention keeps what every group has settled. */
const keeps = (retention: Retention | undefined) => retention?.forMs !== undefined || retention?.bytesMax !== undefined
