import {
  type Call,
  type Filter,
  type FilterDescription,
  type FilterSnapshot,
  type MaybePromise,
  PosthasteError,
  type RateDecision,
  type RateLimit,
  type RateLimitStore,
  type Service,
} from '@posthaste/contracts'
import { isPromiseLike } from '../../pipeline/maybe-promise.ts'
import {
  choiceOption,
  durationOption,
  functionOption,
  integerOption,
  numberOption,
  type OptionsSpec,
  optional,
  readOptions,
  required,
} from '../../pipeline/options.ts'
import { sleep } from '../../pipeline/sleep.ts'
import { type FilterDeps, tell } from '../../pipeline/stack.ts'
import { arrivalAfter, gcra, graceMs } from './gcra.ts'
import { LocalRates } from './local-rates.ts'
import { type SharedAsk, SharedRate, storePauseMs } from './shared-rate.ts'

/** How many calls may pass in a time. */
export interface RateLimitOptions {
  /** Calls in each `perMs`, evenly: 0.001 to 1,000,000,000. */
  readonly rate: number
  /** Milliseconds, from 1. Default: 1,000. */
  readonly perMs?: number | undefined
  /** How many may come at once after a rest, 1 to 1,000,000,000. Default: `rate`, rounded up. */
  readonly burst?: number | undefined
  /** What has a rate of its own: a tenant, a user. Default: all calls have one together. */
  readonly key?: ((call: Call) => string) | undefined
  /** How many keys are remembered in process, 1 to 10,000,000; the one that came longest ago goes first. Default: 10,000. */
  readonly keysMax?: number | undefined
  /** What a call costs, from 0; 1 is a call. Default: 1. */
  readonly units?: ((call: Call) => number) | undefined
  /**
   * How long a call may be held back to fit the rate instead of being refused, in milliseconds, 0 to 60,000, and never beyond
   * its deadline. Each has a time of its own; one that is cancelled meanwhile has used it. Default: 0.
   */
  readonly waitMs?: number | undefined
  /** Keeps the rate for several processes, by the key or else the target. Default: each process has a rate of its own. */
  readonly store?: RateLimitStore | undefined
  /** How long an answer of the store is waited for, in milliseconds, 1 to 60,000. Default: 100. */
  readonly storeTimeoutMs?: number | undefined
  /**
   * What happens when the store does not answer, and for a second from then on: all calls pass, none, or this process keeps
   * the rate by itself. Default: `local`.
   */
  readonly whenUnavailable?: 'allow' | 'refuse' | 'local' | undefined
}

interface Settings {
  readonly rate: number
  readonly perMs: number
  readonly burst: number | undefined
  readonly key: ((call: Call) => string) | undefined
  readonly keysMax: number
  readonly units: ((call: Call) => number) | undefined
  readonly waitMs: number
  readonly store: RateLimitStore | undefined
  readonly storeTimeoutMs: number
  readonly whenUnavailable: 'allow' | 'refuse' | 'local'
}

const spec: OptionsSpec<Settings> = {
  options: {
    rate: required(numberOption(1, { min: 0.001, max: 1e9 })),
    perMs: durationOption(1_000, { min: 1 }),
    burst: optional(integerOption(1, { min: 1, max: 1e9 })),
    key: optional(functionOption<((call: Call) => string) | undefined>(undefined)),
    keysMax: integerOption(10_000, { min: 1, max: 10_000_000 }),
    units: optional(functionOption<((call: Call) => number) | undefined>(undefined)),
    waitMs: durationOption(0, { max: 60_000 }),
    store: { fallback: undefined, expects: 'a rate limit store', accepts: isStore },
    storeTimeoutMs: durationOption(100, { min: 1, max: 60_000 }),
    whenUnavailable: choiceOption('local', ['allow', 'refuse', 'local']),
  },
}

/**
 * Lets calls through at a rate, with bursts: in process, or for many processes by a store. Refuses with RATE_LIMITED,
 * `notSent` and `retryAfterMs`, or has calls wait for a short time (`waitMs`). In any time `t` no more than
 * `burst + t · rate / perMs` units begin.
 *
 * Without a key, a consumer takes no messages on until one may begin; a message that is refused nevertheless goes back
 * without counting an attempt. The same value may stand around several services and consumers: then they share the rate.
 *
 * Tells `refused` (`retryAfterMs`, `key`) and, at most once a second, `storeFailed` (`store`, `error`).
 *
 * @throws CONFIG_INVALID when options are wrong
 * @see {@link gcra} for the algorithm
 */
export function rateLimit(options: RateLimitOptions, deps: FilterDeps): Filter {
  return new RateLimiter(readOptions('rateLimit', options, spec), deps)
}

class RateLimiter implements Filter {
  readonly role = 'rateLimit'
  readonly #settings: Settings
  readonly #deps: FilterDeps
  readonly #limit: RateLimit
  readonly #burstMs: number
  readonly #graceMs: number
  /** There where keys have rates of their own. */
  readonly #keyed: LocalRates | undefined
  readonly #shared: SharedRate | undefined
  /** The rate in this process, where there is one for all calls. */
  #arrivalAtMs = Number.NEGATIVE_INFINITY
  /** What was refused last may come then. */
  #notBeforeMs = Number.NEGATIVE_INFINITY
  #allowed = 0
  #delayed = 0
  #refused = 0
  /** Not there where it depends on a call's key. */
  notReadyForMs?: () => number

  constructor(settings: Settings, deps: FilterDeps) {
    const { rate, perMs, burst, key, keysMax, store, storeTimeoutMs: timeoutMs } = settings
    this.#settings = settings
    this.#deps = deps
    this.#limit = { unitMs: perMs / rate, burst: burst ?? Math.max(Math.ceil(rate), 1) }
    this.#burstMs = this.#limit.unitMs * this.#limit.burst
    this.#graceMs = graceMs(this.#limit.unitMs)
    this.#keyed = key && new LocalRates(deps.clock, keysMax)
    const otherwise = (ask: SharedAsk): RateDecision => this.#withoutStore(ask)
    this.#shared = store && new SharedRate({ store, timeoutMs, otherwise, deps })
    if (key === undefined) this.notReadyForMs = () => this.#notReadyForMs()
  }

  /** Hot path: one rate in process costs reading the clock and a few additions. */
  apply<P, R>(call: Call<P>, next: Service<P, R>): MaybePromise<R> {
    const units = this.#settings.units === undefined ? 1 : unitsOf(call, this.#settings.units)
    if (this.#shared === undefined && this.#keyed === undefined) {
      const nowMs = this.#deps.clock.monotonicMs()
      const arrivalAtMs = arrivalAfter(this.#arrivalAtMs, nowMs, this.#limit.unitMs * units)
      if (arrivalAtMs - this.#burstMs - nowMs <= this.#graceMs) {
        this.#arrivalAtMs = arrivalAtMs
        this.#allowed += 1
        return next(call)
      }
    }
    const key = this.#settings.key?.(call) ?? this.#deps.target
    const ask: SharedAsk = { key, units, limit: this.#limitFor(call) }
    const decision = this.#shared === undefined ? this.#takeHere(ask) : this.#shared.take(ask)
    if (!isPromiseLike(decision)) return this.#decided(decision, ask, { call, next })
    return decision.then((later) => this.#decided(later, ask, { call, next }))
  }

  describe(): FilterDescription {
    const { rate, perMs, key, keysMax, waitMs, store, storeTimeoutMs, whenUnavailable } = this.#settings
    const kept = store === undefined ? {} : { store: store.name, storeTimeoutMs, whenUnavailable }
    const keys = key === undefined ? {} : { keysMax }
    return { role: this.role, rate, perMs, burst: this.#limit.burst, waitMs, ...keys, ...kept }
  }

  snapshot(): FilterSnapshot {
    const counted = { allowed: this.#allowed, delayed: this.#delayed, refused: this.#refused }
    if (this.#keyed !== undefined) return { role: this.role, ...counted, keys: this.#keyed.size, ...this.#ofStore() }
    if (this.#shared !== undefined) return { role: this.role, ...counted, ...this.#ofStore() }
    const ask = { arrivalAtMs: this.#arrivalAtMs, nowMs: this.#deps.clock.monotonicMs(), units: 0 }
    return { role: this.role, ...counted, remaining: gcra(ask, this.#limit).remaining }
  }

  #ofStore(): Readonly<Record<string, number>> {
    return this.#shared === undefined ? {} : { storeFailures: this.#shared.failures }
  }

  #notReadyForMs(): number {
    const nowMs = this.#deps.clock.monotonicMs()
    const refusedForMs = Math.max(this.#notBeforeMs - nowMs, 0)
    if (this.#shared !== undefined) return refusedForMs
    const lateMs = arrivalAfter(this.#arrivalAtMs, nowMs, this.#limit.unitMs) - this.#burstMs - nowMs
    // One unit may be there where several were asked for: with that, the same call would be refused over and over.
    if (this.#settings.units !== undefined) return Math.max(lateMs <= this.#graceMs ? 0 : lateMs, refusedForMs)
    return lateMs <= this.#graceMs ? 0 : lateMs
  }

  /** Whoever may wait takes units ahead of their time, which is a longer burst that begins later. */
  #limitFor(call: Call): RateLimit {
    const { waitMs } = this.#settings
    if (waitMs === 0) return this.#limit
    const { unitMs, burst } = this.#limit
    const mayWaitMs = Math.min(waitMs, Math.max(call.deadlineAtMs - this.#deps.clock.monotonicMs(), 0))
    return { unitMs, burst: burst + mayWaitMs / unitMs }
  }

  #takeHere({ key, units, limit }: SharedAsk): RateDecision {
    if (this.#keyed !== undefined) return this.#keyed.take(key, units, limit)
    const nowMs = this.#deps.clock.monotonicMs()
    const step = gcra({ arrivalAtMs: this.#arrivalAtMs, nowMs, units }, limit)
    this.#arrivalAtMs = step.arrivalAtMs
    return step
  }

  #withoutStore(ask: SharedAsk): RateDecision {
    const { whenUnavailable } = this.#settings
    if (whenUnavailable === 'local') return this.#takeHere(ask)
    const allowed = whenUnavailable === 'allow'
    return { allowed, remaining: 0, retryAfterMs: allowed ? 0 : storePauseMs, resetAfterMs: 0 }
  }

  #decided<P, R>(
    decision: RateDecision,
    ask: SharedAsk,
    { call, next }: { readonly call: Call<P>; readonly next: Service<P, R> },
  ): MaybePromise<R> {
    if (!decision.allowed) throw this.#refusal(decision, ask, call)
    this.#allowed += 1
    const delayMs = decision.resetAfterMs - this.#burstMs
    if (delayMs <= this.#graceMs) return next(call)
    this.#delayed += 1
    return sleep(delayMs, this.#deps.timers, call.cancellation).then(() => next(call))
  }

  #refusal({ retryAfterMs }: RateDecision, { key, units }: SharedAsk, call: Call): PosthasteError {
    this.#refused += 1
    const asked = this.#settings.key === undefined ? {} : { key }
    if (this.#deps.onEvent !== undefined) tell(this.#deps, { role: this.role, kind: 'refused', retryAfterMs, ...asked })
    const { rate, perMs } = this.#settings
    if (retryAfterMs === Number.POSITIVE_INFINITY) {
      return new PosthasteError('RATE_LIMITED', `${call.target}: ${units} at once are more than may ever come`, {
        verdict: 'permanent',
        remedy: 'Ask for less at once, or allow a larger burst.',
        notSent: true,
      })
    }
    const againMs = Math.max(Math.ceil(retryAfterMs), 1)
    this.#notBeforeMs = this.#deps.clock.monotonicMs() + againMs
    const message = `${call.target}: more than ${rate} in ${perMs} ms; the next may come in ${againMs} ms`
    return new PosthasteError('RATE_LIMITED', message, { retryAfterMs: againMs, notSent: true })
  }
}

function unitsOf(call: Call, units: (call: Call) => number): number {
  const asked = units(call)
  if (asked >= 0) return asked
  throw new PosthasteError('INVALID_ARGUMENT', `${call.target}: a call cannot cost ${asked} units of its rate`)
}

function isStore(value: unknown): boolean {
  return typeof value === 'object' && value !== null && 'take' in value && typeof value.take === 'function'
}
