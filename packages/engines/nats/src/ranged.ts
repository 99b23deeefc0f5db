import {
  type DeliveryTag,
  type EngineSubscription,
  type KeyRangeControl,
  type NoteChange,
  type Outcome,
  type OutgoingRecord,
  PosthasteError,
  type ReleaseSettlement,
  SerialTable,
  type Settlement,
  succeeded,
} from '@posthaste/contracts'
import { ackKinds, tell } from './acks.ts'
import { Claims } from './claims.ts'
import type { Membership, SubscriptionSurroundings } from './competing.ts'
import { errorFrom, failed, lost } from './errors.ts'
import type { Incoming } from './incoming.ts'
import type { Names } from './names.ts'
import { RangeReader } from './range-reader.ts'
import type { Sessions } from './sessions.ts'
import { SettlementBatch, UnderWay } from './settling.ts'

/** What a subscription with ranges needs beyond one without. */
export interface RangedSurroundings extends SubscriptionSurroundings {
  readonly sessions: Sessions
  readonly names: Names
  readonly member: string
}

const rangeIsLost: Outcome = failed(lost('the key range is not (any more) read by this member'))

/** A member of a group of a keyed channel: it reads the ranges that it owns, each in order. */
export class RangedSubscription implements EngineSubscription {
  readonly ranges: KeyRangeControl
  readonly #surroundings: RangedSurroundings
  readonly #membership: Membership
  readonly #claims: Claims
  readonly #readers = new Map<number, RangeReader>()
  readonly #held = new SerialTable<Incoming>()
  readonly #underWay = new UnderWay()
  /** Notes of a range whose publications are under way: later ones wait behind them. */
  readonly #noting = new Map<number, Promise<unknown>>()
  /** Ranges on their way back: a lease that is renewed meanwhile does not begin them anew. */
  readonly #givingUp = new Set<number>()
  #credit = 0
  #nextTag = 1
  #isDispatching = false
  #stopping: Promise<void> | undefined

  constructor(membership: Membership, surroundings: RangedSurroundings) {
    this.#membership = membership
    this.#surroundings = surroundings
    const { channel, group } = membership
    const { member } = surroundings
    this.#claims = new Claims(
      { channel: channel.spec.name, group, member, keyRanges: channel.keyRanges },
      {
        onGranted: (range, quietMs) => this.#read(range, quietMs),
        onRecalled: (range) => this.#recall(range),
        onTaken: (range) => this.#revoke(range, 'the key range belongs to another member by now'),
      },
      surroundings,
    )
    this.ranges = {
      pause: (range) => this.#pause(range, true),
      resume: (range) => this.#pause(range, false),
      note: (range, changes, publish) => this.#note(Number(range), changes, publish),
      giveUp: (range) => this.#giveUp(Number(range)),
    }
  }

  /** How many records were fetched and wait for credit. */
  get fetchedAhead(): number {
    let ahead = 0
    for (const { fetchedAhead } of this.#readers.values()) ahead += fetchedAhead
    return ahead
  }

  /** Becomes a member; ranges come by and by. */
  async open(): Promise<void> {
    await this.#claims.open()
  }

  grant(credit: number): void {
    this.#credit += credit
    this.#dispatchSoon()
  }

  settle(batch: readonly Settlement[]): Promise<readonly Outcome[]> {
    const { link, publisher } = this.#surroundings
    const holder = {
      link,
      publisher,
      held: (tag: DeliveryTag) => this.#heldBy(tag),
      settled: (held: Incoming) => this.#settled(held),
      release: (held: Incoming, settlement: ReleaseSettlement) => this.#release(held, settlement),
    }
    return this.#underWay.run(() => new SettlementBatch(holder, batch).run())
  }

  async extend(tags: readonly DeliveryTag[]): Promise<void> {
    const replies = new Map<string | undefined, string[]>()
    for (const tag of tags) {
      const held = this.#held.get(tag)
      if (held === undefined) continue
      const some = replies.get(held.range)
      if (some === undefined) replies.set(held.range, [held.reply])
      else some.push(held.reply)
    }
    const { link } = this.#surroundings
    await Promise.all([...replies.values()].map((some) => tell(link, ackKinds.inProgress, some)))
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#stop()
    return this.#stopping
  }

  async #stop(): Promise<void> {
    this.#claims.retire()
    for (const reader of this.#readers.values()) reader.isRecalled = true
    await this.#underWay.ended()
    await Promise.all([...this.#readers.keys()].map((range) => this.#giveUp(range)))
    await this.#claims.close()
    await this.#surroundings.onStopped(this)
  }

  /** The subscription ended by itself. */
  #end(cause: PosthasteError): void {
    if (this.#stopping !== undefined) return
    for (const reader of this.#readers.values()) reader.abandon()
    this.#readers.clear()
    this.#held.clear()
    this.#stopping = this.#claims.close().then(() => this.#surroundings.onStopped(this))
    this.#membership.sink.closed(cause)
  }

  // ── Ranges ────────────────────────────────────────────────────────────────────────────────────────────────────────

  #read(range: number, quietMs: number): void {
    if (this.#stopping !== undefined || this.#readers.has(range) || this.#givingUp.has(range)) return
    const { channel, group, sink } = this.#membership
    const { link, time, names } = this.#surroundings
    const spec = {
      channel: channel.spec.name,
      group,
      range,
      stream: channel.names.stream,
      consumer: names.consumer(group, range),
      of: channel,
      bucket: names.notes,
    }
    const reader = new RangeReader(spec, quietMs, {
      link,
      time,
      owns: (each) => this.#claims.owns(each),
      onAssigned: (each, notes) => {
        if (this.#stopping === undefined) sink.ranges?.assigned(String(each), notes)
      },
      onReady: () => this.#dispatchSoon(),
      onGone: (cause) => this.#end(cause),
      nextTag: () => this.#nextTag++,
    })
    this.#readers.set(range, reader)
  }

  #recall(range: number): void {
    const reader = this.#readers.get(range)
    if (reader === undefined || this.#stopping !== undefined) return
    reader.isRecalled = true
    const { sink } = this.#membership
    if (!reader.isAssigned || sink.ranges === undefined) {
      void this.#giveUp(range).catch(() => {})
      return
    }
    // What runs may take its time: this process lives, and a range that was taken from it would run things twice.
    sink.ranges.recalled(String(range))
  }

  #revoke(range: number, why: string): void {
    const reader = this.#readers.get(range)
    if (reader === undefined) return
    reader.abandon()
    this.#forget(range)
    if (reader.isAssigned) this.#membership.sink.ranges?.revoked(String(range), lost(why))
  }

  async #giveUp(range: number): Promise<void> {
    const reader = this.#readers.get(range)
    if (reader === undefined) return
    reader.isRecalled = true
    await this.#noting.get(range)
    // It was taken meanwhile.
    if (this.#readers.get(range) !== reader) return
    this.#forget(range)
    this.#givingUp.add(range)
    await reader.giveUp()
    this.#givingUp.delete(range)
    await this.#claims.release(range).catch(() => {})
  }

  #forget(range: number): void {
    this.#readers.delete(range)
    for (const held of this.#held.values()) if (held.range === String(range)) this.#held.delete(held.tag)
  }

  #pause(range: string, isPaused: boolean): void {
    const reader = this.#readers.get(Number(range))
    if (reader === undefined) return
    reader.isPaused = isPaused
    if (!isPaused) this.#dispatchSoon()
  }

  // ── Delivering ────────────────────────────────────────────────────────────────────────────────────────────────────

  #dispatchSoon(): void {
    if (this.#isDispatching) return
    this.#isDispatching = true
    queueMicrotask(() => {
      this.#isDispatching = false
      this.#dispatch()
    })
  }

  #dispatch(): void {
    for (const [range, reader] of this.#readers) {
      if (this.#credit <= 0 || this.#stopping !== undefined) break
      if (!this.#claims.owns(range)) continue
      const batch = reader.take(this.#credit)
      if (batch.length === 0) continue
      for (const incoming of batch) this.#held.set(incoming.tag, incoming)
      this.#credit -= batch.length
      this.#membership.sink.deliver(batch)
    }
    this.#rotate()
  }

  /** Another range is the first the next time. */
  #rotate(): void {
    const [first] = this.#readers
    if (first === undefined || this.#readers.size === 1) return
    this.#readers.delete(first[0])
    this.#readers.set(first[0], first[1])
  }

  // ── Settling ──────────────────────────────────────────────────────────────────────────────────────────────────────

  #heldBy(tag: DeliveryTag): Incoming | undefined {
    const held = this.#held.get(tag)
    return held !== undefined && this.#claims.owns(Number(held.range)) ? held : undefined
  }

  #settled(held: Incoming): void {
    this.#held.delete(held.tag)
    this.#readers.get(Number(held.range))?.settled(held)
    this.#surroundings.onSettled(this.#membership.channel, held)
  }

  /** Kept here and delivered again in its place: the server would deliver it behind its successors. */
  #release(held: Incoming, { countsAttempt, visibleAtMs }: ReleaseSettlement): Outcome {
    if (visibleAtMs !== undefined && visibleAtMs > this.#surroundings.link.host.clock.nowMs()) {
      held.isSettling = false
      const what = 'a delivery of a key range cannot be released for later: note it'
      return failed(new PosthasteError('CAPABILITY_UNSUPPORTED', what))
    }
    this.#held.delete(held.tag)
    this.#readers.get(Number(held.range))?.putBack(held, countsAttempt)
    return succeeded
  }

  // ── Notes ─────────────────────────────────────────────────────────────────────────────────────────────────────────

  #note(range: number, changes: readonly NoteChange[], publish: readonly OutgoingRecord[] = []): Promise<Outcome> {
    const before = this.#noting.get(range)
    const work = () => this.#underWay.run(() => this.#noteNow(range, changes, publish))
    if (before === undefined && publish.length === 0) return work()
    const noting = before === undefined ? work() : before.then(work)
    this.#noting.set(range, noting)
    void noting.finally(() => {
      if (this.#noting.get(range) === noting) this.#noting.delete(range)
    })
    return noting
  }

  async #noteNow(range: number, changes: readonly NoteChange[], publish: readonly OutgoingRecord[]): Promise<Outcome> {
    if (!this.#claims.owns(range)) return rangeIsLost
    if (publish.length > 0) {
      const outcomes = await this.#surroundings.publisher.publish(publish)
      const failure = outcomes.find(({ ok }) => !ok)
      if (failure !== undefined) return failure
    }
    const reader = this.#readers.get(range)
    if (reader === undefined || !this.#claims.owns(range)) return rangeIsLost
    try {
      await reader.notes.change(changes)
    } catch (thrown) {
      return failed(errorFrom(thrown, `note of range ${range}`))
    }
    return this.#claims.owns(range) ? succeeded : rangeIsLost
  }
}
