import type { OutgoingRecord } from '@posthaste/contracts'
import type { Received } from '../witness.ts'

/**
 * Where a record stands in a group, as far as the outside can know. `maybe`: it may or may not be there, since nobody
 * answered. `returning`: its release is under way. `later`: it comes when its time has come.
 */
type Standing = 'maybe' | 'ready' | 'returning' | 'later' | 'inFlight' | 'done'

/** One record in one group. */
export interface ModelEntry {
  readonly record: OutgoingRecord
  /** The order of publishing. */
  readonly sequence: number
  standing: Standing
  /** Where `later`: not before this. */
  dueAtMs: number
  /** The time within which it joined the channel; what has a due time has no upper bound until it was seen. */
  readonly joinedFromMs: number
  joinedUntilMs: number
  /** Where it stands, once it was seen. */
  position: string | undefined
  /** Hand-overs that counted; more than one value where a crash left it open. */
  attempts: { readonly min: number; readonly max: number }
  /** Released with `holdKey`, not acknowledged yet. */
  holds: boolean
  member: string | undefined
  /** It may have been in hand when the process was killed; an engine may watch such records one at a time. */
  suspect: boolean
  /**
   * Stored before its range was read again after a crash. Should that reader leave, the next one may still take it for what
   * the vanished one had, once.
   */
  doubted: boolean
}

/** What a group is like on an engine. */
export interface GroupTraits {
  readonly keyed: boolean
  readonly exactAttempts: boolean
  /** Its records stand in key ranges with one reader each: what the reader of one has no credit for waits for it. */
  readonly ranges: boolean
  /**
   * Nobody can tell what a reader that vanished had in hand: what is stored before its range is read again may count one
   * attempt too many.
   */
  readonly suspectsYoung: boolean
  /**
   * The server counts hand-overs, so that who had what when a reader vanished is known by an upper bound: from then on
   * whatever comes back may count once more.
   */
  readonly countsHandOvers: boolean
  /** How late a due record may join its channel, in milliseconds: what is due closer together joins in any order. */
  readonly delayPrecisionMs: number
}

/** A member of a group, as far as what it is owed depends on it. */
export interface MemberState {
  readonly name: string
  readonly credit: number
}

/**
 * A group as anybody can understand it: a list of records, and what must be true when one is delivered. It predicts
 * nothing; it says whether what an engine did was allowed, and whether it still owes something.
 */
export class GroupModel {
  readonly entries: ModelEntry[] = []
  readonly #traits: GroupTraits
  /** How often the process was killed, since when it matters. */
  #crashes = 0
  /** When a record of a key first came since the last time: its key range has a reader of which nothing is suspected. */
  readonly #readSinceMs = new Map<string, number>()

  /** Who was a member when it was last asked what is owed. */
  #members = ''
  /** Whether a range may be on its way from one member to another. */
  #isMoving = false

  constructor(traits: GroupTraits) {
    this.#traits = traits
  }

  // ── Records come in ───────────────────────────────────────────────────────────────────────────────────────────────

  /** A record is being published. */
  publishing(record: OutgoingRecord, sequence: number, nowMs: number): ModelEntry {
    const dueAtMs = record.dueAtMs ?? nowMs
    const isShadowed = this.#isShadowed(record, nowMs)
    const entry: ModelEntry = {
      record,
      sequence,
      standing: 'maybe',
      dueAtMs,
      joinedFromMs: Math.max(nowMs, dueAtMs),
      joinedUntilMs: Number.POSITIVE_INFINITY,
      position: undefined,
      attempts: { min: 0, max: isShadowed ? 1 : 0 },
      holds: false,
      member: undefined,
      suspect: false,
      doubted: this.#traits.suspectsYoung && isShadowed,
    }
    this.entries.push(entry)
    return entry
  }

  /** Whether what was not counted by us may have been counted by the server. */
  get #isBounded(): boolean {
    return this.#traits.countsHandOvers && this.#crashes > 0
  }

  #isShadowed({ key }: OutgoingRecord, nowMs: number): boolean {
    if (this.#isBounded) return true
    if (!this.#traits.suspectsYoung || this.#crashes === 0) return false
    const readSinceMs = key === undefined ? undefined : this.#readSinceMs.get(key)
    return readSinceMs === undefined || readSinceMs >= nowMs
  }

  /** It was confirmed. */
  published(entry: ModelEntry, nowMs: number): void {
    const waits = entry.record.dueAtMs !== undefined
    if (entry.standing === 'maybe') entry.standing = waits ? 'later' : 'ready'
    if (!waits) entry.joinedUntilMs = Math.min(entry.joinedUntilMs, nowMs)
  }

  // ── Deliveries ────────────────────────────────────────────────────────────────────────────────────────────────────

  /** A record was delivered. @returns what is wrong with that */
  delivered(received: Received): readonly string[] {
    const { record, member, attempt, receivedAtMs, position } = received
    // The same id may stand more than once; of those not seen yet any that may be delivered will do.
    const same = this.entries.filter((entry) => entry.record.id === record.id)
    const unseen = same.filter((entry) => entry.position === undefined)
    const entry =
      same.find((each) => each.position === position) ??
      unseen.find((each) => this.#mayCome(each, receivedAtMs)) ??
      same[0]
    if (entry === undefined) return [`${record.id} was delivered and never published`]
    const faults: string[] = []
    if (!this.#mayCome(entry, receivedAtMs)) faults.push(`${record.id} was delivered, it is ${this.#describe(entry)}`)
    const { min, max } = entry.attempts
    if (this.#traits.exactAttempts && (attempt < min + 1 || attempt > max + 1)) {
      faults.push(
        `${record.id} was delivered as attempt ${attempt} instead of ${min + 1}${max > min ? ` to ${max + 1}` : ''}`,
      )
    }
    for (const other of this.#sameKey(entry)) faults.push(...this.#inTheWay(other, entry, member))
    entry.standing = 'inFlight'
    entry.position = position
    entry.member = member
    entry.doubted &&= attempt - 1 < max
    entry.attempts = { min: attempt - 1, max: attempt - 1 }
    entry.joinedUntilMs = Math.min(entry.joinedUntilMs, receivedAtMs)
    const { key } = record
    if (key !== undefined && !this.#readSinceMs.has(key)) this.#readSinceMs.set(key, receivedAtMs)
    return faults
  }

  #mayCome({ standing, dueAtMs }: ModelEntry, nowMs: number): boolean {
    if (standing === 'later' || standing === 'maybe' || standing === 'returning') return dueAtMs <= nowMs
    return standing === 'ready'
  }

  #inTheWay(other: ModelEntry, entry: ModelEntry, member: string): readonly string[] {
    const what = `${entry.record.id} of key ${entry.record.key} was delivered`
    if (other.standing === 'inFlight' && other.member !== member) {
      return [`${what} to ${member} while ${other.member} had ${other.record.id}`]
    }
    if (!this.#isBefore(other, entry)) return []
    if (other.holds && other.standing !== 'done') return [`${what} while ${other.record.id} held the key`]
    if (other.standing === 'ready') return [`${what} before ${other.record.id}`]
    return []
  }

  /** Whether one record certainly joined the channel before another. */
  #isBefore(a: ModelEntry, b: ModelEntry): boolean {
    const [aWaits, bWaits] = [a.record.dueAtMs !== undefined, b.record.dueAtMs !== undefined]
    if (!aWaits && !bWaits) return a.sequence < b.sequence
    if (aWaits && bWaits) return a.joinedFromMs + this.#traits.delayPrecisionMs < b.joinedFromMs
    if (!aWaits && a.sequence < b.sequence) return true
    return a.joinedUntilMs < b.joinedFromMs
  }

  #sameKey(entry: ModelEntry): readonly ModelEntry[] {
    const { key } = entry.record
    if (!this.#traits.keyed || key === undefined) return []
    return this.entries.filter((other) => other !== entry && other.record.key === key)
  }

  /** The entry behind a delivery that is with its member. */
  inFlight({ position, member }: Received): ModelEntry | undefined {
    const isIt = (entry: ModelEntry) => entry.position === position && entry.member === member
    return this.entries.find((entry) => entry.standing === 'inFlight' && isIt(entry))
  }

  // ── Settlements ───────────────────────────────────────────────────────────────────────────────────────────────────

  /** It was acknowledged. */
  acknowledged(entry: ModelEntry): void {
    entry.standing = 'done'
    entry.holds = false
    entry.member = undefined
  }

  /** A release is under way: it may come again any time, and nothing relies on it yet. */
  releasing(entry: ModelEntry, how: { readonly counts: boolean; readonly untilMs: number }): void {
    entry.standing = 'returning'
    entry.member = undefined
    entry.dueAtMs = how.untilMs
    if (how.counts) entry.attempts = { min: entry.attempts.min + 1, max: entry.attempts.max + 1 }
    else this.#mayCount(entry)
  }

  /** Its reader leaves in order, and what it has comes back from the server. */
  left(entry: ModelEntry): void {
    if (entry.doubted) entry.attempts = { min: entry.attempts.min, max: entry.attempts.max + 1 }
  }

  #mayCount(entry: ModelEntry): void {
    if (this.#isBounded) entry.attempts = { min: entry.attempts.min, max: entry.attempts.max + 1 }
  }

  /** The release was answered. */
  released(entry: ModelEntry, how: { readonly waits: boolean; readonly holds: boolean }): void {
    if (how.holds && entry.record.key !== undefined && entry.standing !== 'done') entry.holds = true
    if (entry.standing === 'returning') entry.standing = how.waits ? 'later' : 'ready'
  }

  /**
   * A settlement came when the delivery was lost already: it has no effect, or nobody knows. The record comes again, as
   * another attempt or as the same, unless it may be done. @param before its attempts when it was handed over
   */
  tooLate(entry: ModelEntry, before: ModelEntry['attempts'], nowMs: number): void {
    entry.standing = entry.standing === 'done' ? 'maybe' : 'returning'
    entry.member = undefined
    entry.dueAtMs = nowMs
    entry.attempts = { min: before.min, max: before.max + 1 }
  }

  /**
   * What was scheduled under this id was cancelled. After a group was moved to the end of its log nobody knows whether what
   * is due has joined; what was seen has. @returns what is wrong with that
   */
  cancelled(id: string): readonly string[] {
    const entry = this.entries.find(({ record }) => record.id === id && record.dueAtMs !== undefined)
    if (entry === undefined) return []
    this.removed(entry)
    const mayHaveWaited = entry.standing === 'later' || entry.standing === 'maybe'
    return mayHaveWaited && entry.position === undefined ? [] : [`${id} was cancelled, it had come already`]
  }

  /** It was cancelled, or never was stored. */
  removed(entry: ModelEntry): void {
    this.entries.splice(this.entries.indexOf(entry), 1)
  }

  /** The group, which has no members, was moved to an end of its log. What was addressed to it alone is settled. */
  sought(to: 'earliest' | 'next', nowMs: number): void {
    this.#crashes = 0
    for (const entry of this.entries) {
      const { record, standing, position } = entry
      if (record.group !== undefined || (record.dueAtMs ?? nowMs) > nowMs) continue
      entry.attempts = { min: 0, max: 0 }
      entry.holds = false
      entry.suspect = false
      entry.doubted = false
      if (standing === 'maybe') continue
      const mayHaveToJoin = record.dueAtMs !== undefined && position === undefined
      if (mayHaveToJoin) entry.standing = to === 'earliest' ? 'later' : 'maybe'
      else entry.standing = to === 'earliest' ? 'ready' : 'done'
    }
  }

  /** Members are gone, and what they had is back. */
  returned(gone: (member: string) => boolean): void {
    for (const entry of this.entries) {
      if (entry.standing !== 'inFlight' || entry.member === undefined || !gone(entry.member)) continue
      this.#mayCount(entry)
      this.left(entry)
      entry.standing = 'ready'
      entry.member = undefined
    }
  }

  /** It is not its member's any more, and comes again: as another attempt, unless to the same process. */
  lost(received: Received): void {
    const entry = this.inFlight(received)
    if (entry === undefined) return
    const { min, max } = entry.attempts
    entry.attempts = { min, max: max + 1 }
    entry.standing = 'ready'
    entry.member = undefined
  }

  /** The process was killed. What was handed over counts; what was about to be may. */
  crashed(): void {
    this.#crashes += 1
    this.#readSinceMs.clear()
    for (const entry of this.entries) {
      const { min, max } = entry.attempts
      if (entry.standing === 'done') continue
      entry.suspect = true
      entry.attempts = { min: entry.standing === 'inFlight' ? min + 1 : min, max: max + 1 }
    }
    this.returned(() => true)
    for (const entry of this.entries) entry.doubted = this.#traits.suspectsYoung && entry.standing !== 'done'
  }

  // ── Debts ─────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** A record that must be delivered before long, given the members of the group; undefined when all is quiet. */
  owed(members: readonly MemberState[], nowMs: number): ModelEntry | undefined {
    this.#watchMoves(members)
    if (this.watches) return undefined
    if (this.#traits.ranges && !this.#isEveryRangeServed(members)) return undefined
    return this.entries.find((entry) => {
      const due = entry.standing === 'ready' || (entry.standing === 'later' && entry.dueAtMs <= nowMs)
      if (!due) return false
      const others = this.#sameKey(entry)
      if (others.some((other) => other.holds && other.standing !== 'done' && !this.#isBefore(entry, other)))
        return false
      const holder = others.find(({ standing }) => standing === 'inFlight')?.member
      return members.some(({ name, credit }) => credit > 0 && (holder === undefined || holder === name))
    })
  }

  /** Whether something may run that is watched alone. */
  get watches(): boolean {
    return this.entries.some(({ suspect, standing }) => suspect && standing === 'inFlight')
  }

  get #isIdle(): boolean {
    return this.entries.every(({ standing }) => standing !== 'inFlight')
  }

  /** A range that was taken back for another member moves when what is in hand of it has ended, also if that one has left. */
  #watchMoves(members: readonly MemberState[]): void {
    const names = members.map(({ name }) => name).join()
    if (this.#isIdle || this.#members === '') this.#isMoving = false
    else if (names !== this.#members) this.#isMoving = true
    this.#members = names
  }

  /**
   * Whether each key range has a reader with credit, whoever reads it. A range that goes to another member waits for what
   * its reader has of it, and what has ended two processes for all that is in hand.
   */
  #isEveryRangeServed(members: readonly MemberState[]): boolean {
    if (members.some(({ credit }) => credit === 0)) return false
    return this.#isIdle || (members.length === 1 && this.#crashes < 2 && !this.#isMoving)
  }

  /** What was confirmed and is not settled. */
  outstanding(): readonly ModelEntry[] {
    return this.entries.filter(({ standing }) => standing !== 'done' && standing !== 'maybe')
  }

  /** How many records may or may not be there. */
  uncertain(): number {
    return this.entries.filter(({ standing }) => standing === 'maybe').length
  }

  #describe({ standing, member, dueAtMs }: ModelEntry): string {
    if (standing === 'inFlight') return `with ${member}`
    if (standing === 'done') return 'settled'
    return `not due before ${dueAtMs}`
  }
}
