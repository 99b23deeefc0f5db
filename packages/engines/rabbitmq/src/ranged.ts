import { randomUUID } from 'node:crypto'
import {
  type DeliverySink,
  type DeliveryTag,
  type EngineSubscription,
  type KeyRangeControl,
  type Note,
  type Outcome,
  PosthasteError,
  type ReleaseSettlement,
  SerialTable,
  type Settlement,
  succeeded,
  type Timer,
} from '@posthaste/contracts'
import { deliveryLost } from './errors.ts'
import { owes, type Shares, surplus } from './fair-share.ts'
import { deliveryOf, type Held, type Return } from './held.ts'
import type { MemberDeps, MemberFigures, Seat } from './membership.ts'
import { type RangeEvents, RangeReader } from './range-reader.ts'
import { type Ending, publishes, publishFirst } from './settling.ts'

/** A member of a group of a keyed channel: it reads some of the key ranges, and stands in line for the others. */
export class Ranged implements EngineSubscription {
  readonly ranges: KeyRangeControl
  readonly #deps: MemberDeps
  readonly #seat: Seat
  readonly #sink: DeliverySink
  readonly #readers: readonly RangeReader[]
  readonly #held = new SerialTable<HeldOfRange>()
  readonly #events: RangeEvents
  /** When the other members were heard of. */
  readonly #others = new Map<string, number>()
  #credit = 0
  #lastTag = 0
  /** Whose turn it is. */
  #turn = 0
  #isFlushing = false
  #settling = 0
  #onSettled: (() => void) | undefined
  #stopped: Promise<void> | undefined
  #timer: Timer | undefined

  constructor(deps: MemberDeps, seat: Seat, sink: DeliverySink) {
    this.#deps = deps
    this.#seat = seat
    this.#sink = sink
    this.#events = this.#rangeEvents()
    const { keyRanges } = seat.channel
    this.#readers = Array.from(
      { length: keyRanges },
      (_, range) => new RangeReader(deps, seat, { range, events: this.#events }),
    )
    this.ranges = {
      pause: (range) => this.#setPaused(range, true),
      resume: (range) => this.#setPaused(range, false),
      note: async (range, changes, publish = []) => this.#reader(range)?.note(changes, publish) ?? deliveryLost,
      giveUp: (range) => this.#giveUp(range),
    }
  }

  /** Gets in line for every range. */
  start(): void {
    for (const reader of this.#readers) reader.start()
    this.#watch()
  }

  get figures(): MemberFigures {
    const sum = (of: (reader: RangeReader) => number) => this.#readers.reduce((total, reader) => total + of(reader), 0)
    return { inFlight: this.#held.size, buffered: sum(({ buffered }) => buffered), early: sum(({ early }) => early) }
  }

  grant(credit: number): void {
    if (this.#stopped !== undefined || !Number.isInteger(credit) || credit < 1) return
    this.#credit += credit
    this.#flushSoon()
  }

  async settle(batch: readonly Settlement[]): Promise<readonly Outcome[]> {
    if (this.#stopped !== undefined) return batch.map(() => deliveryLost)
    const endings = batch.map((settlement) => ({ settlement, held: this.#takeHeld(settlement.tag) }))
    const needsPublishing = endings.some(({ settlement }) => publishes(settlement) && !isAtOnce(settlement))
    this.#settling += 1
    try {
      return await (needsPublishing ? this.#settleAfterPublishing(endings) : this.#endAtOnce(endings))
    } finally {
      this.#settling -= 1
      if (this.#settling === 0) this.#onSettled?.()
    }
  }

  /** Does nothing: deliveries stay while the member lives. */
  async extend(): Promise<void> {}

  stop(): Promise<void> {
    this.#stopped ??= this.#leave()
    return this.#stopped
  }

  // ── Delivering ────────────────────────────────────────────────────────────────────────────────────────────────────

  #flushSoon(): void {
    if (this.#isFlushing || this.#credit === 0) return
    if (!this.#readers.some(({ hasDeliverable }) => hasDeliverable)) return
    this.#isFlushing = true
    setImmediate(() => {
      this.#isFlushing = false
      this.#flush()
    })
  }

  /** Some of each range in turn, so that a busy one does not keep the others waiting. */
  #flush(): void {
    if (this.#stopped !== undefined) return
    const batch = []
    for (let idle = 0; idle < this.#readers.length && this.#credit > 0; this.#turn += 1) {
      const reader = this.#readers[this.#turn % this.#readers.length]
      if (reader === undefined || !reader.hasDeliverable) {
        idle += 1
        continue
      }
      idle = 0
      const taken = reader.takeBuffered(Math.min(this.#credit, portion))
      this.#credit -= taken.length
      for (const held of taken) {
        const tag = ++this.#lastTag
        this.#held.set(tag, { held, reader, session: reader.session })
        batch.push(deliveryOf(tag, held, reader.name))
      }
    }
    if (batch.length > 0) this.#sink.deliver(batch)
  }

  // ── Settling ──────────────────────────────────────────────────────────────────────────────────────────────────────

  #takeHeld(tag: DeliveryTag): HeldOfRange | undefined {
    const found = this.#held.get(tag)
    this.#held.delete(tag)
    return found?.session === found?.reader.session ? found : undefined
  }

  async #endAtOnce(endings: readonly EndingOfRange[]): Promise<readonly Outcome[]> {
    for (const { settlement, held: found } of endings) {
      // It never left: nobody else may have it.
      if (settlement.kind === 'release') found?.reader.putBack(found.held)
    }
    const lost = await this.#ack(endings.filter(({ settlement }) => settlement.kind === 'ack'))
    return endings.map(({ held: found }) => (found === undefined || lost.has(found.reader) ? deliveryLost : succeeded))
  }

  /** Whose acknowledgements the server did not get. */
  async #ack(endings: readonly EndingOfRange[]): Promise<ReadonlySet<RangeReader>> {
    const all = new Map<RangeReader, Held[]>()
    for (const { held: found } of endings) {
      if (found === undefined) continue
      const own = all.get(found.reader)
      if (own === undefined) all.set(found.reader, [found.held])
      else own.push(found.held)
    }
    const lost = new Set<RangeReader>()
    const acked = Array.from(all, async ([reader, held]) => {
      if (!(await reader.ack(held))) lost.add(reader)
    })
    await Promise.all(acked)
    return lost
  }

  async #settleAfterPublishing(all: readonly EndingOfRange[]): Promise<readonly Outcome[]> {
    const endings = all.map(
      ({ settlement, held }): Ending => ({ settlement, held: isAtOnce(settlement) ? undefined : held?.held }),
    )
    let at = -1
    // The queue that a copy goes back to is that of its range.
    const readers = all.flatMap(({ settlement, held }) =>
      settlement.kind === 'release' && !isAtOnce(settlement) && held !== undefined ? [held.reader] : [],
    )
    const outcomes = await publishFirst(this.#deps.publisher, endings, (release) => {
      at += 1
      return this.#returnOf(release, readers[at])
    })
    const done: EndingOfRange[] = []
    const answers = all.map((ending, index): Outcome => {
      const { settlement, held: found } = ending
      if (found === undefined || found.session !== found.reader.session) return deliveryLost
      const outcome = isAtOnce(settlement) ? succeeded : (outcomes[index] ?? succeeded)
      if (isAtOnce(settlement)) found.reader.putBack(found.held)
      else if (outcome.ok) done.push(ending)
      else this.#held.set(settlement.tag, found)
      return outcome
    })
    const lost = await this.#ack(done)
    if (lost.size === 0) return answers
    return answers.map((answer, at) => {
      const reader = all[at]?.held?.reader
      return reader !== undefined && lost.has(reader) ? deliveryLost : answer
    })
  }

  #returnOf({ countsAttempt, visibleAtMs }: ReleaseSettlement, reader: RangeReader | undefined): Return {
    const waitMs = visibleAtMs === undefined ? 0 : visibleAtMs - this.#deps.clock.nowMs()
    return { target: this.#deps.catalogue.queueTarget(reader?.queue ?? '', waitMs), countsAttempt, visibleAtMs }
  }

  // ── Ranges ────────────────────────────────────────────────────────────────────────────────────────────────────────

  #rangeEvents(): RangeEvents {
    const self = this
    return {
      member: randomUUID(),
      get count() {
        return self.#count
      },
      assigned: (reader, notes) => this.#assigned(reader, notes),
      lost: (reader, cause) => this.#revoked(reader, cause),
      ready: () => this.#flushSoon(),
      asked: (reader, other) => this.#asked(reader, other),
      ended: (cause) => this.#end(cause),
    }
  }

  #assigned(reader: RangeReader, notes: readonly Note[]): void {
    if (this.#stopped !== undefined) return
    this.#sink.ranges?.assigned(reader.name, notes)
    if (surplus(this.#shares) > 0) this.#recall(reader)
  }

  #revoked(reader: RangeReader, cause: PosthasteError): void {
    this.#dropHeld(reader)
    if (this.#stopped !== undefined) return
    const { channel, group } = this.#seat.spec
    const what = `key range ${reader.name} of ${channel}@${group} went back to the server`
    this.#sink.ranges?.revoked(reader.name, new PosthasteError('DELIVERY_LOST', `rabbitmq: ${what}`, { cause }))
  }

  #dropHeld(reader: RangeReader): void {
    for (const [tag, held] of this.#held.entries()) if (held.reader === reader) this.#held.delete(tag)
  }

  #reader(range: string): RangeReader | undefined {
    const reader = this.#readers[Number(range)]
    return reader?.isAssigned ? reader : undefined
  }

  #setPaused(range: string, isPaused: boolean): void {
    const reader = this.#reader(range)
    if (reader === undefined) return
    reader.isPaused = isPaused
    this.#flushSoon()
  }

  async #giveUp(range: string): Promise<void> {
    const reader = this.#reader(range)
    if (reader === undefined) return
    this.#dropHeld(reader)
    await reader.giveUp()
  }

  /** How many it reads, and is not about to give up. */
  get #count(): number {
    return this.#readers.filter(({ isAssigned, isRecalled }) => isAssigned && !isRecalled).length
  }

  /** Every member in line for a range says so to its reader, so each reader hears of all others. */
  #asked(reader: RangeReader, { member, ranges }: { readonly member: string; readonly ranges: number }): void {
    if (member === this.#events.member) return
    this.#others.set(member, this.#deps.clock.monotonicMs())
    if (owes(this.#shares, ranges)) this.#recall(reader)
  }

  get #shares(): Shares {
    const sinceMs = this.#deps.clock.monotonicMs() - silentPeriods * this.#deps.rebalanceMs
    for (const [member, heardMs] of this.#others) if (heardMs < sinceMs) this.#others.delete(member)
    return { ranges: this.#readers.length, members: 1 + this.#others.size, own: this.#count }
  }

  /** Gives up what is more than its share, and tells the readers of other ranges that it is there. */
  async #balance(): Promise<void> {
    const assigned = this.#readers.filter(({ isAssigned, isRecalled }) => isAssigned && !isRecalled)
    for (const reader of assigned.slice(0, surplus(this.#shares))) this.#recall(reader)
    await Promise.all(this.#readers.map((reader) => reader.ask()))
  }

  #recall(reader: RangeReader): void {
    if (!reader.isAssigned || reader.isRecalled || this.#sink.ranges === undefined) return
    reader.isRecalled = true
    this.#sink.ranges.recalled(reader.name)
  }

  #watch(): void {
    const { clock, rebalanceMs, random } = this.#deps
    this.#timer = clock.setTimer(rebalanceMs * (0.75 + random() / 2), () => {
      if (this.#stopped !== undefined) return
      void this.#balance()
      this.#watch()
    })
  }

  // ── Ends ──────────────────────────────────────────────────────────────────────────────────────────────────────────

  #end(cause: PosthasteError): void {
    if (this.#stopped !== undefined) return
    this.#stopped = this.#close()
    this.#sink.closed(cause)
  }

  async #leave(): Promise<void> {
    if (this.#settling > 0) await new Promise<void>((resolve) => (this.#onSettled = resolve))
    await this.#close()
  }

  async #close(): Promise<void> {
    this.#timer?.cancel()
    this.#held.clear()
    await Promise.allSettled(this.#readers.map((reader) => reader.stop()))
    await this.#seat.onStopped()
  }
}

/** A delivery, and the range and the assignment that it is of. */
interface HeldOfRange {
  readonly held: Held
  readonly reader: RangeReader
  readonly session: object | undefined
}

interface EndingOfRange {
  readonly settlement: Settlement
  readonly held: HeldOfRange | undefined
}

const portion = 32
/** A member that was silent for so many periods is not counted any more. */
const silentPeriods = 3

/** A hand-back needs nothing of the server. */
function isAtOnce(settlement: Settlement): boolean {
  return settlement.kind === 'release' && !settlement.countsAttempt && settlement.visibleAtMs === undefined
}
