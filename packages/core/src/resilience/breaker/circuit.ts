import { TimeWindow } from '../windows/time-window.ts'

/** How a call ended, as far as a breaker cares. `neutral` says nothing about the target's health. */
export type Outcome = 'success' | 'slowSuccess' | 'failure' | 'slowFailure' | 'neutral'

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

/** Calls are refused until a time, in monotonic milliseconds. */
export interface Open {
  readonly kind: 'open'
  readonly epoch: number
  readonly untilMs: number
  /** How often it opened since it was last closed, from 1. */
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

/** How a circuit is set. Percentages above 0 and up to 100, times in milliseconds. */
export interface CircuitSettings {
  readonly failurePercent: number
  readonly slowPercent: number
  readonly callsMin: number
  readonly windowMs: number
  readonly openMs: number
  readonly openMsMax: number
  readonly probes: number
  readonly probeWaitMs: number
}

/** What a decision rests on: the calls of the window, or the probes that ended. Neutral outcomes are in none of them. */
export interface CircuitCounts {
  readonly calls: number
  readonly failures: number
  readonly slow: number
}

const buckets = 10
const calls = 0
const failures = 1
const slow = 2

/** Open times vary by this much either way, so that callers that opened together do not probe together. */
const openJitter = 0.2

/** While all probes are out, it is worth asking again this soon. */
const probesOutRecheckMs = 100

/**
 * The states of a breaker and the moves between them, knowing nothing of calls or errors. Moves that time makes are made
 * when somebody next looks: there are no timers. Times given must never go back.
 *
 * closed → open: enough calls in the window, and too many failed or were slow.
 * open → half-open: its time is over and a call comes.
 * half-open → closed or open: the probes, or those that ended in time, say which; all of them still out means open.
 */
export class Circuit {
  readonly #settings: CircuitSettings
  readonly #random: () => number
  readonly #moved: (from: CircuitState, to: CircuitState, counts: CircuitCounts) => void
  readonly #window: TimeWindow
  #state: CircuitState = { kind: 'closed', epoch: 0 }

  constructor(
    settings: CircuitSettings,
    random: () => number,
    moved: (from: CircuitState, to: CircuitState, counts: CircuitCounts) => void,
  ) {
    this.#settings = settings
    this.#random = random
    this.#moved = moved
    this.#window = new TimeWindow({ windowMs: settings.windowMs, buckets, counters: 3 })
  }

  get state(): CircuitState {
    return this.#state
  }

  /** Whether the state depends on time; while it does not, callers need not read the clock. */
  get closed(): boolean {
    return this.#state.kind === 'closed'
  }

  counts(nowMs: number): CircuitCounts {
    const window = this.#window
    return {
      calls: window.total(calls, nowMs),
      failures: window.total(failures, nowMs),
      slow: window.total(slow, nowMs),
    }
  }

  /** Asks to let a call pass. The epoch to record its outcome under, or undefined where it is refused. */
  admit(nowMs: number): number | undefined {
    this.#passTime(nowMs)
    const state = this.#state
    if (state.kind === 'closed') return state.epoch
    if (state.kind === 'open')
      return state.untilMs > nowMs ? undefined : this.#probe(this.#halfOpen(state.openings, nowMs))
    return probesOut(state, this.#settings.probes) ? undefined : this.#probe(state)
  }

  /** Milliseconds until a call may pass; 0 if one may now. */
  notReadyForMs(nowMs: number): number {
    this.#passTime(nowMs)
    const state = this.#state
    if (state.kind === 'closed') return 0
    if (state.kind === 'open') return Math.max(state.untilMs - nowMs, 0)
    return probesOut(state, this.#settings.probes) ? Math.min(state.untilMs - nowMs, probesOutRecheckMs) : 0
  }

  /** Tells how an admitted call ended. Outcomes of an earlier epoch are dropped. */
  record(epoch: number, outcome: Outcome, nowMs: number): void {
    if (epoch !== this.#state.epoch) return
    if (this.#state.kind === 'closed') this.#recordCall(outcome, nowMs)
    else if (this.#state.kind === 'halfOpen') this.#recordProbe(this.#state, outcome, nowMs)
  }

  #recordCall(outcome: Outcome, nowMs: number): void {
    if (outcome === 'neutral') return
    const window = this.#window
    window.add(calls, nowMs)
    if (isFailure(outcome)) window.add(failures, nowMs)
    if (isSlow(outcome)) window.add(slow, nowMs)
    const total = window.total(calls, nowMs)
    if (total < this.#settings.callsMin) return
    if (this.#unhealthy({ calls: total, failures: window.total(failures, nowMs), slow: window.total(slow, nowMs) })) {
      this.#open(1, nowMs)
    }
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
    const slowOnes = state.slow + (isSlow(outcome) ? 1 : 0)
    this.#state = { ...state, running, failed, succeeded, slow: slowOnes }
    const { probes } = this.#settings
    // Against all probes: whatever the others say, it is too many already.
    if (this.#unhealthy({ calls: probes, failures: failed, slow: slowOnes })) this.#open(state.openings + 1, nowMs)
    else if (failed + succeeded === probes) this.#close(nowMs)
  }

  /** Ends a half-open state whose time is over, on what is known by then. */
  #passTime(nowMs: number): void {
    const state = this.#state
    if (state.kind !== 'halfOpen' || nowMs < state.untilMs) return
    const ended = state.succeeded + state.failed
    if (ended > 0) {
      if (this.#unhealthy({ calls: ended, failures: state.failed, slow: state.slow }))
        this.#open(state.openings + 1, nowMs)
      else this.#close(nowMs)
    } else if (state.running > 0) {
      this.#open(state.openings + 1, nowMs)
    } else {
      this.#halfOpen(state.openings, nowMs)
    }
  }

  #unhealthy(counts: CircuitCounts): boolean {
    const { failurePercent, slowPercent } = this.#settings
    return counts.failures * 100 >= failurePercent * counts.calls || counts.slow * 100 >= slowPercent * counts.calls
  }

  #probe(state: HalfOpen): number {
    this.#state = { ...state, running: state.running + 1 }
    return state.epoch
  }

  #close(nowMs: number): void {
    this.#move({ kind: 'closed', epoch: this.#state.epoch + 1 }, nowMs)
    this.#window.clear()
  }

  #open(openings: number, nowMs: number): void {
    const { openMs, openMsMax } = this.#settings
    const jitter = 1 - openJitter + 2 * openJitter * this.#random()
    const untilMs = nowMs + Math.min(openMs * 2 ** (openings - 1), openMsMax) * jitter
    this.#move({ kind: 'open', epoch: this.#state.epoch + 1, untilMs, openings }, nowMs)
  }

  #halfOpen(openings: number, nowMs: number): HalfOpen {
    const untilMs = nowMs + this.#settings.probeWaitMs
    const none = { running: 0, succeeded: 0, failed: 0, slow: 0 }
    const state: HalfOpen = { kind: 'halfOpen', epoch: this.#state.epoch + 1, untilMs, openings, ...none }
    this.#move(state, nowMs)
    return state
  }

  #move(to: CircuitState, nowMs: number): void {
    const from = this.#state
    this.#state = to
    if (from.kind !== to.kind) this.#moved(from, to, from.kind === 'halfOpen' ? probeCounts(from) : this.counts(nowMs))
  }
}

function probesOut(state: HalfOpen, probes: number): boolean {
  return state.running + state.succeeded + state.failed >= probes
}

function probeCounts({ succeeded, failed, slow }: HalfOpen): CircuitCounts {
  return { calls: succeeded + failed, failures: failed, slow }
}

function isFailure(outcome: Outcome): boolean {
  return outcome === 'failure' || outcome === 'slowFailure'
}

function isSlow(outcome: Outcome): boolean {
  return outcome === 'slowSuccess' || outcome === 'slowFailure'
}
