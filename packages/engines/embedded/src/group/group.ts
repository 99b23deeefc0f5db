import type { Lag, OutgoingRecord, RecordFilter, ReleaseSettlement } from '@posthaste/contracts'
import type { Block } from '../log/block.ts'
import type { Cursor } from '../log/cursor.ts'
import { Bound } from './bound.ts'
import { type GivenBack, type HeldDelivery, handedBack, type Place, released } from './delivery.ts'
import { DueQueue } from './due-queue.ts'
import { Entry, type InOrder, type Origin, orderOf } from './entry.ts'
import { EntryRows } from './entry-rows.ts'
import type { GroupContext } from './group-context.ts'
import { KeyGate } from './key-gate.ts'
import type { Lane, LaneCursors } from './lane.ts'
import { Lanes } from './lanes.ts'
import type { Member } from './member.ts'
import { Roster } from './roster.ts'
import type { Source } from './source.ts'

/** Refused records settled in one go: a backlog that nobody wants must let others have their turns. */
const refusedMax = 2_048

/**
 * A group: what it has settled, what waits, and who works. Everything it decides it decides in memory, synchronously;
 * what must outlive the process goes into the next transaction, and what must be durable first waits for it.
 *
 * The order of a key rests on three things: logs are read in order; what was read and could not be delivered is `ready` in
 * its lane and goes before anything new; and the gate keeps back what must wait for another record of its key.
 */
export class Group {
  readonly channel: string
  readonly name: string
  readonly #context: GroupContext
  readonly #lanes = new Lanes()
  readonly #roster = new Roster()
  #gate = new KeyGate<Member>()
  readonly #due: DueQueue<Entry>
  readonly #rows: EntryRows
  readonly #bound: Bound
  #inFlight = 0
  #alone: Entry | undefined
  #scheduled = false
  /** That of the newest member; undefined: all is wanted. */
  #filter: RecordFilter | undefined
  /** Records refused since it was last looked for work. */
  #refused = 0

  constructor(identity: { channel: string; name: string }, context: GroupContext) {
    this.channel = identity.channel
    this.name = identity.name
    this.#context = context
    const { channel, name: group } = identity
    this.#bound = new Bound((held, full) => context.onFull({ channel, group, held, full }))
    this.#rows = new EntryRows(context.committer, () => this.#pump())
    this.#due = new DueQueue(context.clock, (entries) => {
      for (const entry of entries) this.#becomeDue(entry)
    })
  }

  /**
   * Lets the group read logs, those of the highest level of priority first. Entries of an earlier process close their keys
   * before anything is read, and take their turn when it is: records before them that have none may have been in hand when
   * that process died.
   */
  attach(cursors: LaneCursors): void {
    const lane = this.#lanes.add(cursors)
    this.#follow(lane, lane.channel)
    this.#follow(lane, lane.returns)
  }

  /**
   * Lets the group read the channel from other places on, those of the highest level of priority first. What it knew of the
   * channel's records is forgotten; what is addressed to it alone stays as it was. Only while it has no members.
   */
  moveTo(cursors: readonly Cursor[]): void {
    this.#gate = new KeyGate()
    this.#due.clear()
    for (const [turn, lane] of [...this.#lanes].entries()) {
      lane.channel.detach()
      lane.begin(cursors[turn]!)
      this.#follow(lane, lane.channel)
      lane.channel.cursor.log.floorMoved()
      for (const entry of lane.returns.entries.values())
        if (!this.#awaits(entry) && !entry.isUnread) this.#makeReady(entry)
    }
  }

  /** Whether an entry waits for its time. It closes its key if it did. */
  #awaits(entry: Entry): boolean {
    if (entry.hold && entry.key !== undefined) this.#gate.close(entry.key, entry)
    if (entry.dueAtMs > this.#context.clock.nowMs()) this.#due.add(entry.dueAtMs, entry)
    else entry.dueAtMs = 0
    return entry.dueAtMs > 0
  }

  #follow(lane: Lane, source: Source): void {
    source.restore(this.#context.store)
    for (const entry of source.entries.values()) this.#awaits(entry)
    const { cursor } = source
    cursor.onGap = (end) => {
      for (const entry of [...source.entries.values()]) if (entry.offset < end && entry.isUnread) this.#forget(entry)
    }
    // What was just settled comes back as credit: claiming for it in the same commit spares the members another one.
    cursor.claimTarget = () => {
      const wanted = Math.max(0, this.#roster.credit + this.#roster.owed - this.#lanes.unreadAbove(lane))
      return this.#filter === undefined ? source.position + wanted : source.reach(wanted, this.#filter)
    }
    cursor.onClaimed = () => this.schedule()
    source.attach({
      isAwake: () => this.hasMembers,
      appending: () => this.#appending(lane),
      // Not at once: what belongs before it may be committed with it, and the claim on it is.
      appended: () => this.schedule(),
    })
  }

  #appending({ channel, returns }: Lane): void {
    if (this.#roster.credit === 0) return
    channel.cursor.touch()
    returns.cursor.touch()
  }

  // ── Members ───────────────────────────────────────────────────────────────────────────────────────────────────────

  get hasMembers(): boolean {
    return this.#roster.size > 0
  }

  join(member: Member): void {
    this.#roster.add(member)
    this.#filter = member.filter
    if (this.#roster.size > 1) this.#gate.share(this.#roster.keysInHand())
  }

  /** A member can take more. */
  granted(member: Member): void {
    for (const entry of this.#gate.feed(member)) this.#makeReady(entry)
    this.schedule()
  }

  /** A member is gone: what it had in hand is handed back, uncounted unless it has vanished. */
  leave(member: Member, back: (delivery: HeldDelivery) => GivenBack = handedBack): void {
    if (!this.#roster.remove(member)) return
    this.#filter = this.#roster.newest?.filter
    for (const entry of this.#gate.feed(member)) this.#makeReady(entry)
    for (const delivery of member.takeAll()) this.#giveBack(delivery, back(delivery))
    if (this.#roster.size === 0) this.#unmark()
    this.schedule()
  }

  /** Hand-overs that were prepared for members that are gone. */
  #unmark(): void {
    for (const entry of this.#rows.unmarkAll()) this.#makeReady(entry)
    this.#endWatch()
  }

  /** Looks for work in a microtask; called when credit or work has come. */
  schedule(): void {
    if (this.#scheduled) return
    this.#scheduled = true
    queueMicrotask(() => {
      this.#scheduled = false
      this.#pump()
    })
  }

  // ── Settling ──────────────────────────────────────────────────────────────────────────────────────────────────────

  /** The record is done with. Hot path. */
  ack(delivery: HeldDelivery): void {
    this.#putBack(delivery)
    delivery.source.cursor.settle(delivery.segment, delivery.offset)
    if (delivery.entry !== undefined) this.#forget(delivery.entry)
    if (this.#bound.reached) this.schedule()
  }

  /** The record goes back to the group. */
  release(delivery: HeldDelivery, settlement: Omit<ReleaseSettlement, 'tag'>): void {
    this.#giveBack(delivery, released(delivery, settlement))
  }

  #giveBack(delivery: HeldDelivery, { failed, crashes, visibleAtMs, hold }: GivenBack): void {
    this.#putBack(delivery)
    const { record } = delivery
    const entry = delivery.entry ?? this.#entryAt(delivery, record.key)
    entry.failed = failed
    entry.crashes = crashes
    entry.inHand = false
    const waits = visibleAtMs > this.#context.clock.nowMs()
    entry.dueAtMs = waits ? visibleAtMs : 0
    entry.record = waits || !delivery.isWhole ? undefined : record
    if (hold && record.key !== undefined) {
      entry.hold = true
      this.#gate.close(record.key, entry)
    }
    // A hand-back has a row, too: after a crash that alone tells it from what was in hand.
    this.#rows.change(entry)
    // Those behind it that were about to be handed over must not be before it.
    for (const later of this.#rows.unmarkKey(record.key)) this.#makeReady(later)
    if (waits) this.#due.add(visibleAtMs, entry)
    else this.#makeReady(entry)
  }

  #putBack(delivery: HeldDelivery): void {
    this.#inFlight--
    if (delivery.entry !== undefined && delivery.entry === this.#alone) this.#endAlone()
    const { key } = delivery.record
    if (key === undefined || this.#gate.open) return
    const freed = this.#gate.putBack(key)
    for (const entry of freed) this.#makeReady(entry)
  }

  #endAlone(): void {
    this.#alone = undefined
    this.#context.isolation.release(this)
    this.schedule()
  }

  #entryAt({ source, offset, behind }: Pick<Place, 'source' | 'offset' | 'behind'>, key: string | undefined): Entry {
    const entry = new Entry(source, { order: orderOf(source, offset, behind), offset, key })
    source.entries.set(offset, entry)
    return entry
  }

  #forget(entry: Entry): void {
    entry.source.entries.delete(entry.offset)
    this.#rows.remove(entry)
    if (entry === this.#alone) this.#endAlone()
    if (!entry.hold || entry.key === undefined) return
    for (const freed of this.#gate.reopen(entry.key, entry)) this.#makeReady(freed)
  }

  /** Its time has come; if the reader has not, that will find it. */
  #becomeDue(entry: Entry): void {
    entry.dueAtMs = 0
    if (!entry.isUnread) this.#makeReady(entry)
  }

  #makeReady(entry: Entry): void {
    this.#lanes.of(entry).makeReady(entry)
    this.schedule()
  }

  // ── Handing over ──────────────────────────────────────────────────────────────────────────────────────────────────

  #pump(): void {
    if (this.#roster.size === 0 || this.#context.failed()) return
    this.#refused = 0
    this.#deliverMarked()
    for (const lane of this.#lanes) {
      if (this.#mayGoOn()) this.#deliverReady(lane)
      if (this.#mayGoOn() && lane.readyCount === 0) this.#readAll(lane)
      if (!lane.isExhausted) break
    }
    this.#roster.flush()
    this.#endWatch()
    if (this.#refused >= refusedMax) setImmediate(() => this.schedule())
  }

  /** Lets other groups watch their suspects, unless one of this group is in hand or about to be. */
  #endWatch(): void {
    if (this.#alone === undefined && !this.#rows.hasSuspect) this.#context.isolation.release(this)
  }

  /** While hand-overs are being made durable, or one record is watched alone, nothing else may overtake. */
  #mayGoOn(): boolean {
    return this.#alone === undefined && !this.#rows.pending
  }

  #deliverMarked(): void {
    for (let entry = this.#rows.firstMarked(); entry !== undefined; entry = this.#rows.firstMarked()) {
      if (this.#waitsForKey(entry.key, entry)) {
        this.#rows.shiftMarked()
        this.#rows.unmark(entry)
        this.#gate.enqueue(entry.key!, entry)
        continue
      }
      const member = this.#memberFor(entry.key)
      if (member === undefined) return
      this.#rows.shiftMarked()
      if (entry.isolated) this.#alone = entry
      this.#deliverEntry(member, entry)
    }
  }

  #deliverReady(lane: Lane): void {
    const { ready } = lane
    const { credit } = this.#roster
    let taken = 0
    while (taken < ready.length && this.#rows.marking < credit) {
      const entry = ready[taken]!
      if (entry.source.cursor.isSettled(entry.offset)) {
        this.#forget(entry)
        taken++
        continue
      }
      if (this.#waitsForKey(entry.key, entry)) {
        entry.record = undefined
        this.#gate.enqueue(entry.key!, entry)
      } else if (entry.isolated) {
        // What is in hand may take its time; only nothing new is handed over beside it.
        if (this.#rows.marking > 0 || !this.#context.isolation.take(this)) break
        this.#rows.mark(entry)
        taken++
        break
      } else if (entry.needsMark) this.#rows.mark(entry)
      else {
        const member = this.#rows.marking > 0 ? undefined : this.#memberFor(entry.key)
        if (member === undefined) break
        this.#deliverEntry(member, entry)
      }
      taken++
    }
    lane.shiftReady(taken)
  }

  #deliverEntry(member: Member, entry: Entry): void {
    const { source, offset } = entry
    const block = source.cursor.log.blockOf(offset)
    const record = entry.record ?? block?.record(offset - block.first)
    if (block === undefined || record === undefined) {
      this.#quarantine(source, block, offset)
      return
    }
    if (this.#filter?.accepts(record) === false) {
      this.#forget(entry)
      source.cursor.settle(source.cursor.segmentOf(block), offset)
      return
    }
    entry.record = undefined
    if (!entry.needsMark) source.entries.delete(offset)
    const { storedAtMs, behind } = block
    const place = { source, segment: source.cursor.segmentOf(block), offset, storedAtMs, behind }
    this.#deliver(member, record, { place, entry: entry.needsMark ? entry : undefined })
  }

  #deliver(member: Member, record: OutgoingRecord, from: { place: Place; entry: Entry | undefined }): void {
    this.#inFlight++
    if (record.key !== undefined) this.#gate.take(record.key, member)
    member.hand(record, from)
  }

  /** The member whose turn it is, or the one that has this key in hand; undefined if it can take nothing now. */
  #memberFor(key: string | undefined): Member | undefined {
    const owner = key === undefined ? undefined : this.#gate.ownerOf(key)
    if (owner !== undefined) return owner.credit > 0 ? owner : undefined
    return this.#roster.next()
  }

  /** Reads the channel, and what is addressed to the group in its place between the channel's own records. */
  #readAll(lane: Lane): void {
    const { channel, returns } = lane
    for (;;) {
      const next = returns.nextOrder()
      this.#read(lane, channel, next)
      const at = orderOf(channel, channel.position, 0)
      if (next > at || lane.readyCount > 0) return
      this.#read(lane, returns, at)
      if (returns.nextOrder() === next) return
    }
  }

  /** Hands over what was never handed over before, up to a place in the order. Hot path. */
  #read(lane: Lane, source: Source, before: number): void {
    const { cursor } = source
    let { credit } = this.#roster
    while (credit > lane.readyCount && !this.#isFull() && source.advance()) {
      const { block, segment } = source
      const { first, count, storedAtMs, behind } = block!
      for (; source.index < count && credit > lane.readyCount; source.index++) {
        const offset = first + source.index
        if (orderOf(source, offset, behind) >= before) return
        if (this.#filter !== undefined && this.#isRefused(source, offset)) {
          if (++this.#refused >= refusedMax) return
          continue
        }
        // Neither is handed over here, so neither needs a claim.
        if (segment!.has(offset) || (source.entries.size > 0 && this.#meet(source.entries.get(offset)))) continue
        if (offset >= cursor.durableClaim) {
          cursor.touch()
          return
        }
        const record = block!.record(source.index)
        if (record === undefined) {
          this.#quarantine(source, block, offset)
          continue
        }
        if (this.#mustWait({ source, offset, behind }, record)) continue
        // What was read before it and must be marked goes before it.
        if (lane.readyCount > 0) return
        const member = this.#memberFor(record.key)
        if (member === undefined) return
        const place = { source, segment: segment!, offset, storedAtMs, behind }
        this.#deliver(member, record, { place, entry: undefined })
        credit--
      }
      if (this.#isFull()) return
    }
    const unclaimed = this.#roster.credit - (cursor.durableClaim - source.position)
    if (cursor.durableClaim < cursor.log.committedEnd && unclaimed > 0) cursor.touch()
  }

  /** Settles a record that no member takes; nobody is given it, so that nothing need be claimed. */
  #isRefused({ cursor, entries, block, segment, index }: Source, offset: number): boolean {
    if (segment!.has(offset) || entries.has(offset)) return false
    const record = block!.record(index)
    if (record === undefined || this.#filter!.accepts(record)) return false
    cursor.settle(segment!, offset)
    return true
  }

  /** The reader comes to a record that an earlier process knew; false if there is none. */
  #meet(entry: Entry | undefined): boolean {
    if (entry === undefined) return false
    // Otherwise it stands in the due queue, which brings it: never both.
    if (entry.dueAtMs === 0) this.#makeReady(entry)
    return true
  }

  /** Whether a record that was just read cannot be handed over at once; it then has an entry. */
  #mustWait(place: Pick<Place, 'source' | 'offset' | 'behind'>, record: OutgoingRecord): boolean {
    const { key } = record
    const order = orderOf(place.source, place.offset, place.behind)
    const waits = !this.#gate.open && this.#waitsForKey(key, { order, offset: place.offset })
    const suspect = place.source.cursor.isSuspect(place.offset)
    if (!waits && !suspect) return false
    const entry = this.#entryAt(place, key)
    if (suspect) {
      entry.failed = 1
      entry.crashes = 1
      this.#rows.change(entry)
    }
    if (waits) this.#gate.enqueue(key!, entry)
    else {
      entry.record = record
      this.#makeReady(entry)
    }
    return true
  }

  /**
   * Whether a record cannot be handed over because of its key: a record before it holds it, or the member that has it in
   * hand can take nothing now. Later ones cannot overtake, since what waits for a member goes first when that takes again.
   */
  #waitsForKey(key: string | undefined, place: InOrder): boolean {
    if (key === undefined || this.#gate.open) return false
    if (this.#gate.isClosed(key, place)) return true
    const owner = this.#gate.ownerOf(key)
    return owner !== undefined && owner.credit <= 0
  }

  /** Records that are held in memory, in hand or waiting, are bounded; at the bound nothing new is read. */
  #isFull(): boolean {
    return this.#bound.isFullAt(this.#inFlight + this.#lanes.readyCount + this.#gate.waiting + this.#due.size)
  }

  #quarantine(source: Origin, block: Block | undefined, offset: number): void {
    this.#context.onDamaged(source.cursor.log, offset)
    const entry = source.entries.get(offset)
    if (entry !== undefined) this.#forget(entry)
    if (block !== undefined) source.cursor.settle(source.cursor.segmentOf(block), offset)
    else source.cursor.settleLost(offset)
  }

  /** Whether a record of the channel is being handled, or about to be. */
  isInHand(cursor: Cursor, offset: number): boolean {
    const source = this.#lanes.sourceOf(cursor)
    if (source.entries.get(offset)?.inHand) return true
    return this.#roster.holds((held) => held.source === source && held.offset === offset)
  }

  /** Settles a record of the channel that nobody has in hand, wherever it waits. */
  withdraw(cursor: Cursor, block: Block, offset: number): void {
    const entry = this.#lanes.sourceOf(cursor).entries.get(offset)
    if (entry !== undefined) this.#forget(entry)
    cursor.settle(cursor.segmentOf(block), offset)
  }

  // ── Figures and end ───────────────────────────────────────────────────────────────────────────────────────────────

  lag(): Lag {
    let unsettled = 0
    for (const { cursor } of this.#lanes.sources()) unsettled += cursor.unsettled
    let waiting = this.#due.size + this.#gate.waiting
    for (const { ready } of this.#lanes) for (const entry of ready) if (this.#waitsForKey(entry.key, entry)) waiting++
    return { ready: Math.max(0, unsettled - waiting), waiting, inFlight: this.#inFlight }
  }

  /** Nothing is in anybody's hands any more: what is unsettled was not lost to a crash. */
  close(): void {
    this.#unmark()
    this.#due.clear()
    for (const { cursor } of this.#lanes.sources()) cursor.disclaim()
  }

  /** The group is no more, and holds nothing of the channel's log back. */
  end(): void {
    this.close()
    for (const source of this.#lanes.sources()) source.detach()
    for (const { channel } of this.#lanes) channel.cursor.log.floorMoved()
  }
}
