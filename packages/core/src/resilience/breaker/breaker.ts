import type { Call, Filter, FilterDescription, FilterSnapshot, MaybePromise, Service } from '@posthaste/contracts'
import { type Continuation, continueWith } from '../../pipeline/continuation.ts'
import { isPromiseLike } from '../../pipeline/maybe-promise.ts'
import type { FilterDeps } from '../../pipeline/stack.ts'
import { Circuit, type CircuitState, type ForcedState } from './circuit.ts'
import { Conduct, checkForced, stateOf } from './conduct.ts'
import { type BreakerOptions, type BreakerSettings, describeSettings, readBreakerOptions } from './options.ts'

export type { BreakerChange, BreakerOptions } from './options.ts'

/** A breaker whose state can be looked at, and held. */
export interface Breaker extends Filter {
  readonly state: CircuitState['kind']
  /** Milliseconds until a call may pass; a consumer takes nothing on meanwhile. */
  notReadyForMs(): number
  /**
   * Holds it open, where it refuses all calls, or closed, where it counts and lets all pass; undefined lets it go, closed and with
   * an empty window. Calls that are under way no longer count. The same again changes nothing.
   *
   * @throws CONFIG_INVALID when it is none of these
   */
  force(to: ForcedState | undefined): void
  /**
   * `state`, and `forced` where it is; `calls`, `failures` and `slow` of the window; `probes` while half-open; `notReadyForMs`;
   * and since it was made `openings` and `rejected`.
   */
  snapshot(): FilterSnapshot
}

/**
 * Stops calling a target that fails or crawls, and finds out cheaply when it is well again. Refuses with BREAKER_OPEN,
 * `retryAfterMs` and `notSent`. Stands inside the retry, so that each attempt is counted and asked for, and outside
 * the timeout of the attempt, so that timeouts count. One breaker for one target; see {@link breakers} for many.
 *
 * Events: `opened`, `halfOpen`, `closed` (`from`, `openForMs`, and the `calls`, `failures` and `slow` it decided by), `refused`
 * (`state`, `retryAfterMs`), `forced` (`to`: `open`, `closed` or `automatic`).
 *
 * @throws CONFIG_INVALID when options are wrong
 * @see Nygard, "Release It!" (2nd ed.), ch. 5
 */
export function breaker(options: BreakerOptions, deps: FilterDeps): Breaker {
  return new CircuitBreaker(readBreakerOptions(options), deps)
}

/** What a call was let through with. */
interface Admitted {
  readonly epoch: number
  readonly startedAtMs: number
}

class CircuitBreaker implements Breaker, Continuation<Admitted> {
  readonly role = 'breaker'
  readonly #settings: BreakerSettings
  readonly #conduct: Conduct
  readonly #circuit: Circuit

  constructor(settings: BreakerSettings, deps: FilterDeps) {
    const conduct = new Conduct(settings, deps)
    this.#settings = settings
    this.#conduct = conduct
    this.#circuit = new Circuit(deps.target, {
      settings,
      random: deps.random,
      epochs: { last: 0 },
      moved: (circuit, from, counts) => conduct.moved(circuit, from, counts),
    })
  }

  get state(): CircuitState['kind'] {
    return this.#circuit.state.kind
  }

  /** Hot path: reads the clock once where slowness does not count, adds to counters, and one promise if asynchronous. */
  apply<P, R>(call: Call<P>, next: Service<P, R>): MaybePromise<R> {
    const startedAtMs = this.#conduct.timesCalls || !this.#circuit.closed ? this.#conduct.nowMs() : 0
    const epoch = this.#circuit.admit(startedAtMs)
    if (epoch === undefined) throw this.#conduct.refusal(call, this.#circuit, startedAtMs)
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
    const nowMs = this.#conduct.nowMs()
    this.#circuit.record(epoch, this.#conduct.success(startedAtMs, nowMs), nowMs)
    return value
  }

  failed(thrown: unknown, { epoch, startedAtMs }: Admitted): never {
    const nowMs = this.#conduct.nowMs()
    this.#circuit.record(epoch, this.#conduct.failure(thrown, startedAtMs, nowMs), nowMs)
    throw thrown
  }

  notReadyForMs(): number {
    return this.#circuit.closed ? 0 : this.#circuit.notReadyForMs(this.#conduct.nowMs())
  }

  force(to: ForcedState | undefined): void {
    checkForced(to)
    if (to === this.#circuit.forced) return
    this.#circuit.force(to, this.#conduct.nowMs())
    this.#conduct.forced(this.#circuit.name, to)
  }

  describe(): FilterDescription {
    return { role: this.role, ...describeSettings(this.#settings) }
  }

  snapshot(): FilterSnapshot {
    const { openings, rejected } = this.#conduct
    return { role: this.role, ...stateOf(this.#circuit, this.#conduct.nowMs()), openings, rejected }
  }
}
