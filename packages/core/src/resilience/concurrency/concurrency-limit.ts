import {
  type Call,
  type ErrorCode,
  type Filter,
  type FilterDescription,
  type FilterSnapshot,
  type Issue,
  type MaybePromise,
  PosthasteError,
  type Service,
} from '@posthaste/contracts'
import { type Continuation, continueWith } from '../../pipeline/continuation.ts'
import { isPromiseLike } from '../../pipeline/maybe-promise.ts'
import {
  choiceOption,
  durationOption,
  integerOption,
  numberOption,
  type OptionsSpec,
  optional,
  readOptions,
} from '../../pipeline/options.ts'
import { type FilterDeps, tell } from '../../pipeline/stack.ts'
import { fullRecheckMs, overloaded } from '../bulkhead/slots.ts'
import { Turns } from '../bulkhead/turns.ts'
import { Aimd } from './aimd.ts'
import type { Admitted, LimitAlgorithm } from './algorithm.ts'
import { Gradient2 } from './gradient2.ts'

/** How the number of calls at a time is found. */
export interface ConcurrencyLimitOptions {
  /**
   * `gradient2` goes by how much longer calls take than they usually do, and so notices a queue at the callee before anything
   * fails; `aimd` by calls that are dropped or slow. Default: `gradient2`.
   */
  readonly algorithm?: 'gradient2' | 'aimd' | undefined
  /** The limit to begin with, 1 to 1,000,000. Default: 20. */
  readonly initial?: number | undefined
  /**
   * The limit is never lower, 1 to 1,000,000. Every caller keeps as many calls under way, however busy the callee is.
   * Default: 4, or `initial` where that is less.
   */
  readonly min?: number | undefined
  /** The limit is never higher, 1 to 1,000,000. Default: 200, or `initial` where that is more. */
  readonly max?: number | undefined
  /** `gradient2`: how much longer than usual calls may take before the limit shrinks, 1 to 10. Default: 1.5. */
  readonly tolerance?: number | undefined
  /** `gradient2`: by how many the limit grows while they do not, 0 to 1,000. Default: 4. */
  readonly queueSize?: number | undefined
  /** `gradient2`: how much of each change is made, 0.01 to 1. Default: 0.2. */
  readonly smoothing?: number | undefined
  /** `gradient2`: the limit changes so often at most, in milliseconds, 10 to 60,000, and only by ten calls. Default: 1,000. */
  readonly windowMs?: number | undefined
  /** `aimd`: what is left of the limit after a call that was dropped or slow, 0.5 to 0.99. Default: 0.9. */
  readonly backoffRatio?: number | undefined
  /**
   * `aimd`: a call that takes longer is slow, in milliseconds, from 1. About half of what an attempt may take: a limit that
   * only sees what came too late grows until work is lost. Default: 5,000.
   */
  readonly slowMs?: number | undefined
}

interface Settings {
  readonly algorithm: 'gradient2' | 'aimd'
  readonly initial: number
  readonly min: number | undefined
  readonly max: number | undefined
  readonly tolerance: number | undefined
  readonly queueSize: number | undefined
  readonly smoothing: number | undefined
  readonly windowMs: number | undefined
  readonly backoffRatio: number | undefined
  readonly slowMs: number | undefined
}

const calls = { min: 1, max: 1_000_000 }
const minDefault = 4

const spec: OptionsSpec<Settings> = {
  options: {
    algorithm: choiceOption('gradient2', ['gradient2', 'aimd']),
    initial: integerOption(20, calls),
    min: optional(integerOption(minDefault, calls)),
    max: optional(integerOption(200, calls)),
    tolerance: optional(numberOption(1.5, { min: 1, max: 10 })),
    queueSize: optional(integerOption(4, { min: 0, max: 1_000 })),
    smoothing: optional(numberOption(0.2, { min: 0.01, max: 1 })),
    windowMs: optional(durationOption(1_000, { min: 10, max: 60_000 })),
    backoffRatio: optional(numberOption(0.9, { min: 0.5, max: 0.99 })),
    slowMs: optional(durationOption(5_000, { min: 1 })),
  },
  together: (settings) => [...strangers(settings), ...outOfBounds(settings)],
}

const ofGradient2 = ['tolerance', 'queueSize', 'smoothing', 'windowMs'] as const
const ofAimd = ['backoffRatio', 'slowMs'] as const

/** What belongs to the other algorithm would be ignored. */
function strangers(settings: Settings): Issue[] {
  const others = settings.algorithm === 'aimd' ? ofGradient2 : ofAimd
  return others
    .filter((name) => settings[name] !== undefined)
    .map((name) => ({ path: `concurrencyLimit.${name}`, message: `is not an option of ${settings.algorithm}` }))
}

function outOfBounds({ initial, min = 1, max = initial }: Settings): Issue[] {
  if (min <= initial && initial <= max) return []
  return [{ path: 'concurrencyLimit.initial', message: `must be from min, ${min}, to max, ${max}, but is ${initial}` }]
}

/** Failures that tell of too much: the callee refused, could not be reached, or took too long. */
const drops: ReadonlySet<ErrorCode> = new Set<ErrorCode>(['OVERLOADED', 'DEADLINE_EXCEEDED', 'UNAVAILABLE'])

/** About how long those that are turned away should wait, in milliseconds: until the limit may be another. */
const refusedWaitMs = 1_000

/** The limit may change with every call; it is news this often at most, in milliseconds. */
const newsEveryMs = 1_000

/**
 * Finds out how many calls at a time a callee can do, and lets no more through: the queue stays short and what is let
 * through is answered, however much is asked for. Refuses with OVERLOADED, `notSent` and `retryAfterMs`. A place is taken
 * until the call has ended, a stream's with its head (around methods of services, with its end); one that a time limit inside
 * of it has given up has ended, for it is what callers wait that tells how busy the callee is. Learns from answers and from
 * OVERLOADED, DEADLINE_EXCEEDED and UNAVAILABLE; other failures, cancelled calls and answers that are there at once say
 * nothing.
 *
 * While no place is free a consumer takes no messages on; a message that is refused nevertheless goes back without counting
 * an attempt. The same value may stand around several services and consumers: then they share the limit.
 *
 * Tells `refused` (`limit`) and, at most once a second, `limitChanged` (`from`, `to`).
 *
 * @throws CONFIG_INVALID when options are wrong
 * @see Netflix concurrency-limits
 */
export function concurrencyLimit(options: ConcurrencyLimitOptions, deps: FilterDeps): Filter {
  return new ConcurrencyLimit(readOptions('concurrencyLimit', options, spec), deps)
}

class ConcurrencyLimit implements Filter, Continuation<Admitted> {
  readonly role = 'concurrencyLimit'
  readonly #description: FilterDescription
  readonly #deps: FilterDeps
  readonly #algorithm: LimitAlgorithm
  readonly #turns = new Turns()
  #inFlight = 0
  #peak = 0
  #refused = 0
  #dropped = 0
  #toldLimit: number
  #toldAtMs = Number.NEGATIVE_INFINITY

  constructor(settings: Settings, deps: FilterDeps) {
    const { algorithm, initial } = settings
    const bounds = {
      initial,
      min: settings.min ?? Math.min(minDefault, initial),
      max: settings.max ?? Math.max(200, initial),
    }
    this.#deps = deps
    if (algorithm === 'aimd') {
      const rest = { ...bounds, backoffRatio: settings.backoffRatio ?? 0.9, slowMs: settings.slowMs ?? 5_000 }
      this.#algorithm = new Aimd(rest)
      this.#description = { role: this.role, algorithm, ...rest }
    } else {
      const { tolerance = 1.5, queueSize = 4, smoothing = 0.2, windowMs = 1_000 } = settings
      const rest = { ...bounds, tolerance, queueSize, smoothing, windowMs }
      this.#algorithm = new Gradient2({ ...rest, samplesMin: 10 })
      this.#description = { role: this.role, algorithm, ...rest }
    }
    this.#toldLimit = this.#limit
  }

  /** Hot path: reads the clock, counts up and down, and where it is asynchronous one object and one promise. */
  apply<P, R>(call: Call<P>, next: Service<P, R>): MaybePromise<R> {
    if (this.#inFlight >= this.#limit) throw this.#refusal(call)
    const startedAtMs = this.#deps.clock.monotonicMs()
    this.#inFlight += 1
    const inFlight = this.#inFlight
    if (inFlight > this.#peak) this.#peak = inFlight
    let result: MaybePromise<R>
    try {
      result = next(call)
    } catch (thrown) {
      return this.failed(thrown, { startedAtMs, inFlight })
    }
    if (isPromiseLike(result)) return continueWith(result, this, { startedAtMs, inFlight })
    this.#leave()
    return result
  }

  succeeded<R>(value: R, call: Admitted): R {
    this.#ended(call, false)
    return value
  }

  failed(thrown: unknown, call: Admitted): never {
    if (PosthasteError.is(thrown) && drops.has(thrown.code)) {
      this.#dropped += 1
      this.#ended(call, true)
    } else {
      this.#leave()
    }
    throw thrown
  }

  notReadyForMs(): number {
    return this.#inFlight >= this.#limit ? fullRecheckMs : 0
  }

  onceReady(wake: () => void): () => void {
    return this.#turns.add(wake)
  }

  describe(): FilterDescription {
    return this.#description
  }

  snapshot(): FilterSnapshot {
    const counted = { peak: this.#peak, refused: this.#refused, dropped: this.#dropped }
    return { role: this.role, limit: this.#limit, inFlight: this.#inFlight, ...counted, ...this.#algorithm.figures() }
  }

  get #limit(): number {
    return Math.floor(this.#algorithm.limit)
  }

  #ended(call: Admitted, dropped: boolean): void {
    const nowMs = this.#deps.clock.monotonicMs()
    this.#algorithm.ended(call, nowMs, dropped)
    if (this.#deps.onEvent !== undefined) this.#tellLimit(nowMs)
    this.#leave()
  }

  #leave(): void {
    this.#inFlight -= 1
    if (this.#inFlight < this.#limit) this.#turns.next()
  }

  #tellLimit(nowMs: number): void {
    const from = this.#toldLimit
    const to = this.#limit
    if (from === to || nowMs - this.#toldAtMs < newsEveryMs) return
    this.#toldLimit = to
    this.#toldAtMs = nowMs
    tell(this.#deps, { role: this.role, kind: 'limitChanged', from, to })
  }

  #refusal(call: Call): PosthasteError {
    this.#refused += 1
    const limit = this.#limit
    if (this.#deps.onEvent !== undefined) tell(this.#deps, { role: this.role, kind: 'refused', limit })
    const message = `${call.target}: ${limit} calls are under way, and more would only have to wait there`
    return overloaded(message, refusedWaitMs, this.#deps)
  }
}
