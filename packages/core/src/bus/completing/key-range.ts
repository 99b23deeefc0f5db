import {
  type AckSettlement,
  type Delivery,
  type DeliveryTag,
  type KeyRangeControl,
  type MaybePromise,
  type Note,
  type Outcome,
  PosthasteError,
  type ReleaseSettlement,
  succeeded,
} from '@posthaste/contracts'
import type { FilterDeps } from '../../pipeline/stack.ts'
import { Entry, type EntryRange, type KeyChain } from './entry.ts'
import { figuresOf, type OwnFigures } from './figures.ts'
import { noteName, noteOf, parkedOf, sessionName, sessionOf } from './note-codec.ts'
import { NoteWriter, type WhenNoted } from './note-writer.ts'
import { RangeChains } from './range-chains.ts'
import { SessionKeeper } from './session.ts'
import { Suspects, type SuspectsInit, type Suspicion } from './suspects.ts'

/** What a key range tells the subscription that reads it. */
export interface KeyRangeEvents {
  /** Something may be handed over that could not be before. */
  turn(): void
  /** It is noted, and what the engine delivered is to be acknowledged; then {@link KeyRange.acknowledged}. */
  acknowledge(entry: Entry): void
  /** What is in hand of the same key, came before, and was never noted; in its order. */
  before(entry: Entry): readonly Entry[]
  /** That it is handed over is noted. */
  claimed(entry: Entry): void
}

/** What a key range is read with. */
export interface KeyRangeInit extends Omit<SuspectsInit, 'nowMs'> {
  readonly name: string
  readonly channel: string
  readonly group: string
  /** Most parked records. */
  readonly parkedMax: number
  readonly control: KeyRangeControl
  readonly events: KeyRangeEvents
  readonly deps: FilterDeps
}

/** How long nothing is to be in hand before a session says so, in milliseconds: long enough not to be written all the time. */
const restMs = 1_000

/**
 * One key range that this member reads: what is parked in its notes, and which record of a key has its turn. What is merely
 * delivered and acknowledged leaves no trace here but a number.
 */
export class KeyRange implements EntryRange {
  readonly name: string
  readonly #init: KeyRangeInit
  readonly #notes: NoteWriter
  readonly #session: SessionKeeper
  readonly #suspects: Suspects
  readonly #chains = new RangeChains()
  /** What is parked, by position. */
  readonly #parked = new Map<string, Entry>()
  /** What was parked by another reader that may not have acknowledged it any more, by position. */
  readonly #repetitions = new Set<string>()
  #state: 'reading' | 'recalled' | 'gone' = 'reading'
  #isPaused = false
  #isResting = false
  #orders = 0
  /** Deliveries that the engine waits for an answer about. */
  #unsettled = 0
  /** The most there were since the rest began. */
  #peak = 0
  /** Those of them that have never been handed over, and are not to be parked. */
  #buffered = 0

  constructor(init: KeyRangeInit, notes: readonly Note[]) {
    const { name, channel, reader, control, events, deps } = init
    this.name = name
    this.#init = init
    this.#notes = new NoteWriter({ range: name, control, deps, idle: () => events.turn() })
    this.#session = new SessionKeeper({ channel, reader, notes: this.#notes, raised: () => events.turn() })
    this.#suspects = new Suspects({ ...init, nowMs: deps.clock.nowMs() })
    this.#load(notes)
  }

  get isReading(): boolean {
    return this.#state === 'reading'
  }

  get isRecalled(): boolean {
    return this.#state === 'recalled'
  }

  get suspicion(): Suspicion {
    return this.#suspects.suspicion
  }

  get buffered(): number {
    return this.#buffered
  }

  /** What the engine's own figures lack. */
  get figures(): OwnFigures {
    const parked = [...this.#parked.values()].flatMap(({ chain }) => chain ?? [])
    return { ...figuresOf(new Set(parked), this.#init.deps.clock.nowMs()), buffered: this.#buffered }
  }

  /** Whether nothing is under way that this process has begun. */
  get isQuiet(): boolean {
    return this.#notes.isIdle
  }

  #load(notes: readonly Note[]): void {
    const { group, deps, name: range } = this.#init
    const note = notes.find(({ name }) => name === sessionName)
    const hasVanished = this.#suspects.learn(note && sessionOf(note))
    const sorted = notes.filter(({ name }) => name !== sessionName).sort((a, b) => (a.name < b.name ? -1 : 1))
    for (const each of sorted) {
      try {
        const parked = parkedOf(each, group)
        const { order, source, attempt, vanished, dueAtMs, holds } = parked
        const entry = Object.assign(new Entry(this, order, { source, raw: undefined }), {
          attempt,
          vanished,
          dueAtMs,
          holds,
        })
        entry.note = each.name
        this.#orders = Math.max(this.#orders, order + 1)
        this.#parked.set(source.position, entry)
        this.#chains.of(entry).add(entry)
        if (parked.mayComeAgain) this.#repetitions.add(source.position)
        if (parked.inHand && hasVanished) this.#countVanished(entry)
        else this.#ready(entry)
      } catch (error) {
        deps.log.error('a note of a key range cannot be read', { target: deps.target, range, note: each.name, error })
      }
    }
    this.#bound()
  }

  #countVanished(entry: Entry): void {
    entry.attempt += 1
    entry.vanished += 1
    this.#park(entry)
  }

  // ── Deliveries ──────────────────────────────────────────────────────────────────────────────────────────────────

  /**
   * Takes what the engine delivers. Hot path.
   * @returns undefined for what is parked already; `ready` and without a chain: may be handed over at once
   */
  take(delivery: Delivery): Entry | undefined {
    if (this.#parked.size > 0 && this.#parked.has(delivery.position)) return undefined
    if (this.#repetitions.size > 0 && this.#repetitions.delete(delivery.position)) return undefined
    this.#unsettled += 1
    if (this.#unsettled > this.#peak) this.#peak = this.#unsettled
    const entry = new Entry(this, this.#orders++, { source: delivery, raw: delivery })
    if (this.#suspects.count > 0 && this.#suspects.take(delivery)) {
      this.#chains.of(entry).add(entry)
      this.#countVanished(entry)
    } else if (this.#chains.has(entry.key)) this.place(entry)
    return entry
  }

  /** Whether a delivery that nothing stands before may be handed over at once. Hot path. */
  get isOpen(): boolean {
    return this.#chains.isCalm && this.#state === 'reading' && this.#admits()
  }

  #admits(): boolean {
    return this.#session.admits(this.#unsettled + this.#suspects.count)
  }

  /** Has it wait for its turn. */
  place(entry: Entry): void {
    const chain = this.#chains.of(entry)
    chain.add(entry)
    // What would stay unsettled until the key is free takes the place of other keys' deliveries with the engine.
    if (chain.isHeldBefore(entry)) {
      this.#park(entry)
      return
    }
    this.#buffered += 1
    this.#chains.queue(chain)
  }

  /** What has its turn; it is to be taken with {@link KeyRange.handOver} or {@link KeyRange.claim}. */
  next(nowMs: number): Entry | undefined {
    if (this.#state !== 'reading') return undefined
    return this.#chains.next(nowMs, ({ note }) => note !== undefined || this.#admits())
  }

  handOver(entry: Entry): void {
    entry.phase = 'inHand'
    if (entry.chain === undefined) return
    this.#buffered -= 1
    this.#leaveChain(entry)
  }

  claim(entry: Entry): void {
    entry.phase = 'claiming'
    entry.timer?.cancel()
    this.#chains.pass(entry.chain)
    this.#session.stand(this.#unsettled + this.#suspects.count)
    this.#write(entry, true, ({ ok }) => {
      if (!ok) entry.phase = 'gone'
      this.#init.events.claimed(entry)
    })
  }

  claimed(entry: Entry): void {
    entry.phase = 'inHand'
    this.#turn(entry.chain)
  }

  unclaim(entry: Entry): void {
    if (entry.phase === 'claiming') this.#ready(entry)
  }

  /** Allows for no deliveries under way, before something runs alone that may end this process. */
  lowerSession(): void {
    if (this.#state === 'reading') this.#session.lower(this.#suspects.count)
  }

  // ── Ends of deliveries ──────────────────────────────────────────────────────────────────────────────────────────

  acknowledged(entry: Entry): void {
    // Acknowledged before, because it was given back while that was under way.
    if (entry.raw === undefined) return
    this.#unsettled -= 1
    entry.noting?.resolve()
    if (this.#unsettled === 0 && !this.#isResting && !this.#init.tellsRedeliveries) this.#rest()
    entry.raw = undefined
    if (entry.phase === 'saving') this.#ready(entry)
    else if (entry.note === undefined) entry.phase = 'gone'
  }

  /** What is delivered and neither in hand nor noted. */
  get waiting(): readonly Delivery[] {
    const entries = [...this.#chains.all].flatMap((chain) => chain.entries)
    return entries.flatMap(({ raw, phase }) => (raw !== undefined && phase === 'ready' ? [raw] : []))
  }

  /** The engine has taken these back, which wait for their turn. */
  takeBackWaiting(tags: ReadonlySet<DeliveryTag>): void {
    for (const chain of this.#chains.all) {
      for (const entry of [...chain.entries]) {
        if (entry.phase === 'ready' && entry.raw !== undefined && tags.has(entry.raw.tag)) this.takenBack(entry)
      }
    }
  }

  /**
   * What was in hand at a time would be suspected for as long as the session stands; not so once all of it has ended for a
   * while. Nothing is written while as much as before comes and goes.
   */
  #rest(): void {
    this.#isResting = true
    this.#peak = 0
    this.#init.deps.timers.set(restMs, () => {
      this.#isResting = false
      if (this.#peak === 0) this.lowerSession()
      else if (this.#state === 'reading') this.#session.ease(this.#peak + this.#suspects.count)
      if (this.#peak > 0 && this.#unsettled === 0) this.#rest()
    })
  }

  takenBack(entry: Entry): void {
    this.#unsettled -= 1
    entry.raw = undefined
    entry.phase = 'gone'
    if (entry.chain === undefined) return
    this.#buffered -= 1
    this.#leaveChain(entry)
  }

  async finish(entry: Entry, { publish }: AckSettlement): Promise<Outcome> {
    entry.phase = 'ending'
    const name = entry.note!
    // Otherwise what was delivered might come again when nothing tells any more that it is done.
    if (entry.noting !== undefined) await entry.noting.promise
    const outcome =
      publish === undefined || publish.length === 0
        ? await new Promise<Outcome>((resolve) => this.#notes.write(name, undefined, resolve))
        : await this.#notes.finish(name, publish)
    // Lost meanwhile.
    if ((entry.phase as Entry['phase']) !== 'ending') return outcome
    if (!outcome.ok) entry.phase = 'inHand'
    else {
      entry.phase = 'gone'
      this.#leaveChain(entry)
      this.#parked.delete(entry.source.position)
      this.#bound()
    }
    return outcome
  }

  release(entry: Entry, { countsAttempt, visibleAtMs, holdKey }: ReleaseSettlement): MaybePromise<Outcome> {
    const isHandBack = !countsAttempt && visibleAtMs === undefined && (entry.holds || holdKey !== true)
    if (countsAttempt) entry.attempt += 1
    entry.dueAtMs = visibleAtMs ?? 0
    if (holdKey === true && entry.key !== undefined) entry.holds = true
    if (entry.chain === undefined) this.#chains.of(entry).add(entry)
    if (isHandBack && this.#state === 'recalled') {
      // A session that ends in order says that nothing was in hand.
      entry.phase = 'ready'
      if (entry.note === undefined) this.#buffered += 1
      return succeeded
    }
    if (entry.holds) this.#parkBehind(entry)
    // What must run alone had to wait for it.
    else this.#turn(entry.chain)
    return new Promise((resolve) => this.#park(entry, resolve))
  }

  // ── Life cycle ──────────────────────────────────────────────────────────────────────────────────────────────────

  /** Nothing more is handed over. */
  recall(): void {
    if (this.#state === 'reading') this.#state = 'recalled'
  }

  /** Leaves word that this reader left in order. */
  leave(): Promise<void> {
    this.recall()
    return new Promise((resolve) =>
      this.#session.end({ unsettled: this.#suspects.count, sinceMs: this.#suspects.suspicion.sinceMs }, resolve),
    )
  }

  /** It is not ours any more. */
  drop(reason: PosthasteError): void {
    this.#state = 'gone'
    for (const entry of this.#parked.values()) {
      entry.timer?.cancel()
      entry.phase = 'gone'
      entry.noting?.resolve()
    }
    this.#chains.clear()
    this.#notes.lose(new PosthasteError('DELIVERY_LOST', `key range ${this.name} is gone`, { cause: reason }))
  }

  // ── Parking ─────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Notes it; then it is acknowledged, if it is not yet, and waits for its time and its turn. */
  #park(entry: Entry, done?: WhenNoted): void {
    entry.phase = 'saving'
    if (entry.note === undefined) {
      this.#noteBefore(entry)
      this.#name(entry)
    }
    this.#write(entry, false, (outcome) => {
      if (outcome.ok && entry.phase === 'saving') {
        if (entry.raw === undefined) this.#ready(entry)
        else this.#init.events.acknowledge(entry)
      }
      done?.(outcome)
    })
  }

  /** Whoever reads the range next reads what is noted first: so what came before it in its key is noted before it. */
  #noteBefore(entry: Entry): void {
    for (const earlier of this.#init.events.before(entry)) this.#noteInHand(earlier)
    for (const earlier of entry.chain?.readyBefore(entry) ?? []) {
      this.#buffered -= 1
      this.#park(earlier)
    }
  }

  #noteInHand(entry: Entry): void {
    this.#name(entry)
    this.#chains.of(entry).add(entry)
    entry.noting = Promise.withResolvers()
    this.#write(entry, true, ({ ok }) => {
      if (ok) this.#init.events.acknowledge(entry)
    })
  }

  #name(entry: Entry): void {
    entry.note = noteName(entry.order)
    this.#parked.set(entry.source.position, entry)
    this.#bound()
  }

  #parkBehind(head: Entry): void {
    for (const entry of [...(head.chain?.entries ?? [])]) {
      if (entry.order > head.order && entry.phase === 'ready' && entry.note === undefined) {
        this.#buffered -= 1
        this.#park(entry)
      }
    }
  }

  #write(entry: Entry, inHand: boolean, done: WhenNoted): void {
    // Also where another reader parked it: the next one must still know of it if it has not come here.
    const mayComeAgain = entry.raw !== undefined || this.#repetitions.has(entry.source.position)
    this.#notes.write(entry.note!, noteOf(entry, { inHand, mayComeAgain }), done)
  }

  #ready(entry: Entry): void {
    const { clock } = this.#init.deps
    entry.phase = 'ready'
    entry.timer?.cancel()
    entry.timer = undefined
    if (entry.dueAtMs <= clock.nowMs()) this.#turn(entry.chain)
    else entry.timer = clock.setTimer(entry.dueAtMs - clock.nowMs(), () => this.#ready(entry))
  }

  /** Stops the engine from delivering where too much is parked, until half of it is done. */
  #bound(): void {
    const { control, parkedMax, deps, name: range } = this.#init
    const count = this.#parked.size
    if (this.#isPaused ? count > parkedMax / 2 : count < parkedMax) return
    this.#isPaused = !this.#isPaused
    const about = { target: deps.target, range, count }
    if (this.#isPaused) {
      deps.log.warn('a key range is paused: too many of its messages wait for another attempt', about)
      control.pause(range)
    } else {
      deps.log.info('a key range goes on', about)
      control.resume(range)
    }
  }

  // ── Chains ──────────────────────────────────────────────────────────────────────────────────────────────────────

  #leaveChain(entry: Entry): void {
    const left = this.#chains.leave(entry)
    if (left !== undefined) this.#turn(left)
  }

  #turn(chain: KeyChain | undefined): void {
    if (chain !== undefined && this.#state === 'reading') this.#chains.queue(chain)
    this.#init.events.turn()
  }
}
