import { type Call, type Filter, type MaybePromise, PosthasteError } from '@posthaste/contracts'
import { describe, expect, it } from 'vitest'
import { createCall } from '../pipeline/call.ts'
import { compose } from '../pipeline/compose.ts'
import { buildStack, filterDeps, filterSlot } from '../pipeline/stack.ts'
import { manualClock } from '../testing/manual-clock.ts'
import { breaker } from './breaker/breaker.ts'
import { fallback } from './fallback/fallback.ts'
import { retry } from './retry/retry.ts'
import { deadline } from './time/deadline.ts'
import { timeout } from './time/timeout.ts'

const tickMs = 10

function setUp() {
  const clock = manualClock()
  const deps = filterDeps({ clock, random: () => 0.5, target: 't' })
  const filters: readonly Filter[] = [
    deadline({ timeoutMs: 1_000 }, deps),
    retry({ attempts: 3, baseMs: 20 }, deps),
    breaker({ callsMin: 4 }, deps),
    timeout({ timeoutMs: 100 }, deps),
  ]
  return { clock, deps, filters }
}

const rpc = createCall({ kind: 'serve', target: 'calc.Sum/add', id: 'r1', payload: { a: 20, b: 22 }, idempotent: true })
const message = createCall({
  kind: 'handle',
  target: 'shop.order.created@points',
  id: 'm1',
  payload: 'order',
  idempotent: true,
})

describe('the filters together', () => {
  it('stand around a call and around a message as the same values, and count for both', async () => {
    const { filters } = setUp()
    const add = compose(filters, ({ payload }: Call<{ a: number; b: number }>): number => payload.a + payload.b)
    const handled: string[] = []
    const handle = compose(filters, async ({ payload }: Call<string>): Promise<void> => {
      handled.push(payload)
    })
    const sum: MaybePromise<number> = add(rpc)
    expect(sum).toBe(42)
    await expect(handle(message)).resolves.toBeUndefined()
    expect(handled).toEqual(['order'])
    expect(filters[2]?.snapshot?.()).toMatchObject({ calls: 2, failures: 0 })
  })

  it('give each attempt a signal that lives, though the one before has timed out', async () => {
    const { clock, filters } = setUp()
    const signals: AbortSignal[] = []
    const abortedAtStart: boolean[] = []
    const handle = compose(filters, ({ signal, attempt }: Call<string>): Promise<string> => {
      signals.push(signal)
      abortedAtStart.push(signal.aborted)
      return attempt < 3 ? new Promise(() => {}) : Promise.resolve('done')
    })
    const result = handle(message)
    await clock.advance(500)
    await expect(result).resolves.toBe('done')
    expect(abortedAtStart).toEqual([false, false, false])
    expect(signals.map(({ aborted }) => aborted)).toEqual([true, true, false])
    expect(new Set(signals).size).toBe(3)
  })

  it('do not outlive the deadline, whatever the attempts would take', async () => {
    const { clock, filters } = setUp()
    const startMs = clock.monotonicMs()
    const deadlines: number[] = []
    const call = rpc.derive({ deadlineAtMs: startMs + 150 })
    const hanging = compose(filters, ({ deadlineAtMs }: Call) => {
      deadlines.push(deadlineAtMs - startMs)
      return new Promise(() => {})
    })
    let endedAfterMs = 0
    const failing = expect(
      Promise.resolve(hanging(call)).finally(() => {
        endedAfterMs = clock.monotonicMs() - startMs
      }),
    ).rejects.toMatchObject({ code: 'DEADLINE_EXCEEDED' })
    await clock.advance(1_000)
    await failing
    expect(endedAfterMs).toBeLessThanOrEqual(150 + tickMs)
    expect(deadlines).toEqual([100, 150])
  })

  it('pause a consumer while the breaker is open', async () => {
    const { clock, deps, filters } = setUp()
    const stack = buildStack(
      filters.map((filter) => filterSlot(filter)),
      {},
      deps,
    )
    const handle = stack.around(
      (): Promise<void> => Promise.reject(new PosthasteError('UNAVAILABLE', 'the database is down')),
    )
    const all = Promise.allSettled([handle(message), handle(message)])
    await clock.advance(200)
    await all
    expect(stack.notReadyForMs()).toBeGreaterThan(4_000)
    await clock.advance(5_000)
    expect(stack.notReadyForMs()).toBe(0)
  })

  it('answer from the fallback once the breaker refuses', async () => {
    const { clock, deps, filters } = setUp()
    const stock = compose(
      [fallback({ answer: () => -1 }, deps), ...filters],
      (): Promise<number> => Promise.reject(new PosthasteError('UNAVAILABLE', 'down')),
    )
    const answers = Promise.all([stock(rpc), stock(rpc), stock(rpc)])
    await clock.advance(500)
    await expect(answers).resolves.toEqual([-1, -1, -1])
    expect(await stock(rpc)).toBe(-1)
    expect(clock.pending()).toBeLessThanOrEqual(1)
  })
})
