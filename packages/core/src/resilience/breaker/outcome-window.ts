import { CallWindow } from '../windows/call-window.ts'
import { TimeWindow } from '../windows/time-window.ts'

/** How a call ended, as far as a breaker cares. `neutral` says nothing about the target's health. */
export type Outcome = 'success' | 'slowSuccess' | 'failure' | 'slowFailure' | 'neutral'

/** What a decision rests on: the calls of the window, or the probes that ended. Neutral outcomes are in none of them. */
export interface CircuitCounts {
  readonly calls: number
  readonly failures: number
  readonly slow: number
}

/** How long a window is: in milliseconds, or in calls. */
export interface WindowSize {
  readonly windowMs: number | undefined
  readonly windowCalls: number | undefined
}

/** The tenths in which a window of time forgets. */
export const buckets = 10

/** What recent calls were like. Small while all is well: what only bad calls need is made with the first of them. */
export interface OutcomeWindow {
  /** Counts one call; neutral ones must not be given. Times never go back. */
  add(outcome: Outcome, nowMs: number): void
  /** Counts successes at an earlier time; only while nothing else was counted. */
  addSuccesses(count: number, atMs: number): void
  calls(nowMs: number): number
  failures(nowMs: number): number
  slow(nowMs: number): number
}

/** A window of the size asked for: of calls where `windowCalls` is given, of time otherwise. */
export function outcomeWindow({ windowMs, windowCalls }: WindowSize): OutcomeWindow {
  return windowCalls === undefined ? new OfTime(windowMs ?? 0) : new OfCalls(windowCalls)
}

/** Whether the callee failed. */
export function isFailure(outcome: Outcome): boolean {
  return outcome === 'failure' || outcome === 'slowFailure'
}

/** Whether the call took too long, however it ended. */
export function isSlow(outcome: Outcome): boolean {
  return outcome === 'slowSuccess' || outcome === 'slowFailure'
}

const failures = 0
const slow = 1

class OfTime implements OutcomeWindow {
  readonly #windowMs: number
  readonly #all: TimeWindow
  #bad: TimeWindow | undefined = undefined

  constructor(windowMs: number) {
    this.#windowMs = windowMs
    this.#all = new TimeWindow({ windowMs, buckets, counters: 1 })
  }

  add(outcome: Outcome, nowMs: number): void {
    this.#all.add(0, nowMs)
    if (outcome === 'success') return
    this.#bad ??= new TimeWindow({ windowMs: this.#windowMs, buckets, counters: 2 })
    if (isFailure(outcome)) this.#bad.add(failures, nowMs)
    if (isSlow(outcome)) this.#bad.add(slow, nowMs)
  }

  addSuccesses(count: number, atMs: number): void {
    this.#all.add(0, atMs, count)
  }

  calls(nowMs: number): number {
    return this.#all.total(0, nowMs)
  }

  failures(nowMs: number): number {
    return this.#bad === undefined ? 0 : this.#bad.total(failures, nowMs)
  }

  slow(nowMs: number): number {
    return this.#bad === undefined ? 0 : this.#bad.total(slow, nowMs)
  }
}

class OfCalls implements OutcomeWindow {
  readonly #last: CallWindow

  constructor(size: number) {
    this.#last = new CallWindow(size)
  }

  add(outcome: Outcome): void {
    this.#last.add((isFailure(outcome) ? 1 : 0) + (isSlow(outcome) ? 2 : 0))
  }

  addSuccesses(count: number): void {
    for (let i = 0; i < count; i++) this.#last.add(0)
  }

  calls(): number {
    return this.#last.calls
  }

  failures(): number {
    return this.#last.marked(1)
  }

  slow(): number {
    return this.#last.marked(2)
  }
}
