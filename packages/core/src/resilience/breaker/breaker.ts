import {
  type Call,
  type Filter,
  type FilterDescription,
  type MaybePromise,
  PosthasteError,
  type Service,
} from '@posthaste/contracts'
import { type Continuation, continueWith } from '../../pipeline/continuation.ts'
import { isPromiseLike } from '../../pipeline/maybe-promise.ts'
import {
  durationOption,
  functionOption,
  integerOption,
  numberOption,
  type OptionsSpec,
  optional,
  readOptions,
} from '../../pipeline/options.ts'
import type { FilterDeps } from '../../pipeline/stack.ts'
import { isHealthFailure } from '../failure.ts'
import { Circuit, type CircuitCounts, type CircuitSettings, type CircuitState, type Outcome } from './circuit.ts'

/** When a breaker opens, and how it finds its way back. */
export interface BreakerOptions {
  /** Opens when this share of the calls in the window failed, in percent, 1 to 100. Default: 50. */
  readonly failurePercent?: number | undefined
  /** A call that takes longer is slow, in milliseconds, from 1. Default: slowness does not count. */
  readonly slowMs?: number | undefined
  /** Opens when this share of the calls in the window was slow, in percent, 1 to 100. Default: 100. */
  readonly slowPercent?: number | undefined
  /** Never opens on fewer calls in the window than this, 1 to 1,000,000. Default: 20. */
  readonly callsMin?: number | undefined
  /** Length of the window, in milliseconds, 100 to 3,600,000; it forgets in tenths. Default: 10,000. */
  readonly windowMs?: number | undefined
  /** How long it first stays open, in milliseconds, from 1, ±20 %; doubles each time the probes fail. Default: 5,000. */
  readonly openMs?: number | undefined
  /** The open time does not grow beyond this, in milliseconds, ±20 %. Default: 60,000. */
  readonly openMsMax?: number | undefined
  /** How many calls may pass to find out whether the target is well again, 1 to 1,000. Default: 3. */
  readonly probes?: number | undefined
  /** When it decides by the probes that have ended, in milliseconds, from 1. None ended means open. Default: 10,000. */
  readonly probeWaitMs?: number | undefined
  /**
   * Which failures tell that the target is not well; others are neutral, as if the call had not been made. Default:
   * verdict `retryable`, timeouts included, and INTERNAL; but not refusals (BREAKER_OPEN, OVERLOADED, RATE_LIMITED).
   */
  readonly countsAsFailure?: ((thrown: unknown) => boolean) | undefined
  /** Told after each change of state, while the call that caused it waits; what it throws is logged. */
  readonly onStateChange?: ((change: BreakerChange) => void) | undefined
}

/** A breaker's change of state. */
export interface BreakerChange {
  readonly target: string
  readonly from: CircuitState['kind']
  readonly to: CircuitState['kind']
  /** How long it stays open at least, in milliseconds; 0 unless it opened. */
  readonly openForMs: number
  /** What it decided by: the calls of the window or the probes, and of these the failed and the slow ones. */
  readonly counts: CircuitCounts
}

interface Settings extends CircuitSettings {
  readonly slowMs: number
  readonly countsAsFailure: (thrown: unknown) => boolean
  readonly onStateChange: ((change: BreakerChange) => void) | undefined
}

const spec: OptionsSpec<Settings> = {
  options: {
    failurePercent: numberOption(50, { min: 1, max: 100 }),
    slowMs: durationOption(Number.POSITIVE_INFINITY, { min: 1 }),
    slowPercent: numberOption(100, { min: 1, max: 100 }),
    callsMin: integerOption(20, { min: 1, max: 1_000_000 }),
    windowMs: durationOption(10_000, { min: 100, max: 3_600_000 }),
    openMs: durationOption(5_000, { min: 1 }),
    openMsMax: durationOption(60_000, { min: 1 }),
    probes: integerOption(3, { min: 1, max: 1_000 }),
    probeWaitMs: durationOption(10_000, { min: 1 }),
    countsAsFailure: functionOption(isHealthFailure),
    onStateChange: optional(functionOption<((change: BreakerChange) => void) | undefined>(undefined)),
  },
  together: ({ openMs, openMsMax }) =>
    openMs <= openMsMax
      ? []
      : [{ path: 'breaker.openMsMax', message: `must not be below openMs, ${openMs}, but is ${openMsMax}` }],
}

/** A breaker whose state can be looked at. */
export interface Breaker extends Filter {
  readonly state: CircuitState['kind']
  /** Milliseconds until a call may pass; a consumer takes nothing on meanwhile. */
  notReadyForMs(): number
}

/**
 * Stops calling a target that fails or crawls, and finds out cheaply when it is well again. Refuses with BREAKER_OPEN,
 * `retryAfterMs` and `notSent`. Stands inside the retry, so that each attempt is counted and asked for, and outside
 * the timeout of the attempt, so that timeouts count. One breaker for one target; see {@link breakers} for many.
 *
 * @throws CONFIG_INVALID when options are wrong
 * @see Nygard, "Release It!" (2nd ed.), ch. 5
 */
export function breaker(options: BreakerOptions, deps: FilterDeps): Breaker {
  return new CircuitBreaker(readOptions('breaker', options, spec), deps)
}

/** What a call was let through with. */
interface Admitted {
  readonly epoch: number
  readonly startedAtMs: number
}

class CircuitBreaker implements Breaker, Continuation<Admitted> {
  readonly role = 'breaker'
  readonly #settings: Settings
  readonly #deps: FilterDeps
  readonly #circuit: Circuit

  constructor(settings: Settings, deps: FilterDeps) {
    this.#settings = settings
    this.#deps = deps
    this.#circuit = new Circuit(settings, deps.random, (from, to, counts) => this.#moved(from, to, counts))
  }

  get state(): CircuitState['kind'] {
    return this.#circuit.state.kind
  }

  /** Hot path: reads the clock once where slowness does not count, adds to counters, and one promise if asynchronous. */
  apply<P, R>(call: Call<P>, next: Service<P, R>): MaybePromise<R> {
    const startedAtMs = this.#settings.slowMs === Number.POSITIVE_INFINITY && this.#circuit.closed ? 0 : this.#nowMs()
    const epoch = this.#circuit.admit(startedAtMs)
    if (epoch === undefined) throw this.#refusal(call, startedAtMs)
    let result: MaybePromise<R>
    try {
      result = next(call)
    } catch (thrown) {
      return this.failed(thrown, { epoch, startedAtMs })
    }
    const admitted = { epoch, startedAtMs }
    return isPromiseLike(result) ? continueWith(result, this, admitted) : this.succeeded(result, admitted)
  }

  succeeded<R>(value: R, { epoch, startedAtMs }: Admitted): R {
    const nowMs = this.#nowMs()
    this.#circuit.record(epoch, this.#isSlow(startedAtMs, nowMs) ? 'slowSuccess' : 'success', nowMs)
    return value
  }

  failed(thrown: unknown, { epoch, startedAtMs }: Admitted): never {
    const nowMs = this.#nowMs()
    this.#circuit.record(epoch, this.#outcomeOf(thrown, this.#isSlow(startedAtMs, nowMs)), nowMs)
    throw thrown
  }

  notReadyForMs(): number {
    return this.#circuit.closed ? 0 : this.#circuit.notReadyForMs(this.#nowMs())
  }

  describe(): FilterDescription {
    const { countsAsFailure: _, onStateChange: __, ...settings } = this.#settings
    return { role: this.role, ...settings, state: this.state, ...this.#circuit.counts(this.#nowMs()) }
  }

  #nowMs(): number {
    return this.#deps.clock.monotonicMs()
  }

  #outcomeOf(thrown: unknown, slow: boolean): Outcome {
    if (!this.#settings.countsAsFailure(thrown)) return 'neutral'
    return slow ? 'slowFailure' : 'failure'
  }

  #isSlow(startedAtMs: number, nowMs: number): boolean {
    return nowMs - startedAtMs > this.#settings.slowMs
  }

  #refusal(call: Call, nowMs: number): PosthasteError {
    const retryAfterMs = Math.max(Math.ceil(this.#circuit.notReadyForMs(nowMs)), 1)
    const message = `${call.target}: too many calls failed or were slow; calls are let through again in ${retryAfterMs} ms`
    return new PosthasteError('BREAKER_OPEN', message, { retryAfterMs, notSent: true })
  }

  #moved(from: CircuitState, to: CircuitState, counts: CircuitCounts): void {
    const openForMs = to.kind === 'open' ? Math.ceil(to.untilMs - this.#nowMs()) : 0
    const change: BreakerChange = { target: this.#deps.target, from: from.kind, to: to.kind, openForMs, counts }
    if (to.kind === 'open') this.#deps.log.warn('breaker opened', { ...change })
    else this.#deps.log.info(to.kind === 'closed' ? 'breaker closed' : 'breaker lets probes through', { ...change })
    try {
      this.#settings.onStateChange?.(change)
    } catch (error) {
      this.#deps.log.error('onStateChange of a breaker threw', { target: change.target, error })
    }
  }
}
