import type { Call, Filter, FilterDescription, FilterSnapshot, MaybePromise, Service } from '@posthaste/contracts'
import { cancelSource, releaseAfter } from '../../pipeline/cancellation.ts'
import { type Continuation, continueWith } from '../../pipeline/continuation.ts'
import { FreeList } from '../../pipeline/free-list.ts'
import { isPromiseLike } from '../../pipeline/maybe-promise.ts'
import {
  durationOption,
  flagOption,
  integerOption,
  numberOption,
  type OptionsSpec,
  optional,
  readOptions,
} from '../../pipeline/options.ts'
import { type FilterDeps, tell } from '../../pipeline/stack.ts'
import { budgetOption, type RetryBudget, retryBudget } from '../retry/retry-budget.ts'
import { LatencyQuantile } from '../windows/latency-quantile.ts'
import { Race, type RaceHost } from './race.ts'

/** When a call gets a second attempt beside the first. */
export interface HedgeOptions {
  /** Attempts at a time for one call, the first included, 2 to 5. Default: 2. */
  readonly attempts?: number | undefined
  /**
   * Milliseconds from one attempt to the next, 1 to 2^31-1. Default: as long as most calls take, by `percentile`; and no
   * second attempt before enough is known of that. Kept to within the 10 ms of a timer's tick.
   */
  readonly delayMs?: number | undefined
  /** The share of calls that are not slow, in percent, 50 to 99.9; without `delayMs` only. Default: 95. */
  readonly percentile?: number | undefined
  /** The delay is never shorter than this, however fast calls are, in milliseconds, from 1; without `delayMs` only. Default: 10. */
  readonly delayMsMin?: number | undefined
  /** The delay is never longer than this, however slow calls are, in milliseconds; without `delayMs` only. Default: 10,000. */
  readonly delayMsMax?: number | undefined
  /** Whether messages are hedged, too, being published and handled: their handling is seldom made for it. Default: false. */
  readonly messages?: boolean | undefined
  /**
   * What attempts beyond the first may cost. Where one is shared, only retries give calls to it, and this takes out alone;
   * `false` for no budget. Default: one of the filter's own, 10 % of the calls and one a second.
   */
  readonly budget?: RetryBudget | false | undefined
}

/** What a hedge has done since it was made. */
export interface HedgeSnapshot extends FilterSnapshot {
  /** Calls that might have had a second attempt. */
  readonly calls: number
  /** Attempts beyond the first. */
  readonly hedged: number
  /** Calls that such an attempt has answered. */
  readonly won: number
  /** Attempts that the budget has refused. */
  readonly overBudget: number
  /** How many there may be now; `false` where there is no budget. */
  readonly budget: number | false
  /** What a call may take before its second attempt begins; null while too little is known. */
  readonly delayMs: number | null
}

interface Settings {
  readonly attempts: number
  readonly delayMs: number | undefined
  readonly percentile: number | undefined
  readonly delayMsMin: number | undefined
  readonly delayMsMax: number | undefined
  readonly messages: boolean
  readonly budget: RetryBudget | false | undefined
}

const spec: OptionsSpec<Settings> = {
  options: {
    attempts: integerOption(2, { min: 2, max: 5 }),
    delayMs: optional(durationOption(0, { min: 1 })),
    percentile: optional(numberOption(95, { min: 50, max: 99.9 })),
    delayMsMin: optional(durationOption(0, { min: 1 })),
    delayMsMax: optional(durationOption(0, { min: 1 })),
    messages: flagOption(false),
    budget: budgetOption,
  },
  together(settings) {
    if (settings.delayMs === undefined) {
      const { delayMsMin, delayMsMax } = observedDelay(settings)
      const message = `must not be below delayMsMin, ${delayMsMin}, but is ${delayMsMax}`
      return delayMsMin > delayMsMax ? [{ path: 'hedge.delayMsMax', message }] : []
    }
    const unused = observedNames.filter((name) => settings[name] !== undefined)
    return unused.map((name) => ({ path: `hedge.${name}`, message: 'has no use where delayMs is given' }))
  },
}

/** How the delay follows from what is observed. */
interface ObservedDelay {
  readonly percentile: number
  readonly delayMsMin: number
  readonly delayMsMax: number
}

const observedNames = ['percentile', 'delayMsMin', 'delayMsMax'] as const

function observedDelay(settings: Settings): ObservedDelay {
  const { percentile = 95, delayMsMin = 10, delayMsMax = 10_000 } = settings
  return { percentile, delayMsMin, delayMsMax }
}

/** Of the first attempts of late; of fewer nothing is concluded. */
const recent = { windowMs: 30_000, samplesMin: 50 }

/**
 * Makes a second attempt of an idempotent call beside a first one that takes longer than most; the first answer wins, and
 * the other attempt is cancelled. For the slowest answers of a callee with several instances: it adds the few percent of
 * load that its budget allows, and no more.
 *
 * Hedges slowness alone. A failure before the delay surfaces, for the retry to judge, whose waits spare a callee that
 * fails; one that comes while another attempt runs waits for that, unless no repetition would change it. Where all fail, the
 * failure of the first attempt surfaces. Stands inside the retry and outside of breaker and timeout, so that each attempt passes both.
 * Both attempts carry the same number, that of the retry.
 *
 * Events: `hedged` (id, attempt, delayMs) when an attempt beyond the first begins; `hedgeWon` (id, attempt) when it answers
 * first.
 *
 * @throws CONFIG_INVALID when options are wrong
 * @see Dean and Barroso, "The Tail at Scale" (2013)
 */
export function hedge(options: HedgeOptions, deps: FilterDeps): Filter {
  return new Hedge(readOptions('hedge', options, spec), deps)
}

/** As many calls at a time find their race made; more than that make their own. */
const freeMax = 256

class Hedge implements Filter, RaceHost, Continuation<number> {
  readonly role = 'hedge'
  readonly #settings: Settings
  readonly #observed: ObservedDelay
  readonly #deps: FilterDeps
  readonly #budget: RetryBudget | false
  readonly #latencies: LatencyQuantile
  readonly #free = new FreeList<Race>(freeMax)
  #calls = 0
  #hedged = 0
  #won = 0
  #overBudget = 0

  constructor(settings: Settings, deps: FilterDeps) {
    this.#settings = settings
    this.#observed = observedDelay(settings)
    this.#deps = deps
    this.#budget = settings.budget ?? retryBudget({ ratio: 0.1, perSecond: 1 }, deps.clock)
    this.#latencies = new LatencyQuantile({ quantile: this.#observed.percentile / 100, ...recent })
  }

  get attemptsMax(): number {
    return this.#settings.attempts
  }

  /** Hot path: a derived call, a cancellation and the promise; a race and its timer are used again. */
  apply<P, R>(call: Call<P>, next: Service<P, R>): MaybePromise<R> {
    if (!this.#wanted(call)) return next(call)
    this.#calls += 1
    if (this.#settings.budget === undefined && this.#budget !== false) this.#budget.deposit()
    const startedAtMs = this.nowMs()
    const delayMs = this.#delayMs(startedAtMs)
    if (delayMs === undefined) return this.#observe(next(call), startedAtMs)
    const source = cancelSource(call.cancellation)
    let result: MaybePromise<R>
    try {
      result = next(call.derive({ cancellation: source.token }))
    } catch (thrown) {
      source.release()
      throw thrown
    }
    if (isPromiseLike(result)) {
      const race = this.#free.take() ?? new Race(this.#deps.timers, this.#free)
      return race.run({ host: this, call, next, delayMs, startedAtMs }, result, source)
    }
    releaseAfter(source, result)
    return result
  }

  nowMs(): number {
    return this.#deps.clock.monotonicMs()
  }

  mayHedge(call: Call): boolean {
    if (call.cancellation.reason !== undefined || this.nowMs() >= call.deadlineAtMs) return false
    if (this.#budget === false || this.#budget.withdraw()) return true
    this.#overBudget += 1
    return false
  }

  hedged(call: Call, attempt: number, delayMs: number): void {
    this.#hedged += 1
    if (this.#deps.onEvent !== undefined)
      tell(this.#deps, { role: this.role, kind: 'hedged', id: call.id, attempt, delayMs })
  }

  answered(call: Call, attempt: number, startedAtMs: number): void {
    // Also where the first attempt has lost: it took this long at least. Without them there were no slow calls to be seen.
    this.#add(startedAtMs)
    if (attempt === 1) return
    this.#won += 1
    if (this.#deps.onEvent !== undefined) tell(this.#deps, { role: this.role, kind: 'hedgeWon', id: call.id, attempt })
  }

  succeeded(value: unknown, startedAtMs: number): unknown {
    this.#add(startedAtMs)
    return value
  }

  failed(thrown: unknown): never {
    throw thrown
  }

  describe(): FilterDescription {
    const { attempts, delayMs, messages } = this.#settings
    const budget = this.#settings.budget === undefined ? 'own' : this.#budget !== false && 'shared'
    const delay = delayMs === undefined ? this.#observed : { delayMs }
    return { role: this.role, attempts, ...delay, messages, budget }
  }

  snapshot(): HedgeSnapshot {
    return {
      role: this.role,
      calls: this.#calls,
      hedged: this.#hedged,
      won: this.#won,
      overBudget: this.#overBudget,
      budget: this.#budget === false ? false : this.#budget.balance(),
      delayMs: this.#delayMs(this.nowMs()) ?? null,
    }
  }

  #wanted(call: Call): boolean {
    if (!call.idempotent || call.overrides?.hedge === false) return false
    return this.#settings.messages || call.kind === 'request' || call.kind === 'serve'
  }

  #delayMs(nowMs: number): number | undefined {
    if (this.#settings.delayMs !== undefined) return this.#settings.delayMs
    const usualMs = this.#latencies.valueMs(nowMs)
    const { delayMsMin, delayMsMax } = this.#observed
    return usualMs === undefined ? undefined : Math.min(Math.max(usualMs, delayMsMin), delayMsMax)
  }

  #add(startedAtMs: number): void {
    if (this.#settings.delayMs !== undefined) return
    const nowMs = this.nowMs()
    this.#latencies.add(nowMs - startedAtMs, nowMs)
  }

  /** Too little is known yet for a second attempt: looks how long this one takes. */
  #observe<R>(result: MaybePromise<R>, startedAtMs: number): MaybePromise<R> {
    return isPromiseLike(result) ? continueWith(result, this, startedAtMs) : result
  }
}
