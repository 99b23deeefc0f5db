import {
  type MaybePromise,
  PosthasteError,
  type RateDecision,
  type RateLimit,
  type RateLimitStore,
} from '@posthaste/contracts'
import { isPromiseLike } from '../../pipeline/maybe-promise.ts'
import { type FilterDeps, tell } from '../../pipeline/stack.ts'

/** What is asked of a store. */
export interface SharedAsk {
  readonly key: string
  readonly units: number
  readonly limit: RateLimit
}

/** How a store is asked. */
export interface SharedRateInit {
  readonly store: RateLimitStore
  /** How long its answer is waited for, in milliseconds. */
  readonly timeoutMs: number
  /** Decides in its place. */
  readonly otherwise: (ask: SharedAsk) => RateDecision
  readonly deps: FilterDeps
}

/** A store that did not answer is left alone for so long, so that not every call waits for it in vain. */
export const storePauseMs = 1_000

/** A rate that a store keeps. Calls do not wait for long for a store that does not answer. */
export class SharedRate {
  readonly #init: SharedRateInit
  #failures = 0
  #pausedUntilMs = Number.NEGATIVE_INFINITY

  constructor(init: SharedRateInit) {
    this.#init = init
  }

  /** How often the store did not answer. */
  get failures(): number {
    return this.#failures
  }

  take(ask: SharedAsk): MaybePromise<RateDecision> {
    const { store, otherwise, deps } = this.#init
    if (deps.clock.monotonicMs() < this.#pausedUntilMs) return otherwise(ask)
    let answer: MaybePromise<RateDecision>
    try {
      answer = store.take(ask.key, ask.units, ask.limit)
    } catch (thrown) {
      return this.#failed(thrown, ask)
    }
    return isPromiseLike(answer) ? this.#inTime(answer, ask) : answer
  }

  #inTime(answer: PromiseLike<RateDecision>, ask: SharedAsk): Promise<RateDecision> {
    const { store, timeoutMs, deps } = this.#init
    return new Promise((resolve) => {
      let waiting = true
      const end = (decide: () => RateDecision): void => {
        if (!waiting) return
        waiting = false
        timer.cancel()
        resolve(decide())
      }
      const timer = deps.timers.set(timeoutMs, () => {
        const late = new PosthasteError(
          'UNAVAILABLE',
          `the rate limit store ${store.name} did not answer in ${timeoutMs} ms`,
        )
        end(() => this.#failed(late, ask))
      })
      answer.then(
        (decision) => end(() => decision),
        (thrown) => end(() => this.#failed(thrown, ask)),
      )
    })
  }

  #failed(thrown: unknown, ask: SharedAsk): RateDecision {
    const { store, deps, otherwise } = this.#init
    const nowMs = deps.clock.monotonicMs()
    // Those that were on their way together fail together, and are one piece of news.
    if (nowMs >= this.#pausedUntilMs) {
      this.#pausedUntilMs = nowMs + storePauseMs
      deps.log.warn('a rate limit store does not answer', { target: deps.target, store: store.name, error: thrown })
      tell(deps, { role: 'rateLimit', kind: 'storeFailed', store: store.name, error: thrown })
    }
    this.#failures += 1
    return otherwise(ask)
  }
}
