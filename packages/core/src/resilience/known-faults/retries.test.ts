import { type Filter, PosthasteError, type Service } from '@posthaste/contracts'
import { describe, expect, it } from 'vitest'
import { createCall } from '../../pipeline/call.ts'
import { cancelSource } from '../../pipeline/cancellation.ts'
import { compose } from '../../pipeline/compose.ts'
import { filterDeps } from '../../pipeline/stack.ts'
import { manualClock } from '../../testing/manual-clock.ts'
import { backoffMs } from '../retry/backoff.ts'
import { type RetryOptions, retry } from '../retry/retry.ts'
import { retryBudget } from '../retry/retry-budget.ts'
import { deadline } from '../time/deadline.ts'

// Faults that retries of other libraries were found to have, each as what ours does instead.

const given = { kind: 'request', target: 't', id: '1', payload: 1, idempotent: true } as const
const unavailable = new PosthasteError('UNAVAILABLE', 'down')
const gone = new PosthasteError('CANCELLED', 'gone')
const tickMs = 10

function setUp() {
  const clock = manualClock()
  const deps = filterDeps({ clock, random: () => 0.5 })
  let attempts = 0
  const failing =
    (thrown: unknown): Service<number, never> =>
    () => {
      attempts++
      throw thrown
    }
  const run = (filters: readonly Filter[], thrown: unknown, call = createCall(given)) => {
    const beganAtMs = clock.monotonicMs()
    const service = async () => compose(filters, failing(thrown))(call)
    return service().then(
      () => ({ thrown: undefined, afterMs: clock.monotonicMs() - beganAtMs }),
      (final: unknown) => ({ thrown: final, afterMs: clock.monotonicMs() - beganAtMs }),
    )
  }
  const retrying = (options: RetryOptions) => retry(options, deps)
  return { clock, deps, run, retrying, attempts: () => attempts }
}

describe('a retry', () => {
  it('ends its wait at once when its caller gives up, and makes no attempt after that', async () => {
    const { clock, run, retrying, attempts } = setUp()
    const source = cancelSource()
    const ending = run([retrying({ baseMs: 5_000 })], unavailable, createCall({ ...given, cancellation: source.token }))
    await clock.advance(100)
    source.cancel(gone)
    await expect(ending).resolves.toEqual({ thrown: gone, afterMs: 100 })
    await clock.advance(60_000)
    expect(attempts()).toBe(1)
    expect(clock.pending()).toBeLessThanOrEqual(1)
  })

  it('makes no attempt once the time for the whole call is over, and does not wait for that either', async () => {
    const { clock, deps, run, retrying, attempts } = setUp()
    const ending = run([deadline({ timeoutMs: 100 }, deps), retrying({ attempts: 10, baseMs: 1_000 })], unavailable)
    await clock.advance(0)
    await expect(ending).resolves.toEqual({ thrown: unavailable, afterMs: 0 })
    await clock.advance(60_000)
    expect(attempts()).toBe(1)
  })

  it('multiplies nothing over three services, each of which retries: a budget bounds it', async () => {
    const { clock, deps } = setUp()
    const tier = () => retry({ attempts: 3, baseMs: 10, maxMs: 100, budget: retryBudget({}, clock) }, deps)
    let reached = 0
    const chain = compose([tier(), tier(), tier()], () => {
      reached++
      return Promise.reject(unavailable)
    })
    const calls = 1_000
    const all = Array.from({ length: calls }, () => Promise.resolve(chain(createCall(given))).catch(() => {}))
    await clock.advance(10_000)
    await Promise.all(all)
    // A fifth more in each, and the reserve of each.
    expect(reached).toBeLessThan(2 * calls)
  })

  it('waits for as many milliseconds as a failure asks for, and no shorter', async () => {
    const { clock, run, retrying, attempts } = setUp()
    const later = new PosthasteError('UNAVAILABLE', 'later', { retryAfterMs: 2_000 })
    void run([retrying({ baseMs: 10 })], later)
    await clock.advance(2_000)
    expect(attempts()).toBe(1)
    await clock.advance(10 + tickMs)
    expect(attempts()).toBe(2)
  })

  it('repeats what may have reached its callee only if it is idempotent', async () => {
    const made = async (idempotent: boolean, notSent: boolean): Promise<number> => {
      const { clock, run, retrying, attempts } = setUp()
      const failure = new PosthasteError('UNAVAILABLE', 'down', { notSent })
      const ending = run([retrying({})], failure, createCall({ ...given, idempotent }))
      await clock.advance(60_000)
      await ending
      return attempts()
    }
    expect([await made(false, false), await made(false, true), await made(true, false)]).toEqual([1, 3, 3])
  })

  it('does not repeat the caller’s mistakes, however often it may try', async () => {
    const { clock, run, retrying, attempts } = setUp()
    const ending = run([retrying({ attempts: 100 })], new PosthasteError('INVALID_ARGUMENT', 'wrong'))
    await clock.advance(60_000)
    await ending
    expect(attempts()).toBe(1)
  })

  it('tells each attempt its number', async () => {
    const { clock, retrying } = setUp()
    const numbers: number[] = []
    const ending = Promise.resolve(
      compose([retrying({})], ({ attempt }) => {
        numbers.push(attempt)
        return Promise.reject(unavailable)
      })(createCall(given)),
    ).catch(() => {})
    await clock.advance(60_000)
    await ending
    expect(numbers).toEqual([1, 2, 3])
  })

  it('waits for a number within its bound, after two thousand attempts too', () => {
    for (let failed = 1; failed <= 2_000; failed++) {
      const waitMs = backoffMs({ baseMs: 100, factor: 2, maxMs: 5_000 }, failed, Math.random)
      expect(waitMs >= 0 && waitMs <= 5_000).toBe(true)
    }
  })

  it('spreads callers that failed together over the whole wait', () => {
    const backoff = { baseMs: 1_000, factor: 2, maxMs: 1_000 }
    expect([0, 0.5, 0.999].map((drawn) => Math.round(backoffMs(backoff, 1, () => drawn)))).toEqual([0, 500, 999])
  })
})
