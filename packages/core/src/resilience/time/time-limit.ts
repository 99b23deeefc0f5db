import { type Call, type FilterSnapshot, type MaybePromise, PosthasteError, type Service } from '@posthaste/contracts'
import { cancelSource, releaseAfter } from '../../pipeline/cancellation.ts'
import type { FreeList } from '../../pipeline/free-list.ts'
import { isPromiseLike } from '../../pipeline/maybe-promise.ts'
import { type FilterDeps, tell } from '../../pipeline/stack.ts'
import { type Expiry, Running, runningOn } from './running.ts'

/** What a time limit has done since it was made. */
export interface TimeLimitSnapshot extends FilterSnapshot {
  /** Calls that were still running when their time was up. */
  readonly timedOut: number
  /** Calls that came when no time was left, and were not passed on. */
  readonly tooLate: number
}

/** Bounds calls in time, for the filters of a stack that do. */
export class TimeLimit implements Expiry {
  readonly #role: string
  readonly #deps: FilterDeps
  readonly #free: FreeList<Running>
  #timedOut = 0
  #tooLate = 0

  constructor(role: string, deps: FilterDeps) {
    this.#role = role
    this.#deps = deps
    this.#free = runningOn(deps.timers)
  }

  /**
   * Passes the call on with `timeoutMs`, or what is left of its own deadline if that is less; `Infinity` for its own
   * deadline alone. When the time is up the inner call is cancelled, and what it answers afterwards is dropped.
   *
   * Hot path: one derived call and one cancellation; a promise only where the answer is not there at once.
   *
   * @throws DEADLINE_EXCEEDED, without calling `next` if no time is left
   */
  apply<P, R>(call: Call<P>, next: Service<P, R>, timeoutMs: number): MaybePromise<R> {
    if (timeoutMs === Number.POSITIVE_INFINITY && call.deadlineAtMs === Number.POSITIVE_INFINITY) return next(call)
    const nowMs = this.#deps.clock.monotonicMs()
    const deadlineAtMs = Math.min(call.deadlineAtMs, nowMs + timeoutMs)
    if (deadlineAtMs <= nowMs) throw this.#refusal(call)

    const source = cancelSource(call.cancellation)
    const inner = call.derive({ deadlineAtMs, cancellation: source.token })
    let result: MaybePromise<R>
    try {
      result = next(inner)
    } catch (thrown) {
      source.release()
      throw thrown
    }
    if (isPromiseLike(result)) {
      const running = this.#free.take() ?? new Running(this.#deps.timers, this.#free)
      running.expiry = this
      running.startedAtMs = nowMs
      return running.follow(result, inner, source)
    }
    releaseAfter(source, result)
    return result
  }

  expired(call: Call, startedAtMs: number): PosthasteError {
    const timeoutMs = Math.round(call.deadlineAtMs - startedAtMs)
    this.#timedOut += 1
    if (this.#deps.onEvent !== undefined)
      tell(this.#deps, { role: this.#role, kind: 'timedOut', id: call.id, timeoutMs })
    return new PosthasteError('DEADLINE_EXCEEDED', `${call.target}: no answer within ${timeoutMs} ms`)
  }

  snapshot(): TimeLimitSnapshot {
    return { role: this.#role, timedOut: this.#timedOut, tooLate: this.#tooLate }
  }

  #refusal(call: Call): PosthasteError {
    this.#tooLate += 1
    return new PosthasteError('DEADLINE_EXCEEDED', `${call.target}: no time was left to begin`, notSent)
  }
}

const notSent = { notSent: true } as const
