import { type Filter, PosthasteError } from '@posthaste/contracts'
import { describe, expect, it } from 'vitest'
import { createCall } from '../../pipeline/call.ts'
import { cancelSource } from '../../pipeline/cancellation.ts'
import { compose } from '../../pipeline/compose.ts'
import { filterDeps } from '../../pipeline/stack.ts'
import { manualClock } from '../../testing/manual-clock.ts'
import { type BulkheadOptions, bulkhead } from '../bulkhead/bulkhead.ts'
import { deadline } from '../time/deadline.ts'

// Faults that bulkheads of other libraries were found to have, each as what ours does instead.

const given = { kind: 'request', target: 't', id: '1', payload: 1 } as const
const tickMs = 10

function setUp(options: Partial<BulkheadOptions> = {}) {
  const clock = manualClock()
  const deps = filterDeps({ clock })
  const filter = bulkhead({ concurrency: 1, queue: 1, queueTimeoutMs: 1_000, ...options }, deps)
  const first = Promise.withResolvers<number>()
  const run = (service: () => unknown, call = createCall(given)) => {
    const state = { ended: 'no' as unknown }
    const ending = (async () => compose([filter], service)(call))()
    ending.then(
      (value) => {
        state.ended = value
      },
      (thrown: unknown) => {
        state.ended = PosthasteError.is(thrown) ? thrown.code : thrown
      },
    )
    return state
  }
  return { clock, deps, filter, first, run }
}

describe('a bulkhead', () => {
  it('lets nobody wait for ever', async () => {
    const { clock, first, run } = setUp()
    run(() => first.promise)
    const waiting = run(() => 2)
    await clock.advance(1_000 + tickMs)
    expect(waiting.ended).toBe('OVERLOADED')
  })

  it('tells who gave up at once, and gives the place in the queue to another', async () => {
    const { clock, first, run } = setUp()
    run(() => first.promise)
    const source = cancelSource()
    const waiting = run(() => 2, createCall({ ...given, cancellation: source.token }))
    await clock.advance(0)
    source.cancel(new PosthasteError('CANCELLED', 'gone'))
    await clock.advance(0)
    expect(waiting.ended).toBe('CANCELLED')
    const another = run(() => 3)
    first.resolve(1)
    await clock.advance(0)
    expect(another.ended).toBe(3)
  })

  it.each([
    ['outside', (limit: Filter, places: Filter) => [limit, places]],
    ['inside', (limit: Filter, places: Filter) => [places, limit]],
  ])(
    'keeps a place taken until the work has ended, though its time is over by a limit that stands %s',
    async (_, order) => {
      const { clock, deps, filter, first } = setUp({ queue: 0 })
      let running = 0
      const service = () => {
        running++
        return first.promise
      }
      const bounded = compose(order(deadline({ timeoutMs: 100 }, deps), filter), service)
      const call = async () => bounded(createCall(given))
      const timedOut = expect(call()).rejects.toMatchObject({ code: 'DEADLINE_EXCEEDED' })
      await clock.advance(150)
      await timedOut
      await expect(call()).rejects.toMatchObject({ code: 'OVERLOADED', notSent: true })
      expect(running).toBe(1)
      first.resolve(1)
      await clock.advance(0)
      await expect(call()).resolves.toBe(1)
    },
  )

  it('frees a place when work that was given up fails later, and fails nothing by that', async () => {
    const { clock, deps, filter, first } = setUp({ queue: 0 })
    const bounded = compose([filter, deadline({ timeoutMs: 100 }, deps)], () => first.promise)
    const timedOut = expect((async () => bounded(createCall(given)))()).rejects.toMatchObject({
      code: 'DEADLINE_EXCEEDED',
    })
    await clock.advance(150)
    await timedOut
    expect(filter.snapshot?.()).toMatchObject({ running: 1 })
    first.reject(new Error('too late'))
    await clock.advance(0)
    expect(filter.snapshot?.()).toMatchObject({ running: 0 })
  })
})
