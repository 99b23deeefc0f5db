import { type Call, type MaybePromise, PosthasteError, type Service } from '@posthaste/contracts'
import { cancelSource } from '../../pipeline/cancellation.ts'
import { isPromiseLike } from '../../pipeline/maybe-promise.ts'
import type { FilterDeps } from '../../pipeline/stack.ts'

/**
 * Passes the call on with `timeoutMs`, or what is left of its own deadline if that is less. When the time is up the inner
 * call is cancelled, and what it answers afterwards is dropped.
 *
 * Hot path: one derived call and one cancellation; a timer and a promise only where the answer is not there at once.
 *
 * @throws DEADLINE_EXCEEDED, without calling `next` if no time is left
 */
export function limitTime<P, R>(call: Call<P>, next: Service<P, R>, limit: TimeLimit): MaybePromise<R> {
  const nowMs = limit.deps.clock.monotonicMs()
  const deadlineAtMs = Math.min(call.deadlineAtMs, nowMs + limit.timeoutMs)
  if (deadlineAtMs === Number.POSITIVE_INFINITY) return next(call)
  const leftMs = deadlineAtMs - nowMs
  if (leftMs <= 0) throw new PosthasteError('DEADLINE_EXCEEDED', `${call.target}: no time was left to begin`, notSent)

  const source = cancelSource(call.cancellation)
  const inner = call.derive({ deadlineAtMs, cancellation: source.token })
  let result: MaybePromise<R>
  try {
    result = next(inner)
  } catch (thrown) {
    source.release()
    throw thrown
  }
  if (!isPromiseLike(result)) {
    if (!isStream(result)) source.release()
    return result
  }
  const answer = result
  return new Promise((resolve, reject) => {
    const timer = limit.deps.timers.set(leftMs, () => {
      const expired = new PosthasteError(
        'DEADLINE_EXCEEDED',
        `${call.target}: no answer within ${Math.round(leftMs)} ms`,
      )
      reject(expired)
      source.cancel(expired)
    })
    // Both handlers stay in place after the time is up, so that a late rejection is handled by nobody caring.
    answer.then(
      (value) => {
        timer.cancel()
        if (!isStream(value)) source.release()
        resolve(value)
      },
      (thrown) => {
        timer.cancel()
        source.release()
        reject(thrown)
      },
    )
  })
}

/** How much time there is, and what to measure it with. */
export interface TimeLimit {
  /** `Infinity` for the call's own deadline alone. */
  readonly timeoutMs: number
  readonly deps: FilterDeps
}

const notSent = { notSent: true } as const

/** A stream has only begun when its head is there: the caller's cancellation must go on reaching it. */
function isStream(value: unknown): boolean {
  return typeof value === 'object' && value !== null && Symbol.asyncIterator in value
}
