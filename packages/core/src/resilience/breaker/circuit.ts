import {
  type CircuitCounts,
  isFailure,
  isSlow,
  type Outcome,
  type OutcomeWindow,
  outcomeWindow,
} from './outcome-window.ts'

export type { CircuitCounts, Outcome } from './outcome-window.ts'

/**
 * Where a breaker stands. Every state has an epoch of its own: a call's outcome counts only in the state that admitted
 * the call, so a straggler from before an outage neither closes nor opens anything.
 */
export type CircuitState = Closed | Open | HalfOpen

/** Calls pass and are counted. */
export interface Closed {
  readonly kind: 'closed'
  readonly epoch: number
}

/** Calls are refused until a time, in monotonic milliseconds; `Infinity` where it was forced. */
export interface Open {
  readonly kind: 'open'
  readonly epoch: number
  readonly untilMs: number
  /** How often it opened since it was last closed, from 1; 0 where it was forced. */
  readonly openings: number
}

/** A few probes pass; their outcomes decide, at the latest at a time in monotonic milliseconds. */
export interface HalfOpen {
  readonly kind: 'halfOpen'
  readonly epoch: number
  readonly untilMs: number
  readonly openings: number
  readonly running: number
  readonly succeeded: number
  readonly failed: number
  /** Of those that ended, either way. */
  readonly slow: number
}

/** What an operator may hold a breaker in, whatever its calls say. */
export type ForcedState = 'open' | 'closed'

/** How a circuit is set. Percentages above 0 and up to 100, times in milliseconds. */
export interface CircuitSettings {
  readonly failurePercent: number
  readonly slowPercent: number
  readonly callsMin: number
  /** Length of the window, unless it is one of calls. */
  readonly windowMs: number | undefined
  readonly windowCalls: number | undefined
  readonly openMs: number
  readonly openMsMax: number
  readonly probes: number
  readonly probeWaitMs: number
  /** How long it takes after closing until all calls pass again; 0 for at once. */
  readonly rampMs: number
}

/** What circuits that are set alike have in common; one object for all of them, as there may be very many. */
export interface CircuitFrame {
  readonly settings: CircuitSettings
  readonly random: () => number
  /** The last epoch that was begun. Shared, so that no two states of any of these circuits have the same one. */
  readonly epochs: { last: number }
  /** Told after each move. */
  moved(circuit: Circuit, from: CircuitState, counts: CircuitCounts): void
}

/** Open times vary by this much either way, so that callers that opened together do not probe together. */
const openJitter = 0.2

/** While all probes are out, it is worth asking again this soon. */
const probesOutRecheckMs = 100

/** While it is forced open, it is worth asking again this soon: nobody knows when that ends. */
const forcedRecheckMs = 1_000

/** The share of the calls that passes at the beginning of a ramp. */
const rampShareMin = 0.1

/** A way back to all calls: what is admitted is taken from a credit that every call adds its share to. */
interface Ramp {
  readonly sinceMs: number
  credit: number
}

/**
 * The states of a breaker and the moves between them, knowing nothing of calls or errors. Moves that time makes are made
 * when somebody next looks: there are no timers. Times given must never go back.
 *
 * closed → open: enough calls in the window, and too many failed or were slow.
 * open → half-open: its time is over and a call comes.
 * half-open → closed or open: the probes, or those that ended in time, say which; all of them still out means open.
 *
 * Held in one state by force, it makes none of these moves, and still counts what it lets pass.
 */
export class Circuit {
  /** What it stands for. */
  readonly name: string
  readonly #frame: CircuitFrame
  #state: CircuitState
  /** Made with the first outcome: there may be very many circuits, most of which see few calls. */
  #window: OutcomeWindow | undefined = undefined
  #forced: ForcedState | undefined = undefined
  #ramp: Ramp | undefined = undefined
  #pristine = true

  /** Begins closed, in the last epoch that was begun. */
  constructor(name: string, frame: CircuitFrame) {
    this.name = name
    this.#frame = frame
    this.#state = { kind: 'closed', epoch: frame.epochs.last }
  }

  get state(): CircuitState {
    return this.#state
  }

  get forced(): ForcedState | undefined {
    return this.#forced
  }

  /** Whether it has never moved. */
  get pristine(): boolean {
    return this.#pristine
  }

  /** Whether all calls pass, whatever the time is; while they do, callers need not read the clock. */
  get closed(): boolean {
    return this.#state.kind === 'closed' && this.#ramp === undefined
  }

  /** Whether it knows nothing that a new one would not know. */
  idle(nowMs: number): boolean {
    return (
      this.#state.kind === 'closed' && this.#forced === undefined && !this.#ramping(nowMs) && this.#calls(nowMs) === 0
    )
  }

  counts(nowMs: number): CircuitCounts {
    const window = this.#window
    if (window === undefined) return { calls: 0, failures: 0, slow: 0 }
    return { calls: window.calls(nowMs), failures: window.failures(nowMs), slow: window.slow(nowMs) }
  }

  /** Asks to let a call pass. The epoch to record its outcome under, or undefined where it is refused. */
  admit(nowMs: number): number | undefined {
    this.#passTime(nowMs)
    const state = this.#state
    if (state.kind === 'closed')
      return this.#ramp === undefined || this.#climb(this.#ramp, nowMs) ? state.epoch : undefined
    if (state.kind === 'open') {
      if (state.untilMs > nowMs) return undefined
      this.#halfOpen(state.openings, nowMs)
      // Whoever was told of it may have held the circuit, or sent a probe, so it is looked at again.
      return this.admit(nowMs)
    }
    return probesOut(state, this.#frame.settings.probes) ? undefined : this.#probe(state)
  }

  /** Milliseconds until a call may pass; 0 if one may now. */
  notReadyForMs(nowMs: number): number {
    this.#passTime(nowMs)
    return this.waitMs(nowMs)
  }

  /** The same, without the moves that time would make: they are made when a call comes. */
  waitMs(nowMs: number): number {
    const state = this.#state
    if (state.kind === 'closed') return 0
    if (state.untilMs === Number.POSITIVE_INFINITY) return forcedRecheckMs
    const leftMs = Math.max(state.untilMs - nowMs, 0)
    if (state.kind === 'open') return leftMs
    return probesOut(state, this.#frame.settings.probes) ? Math.min(leftMs, probesOutRecheckMs) : 0
  }

  /** Tells how an admitted call ended. Outcomes of an earlier epoch are dropped. */
  record(epoch: number, outcome: Outcome, nowMs: number): void {
    if (epoch !== this.#state.epoch) return
    if (this.#state.kind === 'closed') this.#recordCall(outcome, nowMs)
    else if (this.#state.kind === 'halfOpen') this.#recordProbe(this.#state, outcome, nowMs)
  }

  /** Takes over successes that were counted before there was a circuit for them; only while it has no outcome. */
  inherit(successes: number, atMs: number): void {
    this.#windowed().addSuccesses(successes, atMs)
  }

  /** Holds it in a state, or lets it go, which leaves it closed with nothing in its window. What is under way no longer counts. */
  force(to: ForcedState | undefined, nowMs: number): void {
    if (to === this.#forced) return
    this.#forced = to
    const epoch = this.#nextEpoch()
    // An open one keeps what it counted, to be looked at.
    if (to === 'open') this.#move({ kind: 'open', epoch, untilMs: Number.POSITIVE_INFINITY, openings: 0 }, nowMs)
    else this.#move({ kind: 'closed', epoch }, nowMs)
  }

  #recordCall(outcome: Outcome, nowMs: number): void {
    if (outcome === 'neutral') return
    const window = this.#windowed()
    window.add(outcome, nowMs)
    const calls = window.calls(nowMs)
    if (calls < this.#frame.settings.callsMin || this.#forced !== undefined) return
    if (this.#unhealthy(calls, window.failures(nowMs), window.slow(nowMs))) this.#open(1, nowMs)
  }

  #recordProbe(state: HalfOpen, outcome: Outcome, nowMs: number): void {
    const running = state.running - 1
    if (outcome === 'neutral') {
      // The place goes to another probe.
      this.#state = { ...state, running }
      return
    }
    const failed = state.failed + (isFailure(outcome) ? 1 : 0)
    const succeeded = state.succeeded + (isFailure(outcome) ? 0 : 1)
    const slow = state.slow + (isSlow(outcome) ? 1 : 0)
    this.#state = { ...state, running, failed, succeeded, slow }
    const { probes } = this.#frame.settings
    // Against all probes: whatever the others say, it is too many already.
    if (this.#unhealthy(probes, failed, slow)) this.#open(state.openings + 1, nowMs)
    else if (failed + succeeded === probes) this.#close(nowMs)
  }

  /** Ends a half-open state or a ramp whose time is over; a half-open one on what is known by then. */
  #passTime(nowMs: number): void {
    if (this.#ramp !== undefined && !this.#ramping(nowMs)) this.#ramp = undefined
    const state = this.#state
    if (state.kind !== 'halfOpen' || nowMs < state.untilMs) return
    const ended = state.succeeded + state.failed
    if (ended > 0) {
      if (this.#unhealthy(ended, state.failed, state.slow)) this.#open(state.openings + 1, nowMs)
      else this.#close(nowMs)
    } else if (state.running > 0) {
      this.#open(state.openings + 1, nowMs)
    } else {
      this.#halfOpen(state.openings, nowMs)
    }
  }

  #unhealthy(calls: number, failures: number, slow: number): boolean {
    const { failurePercent, slowPercent } = this.#frame.settings
    return failures * 100 >= failurePercent * calls || slow * 100 >= slowPercent * calls
  }

  #probe(state: HalfOpen): number {
    this.#state = { ...state, running: state.running + 1 }
    return state.epoch
  }

  #close(nowMs: number): void {
    // The first call passes at once, the next ones by their share.
    const ramp = this.#frame.settings.rampMs > 0 ? { sinceMs: nowMs, credit: 1 } : undefined
    this.#move({ kind: 'closed', epoch: this.#nextEpoch() }, nowMs, ramp)
  }

  #open(openings: number, nowMs: number): void {
    const { settings, random } = this.#frame
    const jitter = 1 - openJitter + 2 * openJitter * random()
    const untilMs = nowMs + Math.min(settings.openMs * 2 ** (openings - 1), settings.openMsMax) * jitter
    this.#move({ kind: 'open', epoch: this.#nextEpoch(), untilMs, openings }, nowMs)
  }

  #halfOpen(openings: number, nowMs: number): void {
    const untilMs = nowMs + this.#frame.settings.probeWaitMs
    const none = { running: 0, succeeded: 0, failed: 0, slow: 0 }
    this.#move({ kind: 'halfOpen', epoch: this.#nextEpoch(), untilMs, openings, ...none }, nowMs)
  }

  #move(to: CircuitState, nowMs: number, ramp?: Ramp): void {
    const from = this.#state
    const counts = from.kind === 'halfOpen' ? probeCounts(from) : this.counts(nowMs)
    this.#state = to
    this.#ramp = ramp
    this.#pristine = false
    if (to.kind === 'closed') this.#window = undefined
    if (from.kind !== to.kind) this.#frame.moved(this, from, counts)
  }

  #nextEpoch(): number {
    return ++this.#frame.epochs.last
  }

  #windowed(): OutcomeWindow {
    this.#window ??= outcomeWindow(this.#frame.settings)
    return this.#window
  }

  #calls(nowMs: number): number {
    return this.#window === undefined ? 0 : this.#window.calls(nowMs)
  }

  #ramping(nowMs: number): boolean {
    return this.#ramp !== undefined && nowMs - this.#ramp.sinceMs < this.#frame.settings.rampMs
  }

  /** Lets through the share of calls that time allows, spread evenly: no dice, so no run of luck on a weak callee. */
  #climb(ramp: Ramp, nowMs: number): boolean {
    const climbed = (nowMs - ramp.sinceMs) / this.#frame.settings.rampMs
    ramp.credit += rampShareMin + (1 - rampShareMin) * climbed
    if (ramp.credit < 1) return false
    ramp.credit -= 1
    return true
  }
}

function probesOut(state: HalfOpen, probes: number): boolean {
  return state.running + state.succeeded + state.failed >= probes
}

function probeCounts({ succeeded, failed, slow }: HalfOpen): CircuitCounts {
  return { calls: succeeded + failed, failures: failed, slow }
}
