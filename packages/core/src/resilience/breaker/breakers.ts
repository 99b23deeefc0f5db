import type { Call, Filter, FilterDescription, FilterSnapshot, MaybePromise, Service } from '@posthaste/contracts'
import { type Continuation, continueWith } from '../../pipeline/continuation.ts'
import { isPromiseLike } from '../../pipeline/maybe-promise.ts'
import { functionOption, integerOption, readOptions } from '../../pipeline/options.ts'
import type { FilterDeps } from '../../pipeline/stack.ts'
import type { Circuit, CircuitState, ForcedState } from './circuit.ts'
import { Conduct, checkForced, stateOf } from './conduct.ts'
import { type Admission, KeyedCircuits } from './keyed-circuits.ts'
import { type BreakerOptions, type BreakerSettings, describeSettings, readBreakerOptions } from './options.ts'

/** How calls are told apart. */
export interface KeyingOptions {
  /**
   * Which breaker a call belongs to. Choose what fails as one: service, method and endpoint; never ids or URLs, of which there is no
   * end. Default: the call's target, which is service and method.
   */
  readonly key?: ((call: Call) => string) | undefined
  /**
   * How many breakers there are at most, 1 to 10,000,000, without those held by force; and as many keys that were seen a
   * few times and never failed, at some 30 bytes. Default: 1,000.
   */
  readonly keysMax?: number | undefined
}

/** One breaker per key, all set the same, made when a key first needs one. */
export interface BreakersOptions extends KeyingOptions {
  readonly breaker?: BreakerOptions | undefined
}

/** Breakers by key. */
export interface Breakers extends Filter {
  /** The state of a key's breaker; closed where there is none. */
  stateOf(key: string): CircuitState['kind']
  /**
   * Holds the breaker of a key, or lets it go, as a single one does. Those that are held are never forgotten.
   *
   * @throws CONFIG_INVALID when `to` is none of these
   */
  force(key: string, to: ForcedState | undefined): void
  /**
   * `keys` that have a breaker; `freshKeys` that have none yet; `notClosed`, a hundred at most, each with its key and what a single
   * one tells of its state, those held closed included, and how many `notClosedCount`; and since it was made `evicted` for want of
   * room, `openings` and `rejected`.
   */
  snapshot(): FilterSnapshot
}

const targetOf = (call: Call): string => call.target

/** How many of those that are not closed are told of. */
const toldMax = 100

/**
 * A breaker for each target behind one filter, so that a failing method does not stop its healthy neighbours. Says
 * nothing about readiness: which target a call is for is not known before it comes. Memory is bounded: keys that say nothing
 * any more are forgotten, and beyond the bound closed ones go before open ones.
 *
 * Events: those of a single breaker, with its key as their target.
 *
 * @throws CONFIG_INVALID when options are wrong
 */
export function breakers(options: BreakersOptions, deps: FilterDeps): Breakers {
  const { breaker, ...keying } = readOptions('breakers', options, {
    options: {
      key: functionOption<(call: Call) => string>(targetOf),
      keysMax: integerOption(1_000, { min: 1, max: 10_000_000 }),
      breaker: {
        fallback: {} as BreakerOptions,
        expects: 'the options of a breaker',
        accepts: (value) => typeof value === 'object' && value !== null,
      },
    },
  })
  return new KeyedBreakers(keying, readBreakerOptions(breaker), deps)
}

interface Keying {
  readonly key: (call: Call) => string
  readonly keysMax: number
}

/** What a call was let through with. */
interface Admitted extends Admission {
  readonly startedAtMs: number
}

class KeyedBreakers implements Breakers, Continuation<Admitted> {
  readonly role = 'breaker'
  readonly #keying: Keying
  readonly #settings: BreakerSettings
  readonly #conduct: Conduct
  readonly #circuits: KeyedCircuits

  constructor(keying: Keying, settings: BreakerSettings, deps: FilterDeps) {
    const conduct = new Conduct(settings, deps)
    this.#keying = keying
    this.#settings = settings
    this.#conduct = conduct
    this.#circuits = new KeyedCircuits({
      settings,
      keysMax: keying.keysMax,
      random: deps.random,
      moved: (circuit, from, counts) => conduct.moved(circuit, from, counts),
    })
  }

  /** Hot path: that of a single breaker, and its key looked up before and after. */
  apply<P, R>(call: Call<P>, next: Service<P, R>): MaybePromise<R> {
    const key = this.#keying.key(call)
    const circuit = this.#circuits.find(key)
    const timed = this.#conduct.timesCalls || (circuit !== undefined && !circuit.closed)
    const startedAtMs = timed ? this.#conduct.nowMs() : 0
    const epoch = circuit === undefined ? this.#circuits.strangersEpoch : this.#admit(circuit, call, startedAtMs)
    const admitted = { key, epoch, startedAtMs }
    let result: MaybePromise<R>
    try {
      result = next(call)
    } catch (thrown) {
      return this.failed(thrown, admitted)
    }
    return isPromiseLike(result) ? continueWith(result, this, admitted) : this.succeeded(result, admitted)
  }

  succeeded<R>(value: R, admitted: Admitted): R {
    const nowMs = this.#conduct.nowMs()
    this.#circuits.record(admitted, this.#conduct.success(admitted.startedAtMs, nowMs), nowMs)
    return value
  }

  failed(thrown: unknown, admitted: Admitted): never {
    const nowMs = this.#conduct.nowMs()
    this.#circuits.record(admitted, this.#conduct.failure(thrown, admitted.startedAtMs, nowMs), nowMs)
    throw thrown
  }

  #admit(circuit: Circuit, call: Call, nowMs: number): number {
    const epoch = circuit.admit(nowMs)
    if (epoch === undefined) throw this.#conduct.refusal(call, circuit, nowMs)
    return epoch
  }

  stateOf(key: string): CircuitState['kind'] {
    return this.#circuits.find(key)?.state.kind ?? 'closed'
  }

  force(key: string, to: ForcedState | undefined): void {
    checkForced(to)
    if (to === this.#circuits.find(key)?.forced) return
    this.#circuits.force(key, to, this.#conduct.nowMs())
    this.#conduct.forced(key, to)
  }

  describe(): FilterDescription {
    const { keysMax } = this.#keying
    return { role: this.role, ...describeSettings(this.#settings), keysMax }
  }

  snapshot(): FilterSnapshot {
    const nowMs = this.#conduct.nowMs()
    const { size: keys, fresh: freshKeys, evicted, notableCount: notClosedCount } = this.#circuits
    const notClosed: object[] = []
    for (const circuit of this.#circuits.notable()) {
      if (notClosed.length === toldMax) break
      notClosed.push({ key: circuit.name, ...stateOf(circuit, nowMs) })
    }
    const { openings, rejected } = this.#conduct
    return { role: this.role, keys, freshKeys, notClosed, notClosedCount, evicted, openings, rejected }
  }
}
