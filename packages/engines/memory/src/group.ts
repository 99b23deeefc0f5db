import { type DeliveryTag, RenewingMap } from '@posthaste/contracts'
import type { Agenda } from './agenda.ts'
import type { Entry, Stored } from './entry.ts'
import { Heap } from './heap.ts'
import { type Isolation, suspectFrom } from './isolation.ts'
import { Lane } from './lane.ts'
import type { Member } from './member.ts'

/** What a group needs from what is around it. */
export interface GroupSurroundings {
  readonly agenda: Agenda
  readonly isolation: Isolation
  /** Asks for a `dispatch` soon, never at once. */
  wake(group: Group): void
  /** The group is done with a record. */
  settled(stored: Stored): void
  /** The last member of a temporary group has left it. */
  deserted(group: Group): void
}

/** How a record goes back to its group. */
export interface Return {
  readonly countsAttempt: boolean
  /** The attempt ended with its member. */
  readonly vanished?: boolean
  readonly holdKey: boolean
  /** Undefined: at once. */
  readonly visibleAtMs: number | undefined
}

const handBack: Return = { countsAttempt: false, holdKey: false, visibleAtMs: undefined }
const vanished: Return = { countsAttempt: true, vanished: true, holdKey: false, visibleAtMs: undefined }

/**
 * Who shares the work of a channel, and how far they are. Records stand in one lane per key; lanes with something to
 * hand over take turns in channel order, and a lane whose key is held or busy elsewhere costs the others nothing.
 */
export class Group {
  readonly name: string
  readonly lifetime: 'durable' | 'temporary'
  readonly members: Member[] = []
  readonly #surroundings: GroupSurroundings
  #lanes = new RenewingMap<string | undefined, Lane>()
  readonly #turns = new Heap<Lane>((a, b) => a.turn < b.turn)
  /** Lanes whose owner had no credit when their turn came. */
  readonly #starved = new Map<Member, Set<Lane>>()
  /** The credit of all members together. */
  #credit = 0
  #nextMember = 0
  /** Records not settled yet. */
  readonly #unsettled = new RenewingMap<Entry, Entry>()
  /** Of these, how many wait for their time. */
  #waiting = 0
  #inFlight = 0

  constructor({ name, lifetime }: Pick<Group, 'name' | 'lifetime'>, surroundings: GroupSurroundings) {
    this.name = name
    this.lifetime = lifetime
    this.#surroundings = surroundings
  }

  // ── Records come in ───────────────────────────────────────────────────────────────────────────────────────────────

  /** A record the group is to see. */
  add(stored: Stored): Entry {
    const entry: Entry = { stored, attempts: 0, vanished: 0, appointment: undefined, inFlight: false }
    stored.neededBy += 1
    this.#unsettled.set(entry, entry)
    this.#enter(entry)
    return entry
  }

  #enter(entry: Entry): void {
    const lane = this.#laneOf(entry)
    lane.ready.push(entry)
    this.#offer(lane)
  }

  #wait(entry: Entry, untilMs: number): void {
    this.#waiting += 1
    entry.appointment = this.#surroundings.agenda.add(untilMs, () => {
      this.#endWait(entry)
      this.#enter(entry)
    })
  }

  #endWait(entry: Entry): void {
    entry.appointment = undefined
    this.#waiting -= 1
  }

  // ── Members come and go ───────────────────────────────────────────────────────────────────────────────────────────

  join(member: Member): void {
    this.members.push(member)
  }

  grant(member: Member, credit: number): void {
    member.credit += credit
    this.#credit += credit
    for (const lane of this.#starved.get(member) ?? []) this.#offer(lane)
    this.#starved.delete(member)
    this.#surroundings.wake(this)
  }

  /** Takes a member out and its deliveries back; `vanished` counts them as attempts. */
  leave(member: Member, how: 'handBack' | 'vanished'): void {
    if (!member.active) return
    member.active = false
    this.members.splice(this.members.indexOf(member), 1)
    this.#credit -= member.credit
    this.#starved.delete(member)
    for (const tag of member.inFlight.serials()) this.release(member, tag, how === 'vanished' ? vanished : handBack)
    if (this.lifetime === 'temporary' && this.members.length === 0) this.#surroundings.deserted(this)
  }

  // ── Hand-over ─────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Hot path: hands over what credit allows, lane by lane, and delivers one batch to each member. */
  dispatch(failed: (member: Member, thrown: unknown) => void): void {
    while (this.#credit > 0) {
      const lane = this.#turns.pop()
      if (lane === undefined) break
      lane.queued = false
      const entry = lane.next()
      if (entry === undefined) continue
      const member = lane.owner ?? this.#memberWithCredit()
      if (member.credit === 0) {
        this.#starve(lane, member)
        continue
      }
      const isRefused = member.filter?.accepts(entry.stored.record) === false
      if (!isRefused && entry.vanished >= suspectFrom && !this.#mayBeWatched(entry, lane)) continue
      lane.ready.pop()
      if (isRefused) {
        this.#pass(entry, lane)
        continue
      }
      this.#handOver(entry, lane, member)
      this.#offer(lane)
    }
    for (const member of [...this.members]) {
      try {
        member.flush()
      } catch (thrown) {
        failed(member, thrown)
      }
    }
  }

  /** Whether no other suspect is in hand; if one is, the lane goes on when that is over. */
  #mayBeWatched(entry: Entry, lane: Lane): boolean {
    return this.#surroundings.isolation.take(entry, () => this.#offer(lane))
  }

  /** Settles a record that nobody wants: the filter is that of the member whose turn it was. */
  #pass(entry: Entry, lane: Lane): void {
    lane.unhold(entry)
    this.#vacate(lane)
    this.#forget(entry)
  }

  #starve(lane: Lane, owner: Member): void {
    const others = this.#starved.get(owner)
    if (others === undefined) this.#starved.set(owner, new Set([lane]))
    else others.add(lane)
  }

  #handOver(entry: Entry, lane: Lane, member: Member): void {
    lane.inFlight += 1
    if (lane.key !== undefined) lane.owner = member
    entry.inFlight = true
    this.#inFlight += 1
    this.#credit -= 1
    member.take(entry)
  }

  /** The members in turn, but for those without credit. Somebody has some. */
  #memberWithCredit(): Member {
    for (;;) {
      this.#nextMember = (this.#nextMember + 1) % this.members.length
      const member = this.members[this.#nextMember] as Member
      if (member.credit > 0) return member
    }
  }

  // ── Settlement ────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Ends a delivery for good. @returns false when the member does not have it (any more) */
  acknowledge(member: Member, tag: DeliveryTag): boolean {
    const entry = member.inFlight.get(tag)
    if (entry === undefined) return false
    const lane = this.#laneOf(entry)
    lane.unhold(entry)
    this.#takeBack(member, tag, entry)
    this.#vacate(lane)
    this.#forget(entry)
    return true
  }

  /** Gives a delivery back. @returns false when the member does not have it (any more) */
  release(member: Member, tag: DeliveryTag, how: Return): boolean {
    const entry = member.inFlight.get(tag)
    if (entry === undefined) return false
    const lane = this.#laneOf(entry)
    if (how.countsAttempt) entry.attempts += 1
    if (how.vanished === true) entry.vanished += 1
    if (how.holdKey) lane.hold(entry)
    this.#takeBack(member, tag, entry)
    if (how.visibleAtMs === undefined) lane.ready.push(entry)
    else this.#wait(entry, how.visibleAtMs)
    this.#vacate(lane)
    return true
  }

  /** Takes out a record that is not in flight. */
  withdraw(entry: Entry): void {
    const lane = this.#laneOf(entry)
    if (entry.appointment === undefined) {
      lane.ready.remove(entry)
    } else {
      this.#surroundings.agenda.remove(entry.appointment)
      this.#endWait(entry)
    }
    lane.unhold(entry)
    this.#vacate(lane)
    this.#forget(entry)
  }

  /** Is done with everything, settled or not; for a group without members. */
  clear(): void {
    const appointments = [...this.#unsettled.entries()].map(([{ appointment }]) => appointment)
    this.#surroundings.agenda.removeAll(new Set(appointments.filter((each) => each !== undefined)))
    this.#lanes = new RenewingMap()
    this.#turns.clear()
    this.#waiting = 0
    for (const [entry] of this.#unsettled.entries()) this.#forget(entry)
  }

  #takeBack(member: Member, tag: DeliveryTag, entry: Entry): void {
    member.inFlight.delete(tag)
    entry.inFlight = false
    this.#inFlight -= 1
    const lane = this.#laneOf(entry)
    lane.inFlight -= 1
    if (lane.inFlight === 0) lane.owner = undefined
    if (entry.vanished >= suspectFrom) this.#surroundings.isolation.release(entry)
  }

  #forget(entry: Entry): void {
    this.#unsettled.delete(entry)
    this.#surroundings.settled(entry.stored)
  }

  // ── Lanes ─────────────────────────────────────────────────────────────────────────────────────────────────────────

  #laneOf(entry: Entry): Lane {
    const { key } = entry.stored
    let lane = this.#lanes.get(key)
    if (lane === undefined) {
      lane = new Lane(key)
      this.#lanes.set(key, lane)
    }
    return lane
  }

  /** Something ended in a lane: it goes on, or away. */
  #vacate(lane: Lane): void {
    if (lane.idle) this.#lanes.delete(lane.key)
    else this.#offer(lane)
  }

  /** Queues a lane that has something to hand over. */
  #offer(lane: Lane): void {
    if (lane.queued) return
    const entry = lane.next()
    if (entry === undefined) return
    lane.queued = true
    lane.turn = entry.stored.rank
    this.#turns.push(lane)
    this.#surroundings.wake(this)
  }

  // ── Figures ───────────────────────────────────────────────────────────────────────────────────────────────────────

  figures(): { readonly ready: number; readonly waiting: number; readonly inFlight: number } {
    let waiting = this.#waiting
    for (const [, lane] of this.#lanes.entries()) waiting += lane.waitingCount()
    return { ready: this.#unsettled.size - waiting, waiting, inFlight: this.#inFlight }
  }
}
