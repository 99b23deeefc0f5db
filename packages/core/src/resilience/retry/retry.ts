import {
  type Call,
  type Filter,
  type FilterDescription,
  type FilterSnapshot,
  type MaybePromise,
  PosthasteError,
  type Service,
} from '@posthaste/contracts'
import { type Continuation, continueWith } from '../../pipeline/continuation.ts'
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
} from '../../pipeline/options.ts'
import { sleep } from '../../pipeline/sleep.ts'
import { type FilterDeps, tell } from '../../pipeline/stack.ts'
import { isWorthRetrying, wasNotSent } from '../failure.ts'
import { LatencyQuantile } from '../windows/latency-quantile.ts'
import { type Backoff, backoffMs, decorrelatedBackoffMs } from './backoff.ts'
import { budgetOption, type RetryBudget, retryBudget } from './retry-budget.ts'

/** When and how often a failed call is made again. */
export interface RetryOptions {
  /** Attempts in total, the first included, 1 to 100. Default: 3. */
  readonly attempts?: number | undefined
  /**
   * How waits are drawn. `full`: from 0 up to the longest wait, which grows with each attempt. `decorrelated`: from
   * `baseMs` up to a multiple of the wait before. Default: `full`, which puts least load on the callee.
   */
  readonly jitter?: 'full' | 'decorrelated' | undefined
  /** Longest wait before the second attempt, in milliseconds, from 0; decorrelated, the shortest one. Default: 50. */
  readonly baseMs?: number | undefined
  /** By how much the longest wait grows with each attempt, 1 to 100. Default: 2; decorrelated, 3. */
  readonly factor?: number | undefined
  /** The longest wait never exceeds this, in milliseconds, from 0. Default: 5,000. */
  readonly maxMs?: number | undefined
  /** A failure that asks for a longer wait than this, in milliseconds, is not retried here. Default: 10,000. */
  readonly retryAfterMaxMs?: number | undefined
  /**
   * `safe` repeats idempotent calls, and others only where the failure says that nothing was sent. `always` repeats any.
   * Default: `safe`.
   */
  readonly repeat?: 'safe' | 'always' | undefined
  /**
   * Which failures are worth another attempt, `made` having been made, the failed one included. Default: verdict
   * `retryable`, except BREAKER_OPEN.
   */
  readonly retryOn?: ((thrown: unknown, made: number) => boolean) | undefined
  /** Share one per client; `false` for no budget. Default: one of the filter's own, 20 % of the calls and one a second. */
  readonly budget?: RetryBudget | false | undefined
}

/** Why no other attempt was made where one would have made sense. */
export type RetryRefusal = 'attempts' | 'budget' | 'deadline' | 'retryAfter' | 'unsafe'

/** What a retry has done since it was made. */
export interface RetrySnapshot extends FilterSnapshot {
  readonly calls: number
  /** Attempts beyond the first. */
  readonly retried: number
  /** Calls that another attempt has saved. */
  readonly recovered: number
  /** Calls that failed where another attempt would have made sense, by why there was none. */
  readonly givenUp: Readonly<Record<RetryRefusal, number>>
  /** How many retries there may be now; `false` where there is no budget. */
  readonly budget: number | false
  /** What half of the attempts that succeeded of late took at most; null while too few did. */
  readonly usualMs: number | null
}

/** Options with defaults filled in; no budget means the default one. */
interface Settings extends Omit<Backoff, 'factor'> {
  readonly factor: number | undefined
  readonly jitter: 'full' | 'decorrelated'
  readonly attempts: number
  readonly retryAfterMaxMs: number
  readonly repeat: 'safe' | 'always'
  readonly retryOn: (thrown: unknown, made: number) => boolean
  readonly budget: RetryBudget | false | undefined
}

const spec: OptionsSpec<Settings> = {
  options: {
    attempts: integerOption(3, { min: 1, max: 100 }),
    jitter: choiceOption('full', ['full', 'decorrelated']),
    baseMs: durationOption(50),
    factor: optional(numberOption(2, { min: 1, max: 100 })),
    maxMs: durationOption(5_000),
    retryAfterMaxMs: durationOption(10_000),
    repeat: choiceOption('safe', ['safe', 'always']),
    retryOn: functionOption(isWorthRetrying),
    budget: budgetOption,
  },
  together: ({ baseMs, maxMs }) =>
    baseMs <= maxMs ? [] : [{ path: 'retry.maxMs', message: `must not be below baseMs, ${baseMs}, but is ${maxMs}` }],
}

/**
 * Makes failed calls again, each attempt derived anew from the call it was given, with the attempt's number. Waits grow
 * with jitter, and last at least as long as a failure's `retryAfterMs` asks for. Gives up, with the last failure as it is,
 * when the failure is not worth it; when the attempts, or those that the call asks for, or the budget are used up; when
 * the wait, and then the time that attempts usually take, would outlast the deadline; or when the call was cancelled, which
 * ends a wait at once. An answer that is a stream is an answer: once it began, nothing of it is repeated. Stands outside
 * timeout and breaker, so that each attempt passes both.
 *
 * Events: `retried` (id, attempt, delayMs, code) before the wait for another attempt; `givenUp` (id, made, reason, code)
 * where another attempt would have made sense and there was none, the reason being a {@link RetryRefusal}.
 *
 * @throws CONFIG_INVALID when options are wrong
 */
export function retry(options: RetryOptions, deps: FilterDeps): Filter {
  return new Retry(readOptions('retry', options, spec), deps)
}

/** An attempt under way. */
interface Attempt<P = unknown, R = unknown> {
  readonly call: Call<P>
  readonly next: Service<P, R>
  /** How many attempts were made here, this one included. Not `call.attempt`, which may count from elsewhere. */
  readonly made: number
  /** The backoff before it, in milliseconds; 0 for the first. */
  readonly backoffMs: number
  /** Monotonic; undefined where it is not measured. */
  readonly startedAtMs: number | undefined
}

/** What half of the attempts take, over the last half minute or minute; of fewer attempts nothing is concluded. */
const usual = { quantile: 0.5, windowMs: 30_000, samplesMin: 20 }

/** One call in so many is measured: enough to know what is usual, and the others need not read the clock. */
const measuredOneIn = 8

class Retry implements Filter, Continuation<Attempt> {
  readonly role = 'retry'
  readonly #settings: Settings
  readonly #backoff: Backoff
  readonly #deps: FilterDeps
  readonly #budget: RetryBudget | false
  readonly #latencies = new LatencyQuantile(usual)
  readonly #givenUp = { attempts: 0, budget: 0, deadline: 0, retryAfter: 0, unsafe: 0 }
  #calls = 0
  #retried = 0
  #recovered = 0

  constructor(settings: Settings, deps: FilterDeps) {
    const { baseMs, maxMs, jitter } = settings
    this.#settings = settings
    this.#backoff = { baseMs, maxMs, factor: settings.factor ?? (jitter === 'full' ? 2 : 3) }
    this.#deps = deps
    this.#budget = settings.budget ?? retryBudget({}, deps.clock)
  }

  /** Hot path: a call that succeeds costs a deposit, its attempt and, where it is asynchronous, one promise. */
  apply<P, R>(call: Call<P>, next: Service<P, R>): MaybePromise<R> {
    this.#calls += 1
    if (this.#budget !== false) this.#budget.deposit()
    const startedAtMs = this.#calls % measuredOneIn === 0 ? this.#deps.clock.monotonicMs() : undefined
    return this.#attempt({ call, next, made: 1, backoffMs: 0, startedAtMs })
  }

  succeeded(value: unknown, { made, startedAtMs }: Attempt): unknown {
    if (made > 1) this.#recovered += 1
    if (startedAtMs !== undefined) {
      const nowMs = this.#deps.clock.monotonicMs()
      this.#latencies.add(nowMs - startedAtMs, nowMs)
    }
    return value
  }

  failed(thrown: unknown, attempt: Attempt): unknown {
    const { call, made } = attempt
    const attempts = call.overrides?.attempts ?? this.#settings.attempts
    if (attempts === 1 || call.cancellation.reason !== undefined || !this.#settings.retryOn(thrown, made)) throw thrown
    const backoffMs = this.#backoffMs(attempt)
    const delayMs = askedDelayMs(thrown) + backoffMs
    const reason = made >= attempts ? 'attempts' : this.#refusal(thrown, call, delayMs)
    if (reason === undefined) return this.#again(thrown, attempt, { backoffMs, delayMs })
    this.#givenUp[reason] += 1
    if (this.#deps.onEvent !== undefined)
      tell(this.#deps, { role: this.role, kind: 'givenUp', id: call.id, made, reason, code: codeOf(thrown) })
    throw thrown
  }

  describe(): FilterDescription {
    const { attempts, jitter, retryAfterMaxMs, repeat } = this.#settings
    const budget = this.#settings.budget === undefined ? 'own' : this.#budget !== false && 'shared'
    return { role: this.role, attempts, jitter, ...this.#backoff, retryAfterMaxMs, repeat, budget }
  }

  snapshot(): RetrySnapshot {
    return {
      role: this.role,
      calls: this.#calls,
      retried: this.#retried,
      recovered: this.#recovered,
      givenUp: { ...this.#givenUp },
      budget: this.#budget === false ? false : this.#budget.balance(),
      usualMs: this.#latencies.valueMs(this.#deps.clock.monotonicMs()) ?? null,
    }
  }

  #attempt<P, R>(attempt: Attempt<P, R>): MaybePromise<R> {
    let result: MaybePromise<R>
    try {
      result = attempt.next(attempt.call)
    } catch (thrown) {
      return this.failed(thrown, attempt as Attempt) as MaybePromise<R>
    }
    if (isPromiseLike(result)) return continueWith(result, this, attempt as Attempt)
    if (attempt.made > 1) this.#recovered += 1
    return result
  }

  #again(
    thrown: unknown,
    { call, next, made }: Attempt,
    { backoffMs, delayMs }: { readonly backoffMs: number; readonly delayMs: number },
  ): MaybePromise<unknown> {
    const told = { id: call.id, attempt: call.attempt + 1, delayMs }
    this.#retried += 1
    this.#deps.log.debug('trying again', { target: call.target, ...told, error: thrown })
    if (this.#deps.onEvent !== undefined)
      tell(this.#deps, { role: this.role, kind: 'retried', ...told, code: codeOf(thrown) })
    const again = (): MaybePromise<unknown> =>
      this.#attempt({
        call: call.derive({ attempt: call.attempt + 1 }),
        next,
        made: made + 1,
        backoffMs,
        startedAtMs: undefined,
      })
    return delayMs === 0 ? again() : sleep(delayMs, this.#deps.timers, call.cancellation).then(again)
  }

  #backoffMs({ made, backoffMs: previousMs }: Attempt): number {
    const { random } = this.#deps
    return this.#settings.jitter === 'full'
      ? backoffMs(this.#backoff, made, random)
      : decorrelatedBackoffMs(this.#backoff, previousMs, random)
  }

  /** Why there is to be no other attempt after such a wait. Asks the budget last, as asking costs. */
  #refusal(thrown: unknown, call: Call, delayMs: number): RetryRefusal | undefined {
    const { repeat, retryAfterMaxMs } = this.#settings
    if (repeat === 'safe' && !call.idempotent && !wasNotSent(thrown)) return 'unsafe'
    if (askedDelayMs(thrown) > retryAfterMaxMs) return 'retryAfter'
    if (call.deadlineAtMs !== Number.POSITIVE_INFINITY) {
      const nowMs = this.#deps.clock.monotonicMs()
      const usualMs = this.#latencies.valueMs(nowMs) ?? 0
      if (nowMs + delayMs + usualMs >= call.deadlineAtMs) return 'deadline'
    }
    return this.#budget === false || this.#budget.withdraw() ? undefined : 'budget'
  }
}

function askedDelayMs(thrown: unknown): number {
  const asked = PosthasteError.is(thrown) ? thrown.retryAfterMs : undefined
  return asked !== undefined && asked > 0 ? asked : 0
}

function codeOf(thrown: unknown): string | undefined {
  return PosthasteError.is(thrown) ? thrown.code : undefined
}
