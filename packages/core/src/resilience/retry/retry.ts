import {
  type Call,
  type Filter,
  type FilterDescription,
  type MaybePromise,
  PosthasteError,
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
  readOptions,
} from '../../pipeline/options.ts'
import { sleep } from '../../pipeline/sleep.ts'
import type { FilterDeps } from '../../pipeline/stack.ts'
import { isWorthRetrying, wasNotSent } from '../failure.ts'
import { type Backoff, backoffMs } from './backoff.ts'
import { type RetryBudget, retryBudget } from './retry-budget.ts'

/** When and how often a failed call is made again. */
export interface RetryOptions {
  /** Attempts in total, the first included, 1 to 100. Default: 3. */
  readonly attempts?: number | undefined
  /** Longest wait before the second attempt, in milliseconds, from 0. Waits are drawn from 0 up to it. Default: 50. */
  readonly baseMs?: number | undefined
  /** By how much the longest wait grows with each attempt, 1 to 100. Default: 2. */
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
  /** Share one per client; `false` for no budget. Default: one of the filter's own, 20 % of the calls and 10 a second. */
  readonly budget?: RetryBudget | false | undefined
}

/** Options with defaults filled in; no budget means the default one. */
interface Settings extends Backoff {
  readonly attempts: number
  readonly retryAfterMaxMs: number
  readonly repeat: 'safe' | 'always'
  readonly retryOn: (thrown: unknown, made: number) => boolean
  readonly budget: RetryBudget | false | undefined
}

const spec: OptionsSpec<Settings> = {
  options: {
    attempts: integerOption(3, { min: 1, max: 100 }),
    baseMs: durationOption(50),
    factor: numberOption(2, { min: 1, max: 100 }),
    maxMs: durationOption(5_000),
    retryAfterMaxMs: durationOption(10_000),
    repeat: choiceOption('safe', ['safe', 'always']),
    retryOn: functionOption(isWorthRetrying),
    budget: { fallback: undefined, expects: 'a retry budget or false', accepts: isBudget },
  },
  together: ({ baseMs, maxMs }) =>
    baseMs <= maxMs ? [] : [{ path: 'retry.maxMs', message: `must not be below baseMs, ${baseMs}, but is ${maxMs}` }],
}

/**
 * Makes failed calls again, each attempt derived anew from the call it was given, with the attempt's number. Waits grow
 * exponentially with full jitter, and last at least as long as a failure's `retryAfterMs` asks for. Gives up, with the last failure as it
 * is, when the attempts or the budget are used up, the failure is not worth it, the wait would outlast the deadline, or
 * the call was cancelled; cancelling ends a wait at once. Stands outside timeout and breaker, so that each attempt passes both.
 *
 * @throws CONFIG_INVALID when options are wrong
 */
export function retry(options: RetryOptions, deps: FilterDeps): Filter {
  return new Retry(readOptions('retry', options, spec), deps)
}

/** An attempt that failed. */
interface Failed<P, R> {
  readonly call: Call<P>
  readonly next: Service<P, R>
  /** How many attempts were made here, this one included. Not `call.attempt`, which may count from elsewhere. */
  readonly made: number
}

class Retry implements Filter {
  readonly role = 'retry'
  readonly #settings: Settings
  readonly #deps: FilterDeps
  readonly #budget: RetryBudget | false

  constructor(settings: Settings, deps: FilterDeps) {
    this.#settings = settings
    this.#deps = deps
    this.#budget = settings.budget ?? retryBudget({}, deps.clock)
  }

  /** Hot path: a call that succeeds costs a deposit and, where it is asynchronous, one promise. */
  apply<P, R>(call: Call<P>, next: Service<P, R>): MaybePromise<R> {
    if (this.#budget !== false) this.#budget.deposit()
    return this.#attempt(call, next, 1)
  }

  describe(): FilterDescription {
    const { attempts, baseMs, factor, maxMs, retryAfterMaxMs, repeat } = this.#settings
    const budget = this.#budget === false ? false : this.#budget.balance()
    return { role: this.role, attempts, baseMs, factor, maxMs, retryAfterMaxMs, repeat, budget }
  }

  #attempt<P, R>(call: Call<P>, next: Service<P, R>, made: number): MaybePromise<R> {
    let result: MaybePromise<R>
    try {
      result = next(call)
    } catch (thrown) {
      return this.#failed(thrown, { call, next, made })
    }
    return isPromiseLike(result)
      ? result.then(undefined, (thrown) => this.#failed(thrown, { call, next, made }))
      : result
  }

  #failed<P, R>(thrown: unknown, failed: Failed<P, R>): MaybePromise<R> {
    const delayMs = this.#delayMs(thrown, failed.call, failed.made)
    if (delayMs === undefined) throw thrown
    const { call, next, made } = failed
    this.#deps.log.debug('trying again', {
      target: call.target,
      id: call.id,
      attempt: call.attempt,
      delayMs,
      error: thrown,
    })
    const again = (): MaybePromise<R> => this.#attempt(call.derive({ attempt: call.attempt + 1 }), next, made + 1)
    return delayMs === 0 ? again() : sleep(delayMs, this.#deps.timers, call.cancellation).then(again)
  }

  /** How long to wait before the next attempt; undefined if there is to be none. Asks the budget last, as asking costs. */
  #delayMs(thrown: unknown, call: Call, made: number): number | undefined {
    const { attempts, retryOn, repeat, retryAfterMaxMs } = this.#settings
    if (made >= attempts || call.cancellation.reason !== undefined || !retryOn(thrown, made)) return undefined
    if (repeat === 'safe' && !call.idempotent && !wasNotSent(thrown)) return undefined
    const askedMs = askedDelayMs(thrown)
    if (askedMs > retryAfterMaxMs) return undefined
    const delayMs = askedMs + backoffMs(this.#settings, made, this.#deps.random)
    if (this.#deps.clock.monotonicMs() + delayMs >= call.deadlineAtMs) return undefined
    return this.#budget === false || this.#budget.withdraw() ? delayMs : undefined
  }
}

function askedDelayMs(thrown: unknown): number {
  const asked = PosthasteError.is(thrown) ? thrown.retryAfterMs : undefined
  return asked !== undefined && asked > 0 ? asked : 0
}

function isBudget(value: unknown): boolean {
  return value === false || (typeof value === 'object' && value !== null && 'withdraw' in value && 'deposit' in value)
}
