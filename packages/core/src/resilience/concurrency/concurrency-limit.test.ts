import { type FilterEvent, PosthasteError } from '@posthaste/contracts'
import { describe, expect, it } from 'vitest'
import { createCall } from '../../pipeline/call.ts'
import { filterDeps } from '../../pipeline/stack.ts'
import { manualClock } from '../../testing/manual-clock.ts'
import { type ConcurrencyLimitOptions, concurrencyLimit } from './concurrency-limit.ts'

const target = 'shop.Inventory/checkStock'
const call = createCall({ kind: 'request', target, id: '1', payload: 1 })

function setUp(options: ConcurrencyLimitOptions = {}) {
  const clock = manualClock()
  const events: FilterEvent[] = []
  const deps = filterDeps({ clock, random: () => 0.5, target, onEvent: (event) => events.push(event) })
  const filter = concurrencyLimit(options, deps)
  const works: PromiseWithResolvers<void>[] = []
  /** Begins calls that run until they are ended. */
  const begin = (count: number): Promise<unknown>[] =>
    Array.from({ length: count }, async () =>
      filter.apply(call, () => {
        const work = Promise.withResolvers<void>()
        works.push(work)
        return work.promise
      }),
    )
  /** Ends all that run, well or with a failure. */
  const endAll = async (failure?: Error): Promise<void> => {
    for (const work of works.splice(0)) failure === undefined ? work.resolve() : work.reject(failure)
    await clock.advance(0)
  }
  /** So many calls at a time, which take so long and end well or with a failure. */
  const round = async (count: number, { tookMs = 50, failure }: { tookMs?: number; failure?: Error } = {}) => {
    const all = Promise.allSettled(begin(count))
    await clock.advance(tookMs)
    await endAll(failure)
    await all
  }
  const limit = (): unknown => filter.snapshot?.().limit
  return { clock, events, filter, begin, endAll, round, limit }
}

describe('a concurrency limit', () => {
  it('passes answers and failures on as they are, without a promise where they are there', () => {
    const { filter } = setUp()
    expect(filter.apply(call, () => 7)).toBe(7)
    expect(() =>
      filter.apply(call, () => {
        throw new RangeError('no')
      }),
    ).toThrow(RangeError)
    expect(filter.snapshot?.()).toMatchObject({ inFlight: 0, peak: 1 })
  })

  it('lets as many through as its limit, and refuses the others: nothing was sent, and when to come again', async () => {
    const { begin, filter, events, endAll } = setUp({ initial: 2 })
    void begin(2)
    expect(filter.notReadyForMs?.()).toBe(10)
    await expect(begin(1)[0]).rejects.toMatchObject({ code: 'OVERLOADED', notSent: true, retryAfterMs: 1_000 })
    expect(events).toEqual([{ target, role: 'concurrencyLimit', kind: 'refused', limit: 2 }])
    await endAll()
    expect(filter.notReadyForMs?.()).toBe(0)
    expect(filter.snapshot?.()).toMatchObject({ inFlight: 0, peak: 2, refused: 1 })
  })

  it('tells who waits for a place when one is free', async () => {
    const { begin, filter, endAll } = setUp({ initial: 2 })
    const told: string[] = []
    void begin(2)
    for (const name of ['one', 'two', 'three']) filter.onceReady?.(() => told.push(name))
    await endAll()
    expect(told).toEqual(['one', 'two'])
  })

  it('grows while calls take as long as ever, and shrinks when they queue', async () => {
    const { round, limit, clock } = setUp({ min: 20, max: 30 })
    for (let n = 0; n < 10; n++) {
      await round(15)
      await clock.advance(1_000)
    }
    const grown = Number(limit())
    expect(grown).toBeGreaterThan(25)
    for (let n = 0; n < 20; n++) {
      await round(20, { tookMs: 500 })
      await clock.advance(1_000)
    }
    expect(limit()).toBe(20)
  })

  it('keeps its limit while hardly anything is asked for', async () => {
    const { round, limit, clock } = setUp()
    for (let n = 0; n < 30; n++) {
      await round(9)
      await clock.advance(1_000)
    }
    expect(limit()).toBe(20)
  })

  it.each(['OVERLOADED', 'DEADLINE_EXCEEDED', 'UNAVAILABLE'] as const)('takes %s for a drop', async (code) => {
    const { round, limit, filter } = setUp({ algorithm: 'aimd', min: 1 })
    await round(1, { failure: new PosthasteError(code, 'it') })
    expect(limit()).toBe(18)
    expect(filter.snapshot?.()).toMatchObject({ dropped: 1, inFlight: 0 })
  })

  it.each(['CANCELLED', 'NOT_FOUND', 'BREAKER_OPEN', 'RATE_LIMITED', 'INTERNAL'] as const)(
    'learns nothing from %s',
    async (code) => {
      const { round, limit, filter } = setUp({ algorithm: 'aimd', min: 1 })
      await round(20, { failure: new PosthasteError(code, 'it') })
      expect(limit()).toBe(20)
      expect(filter.snapshot?.()).toMatchObject({ dropped: 0, inFlight: 0 })
    },
  )

  it('takes a drop for one that is thrown at once, too', () => {
    const { filter, limit } = setUp({ algorithm: 'aimd', min: 1 })
    const drop = (): never => {
      throw new PosthasteError('OVERLOADED', 'full')
    }
    expect(() => filter.apply(call, drop)).toThrow('full')
    expect(limit()).toBe(18)
  })

  it('takes calls that were slow for drops where it goes by those', async () => {
    const { round, limit } = setUp({ algorithm: 'aimd', min: 1, slowMs: 100 })
    await round(1, { tookMs: 101 })
    expect(limit()).toBe(18)
  })

  it('tells of changes once a second at most', async () => {
    const { round, events, clock } = setUp({ algorithm: 'aimd' })
    await round(20)
    expect(events).toMatchObject([{ kind: 'limitChanged', from: 20, to: 21 }])
    await round(20)
    expect(events).toHaveLength(1)
    await clock.advance(1_000)
    await round(20)
    expect(events).toHaveLength(2)
    expect(events[1]).toMatchObject({ from: 21 })
  })

  it('lets what is under way end when the limit shrinks below it', async () => {
    const { begin, endAll, filter, limit } = setUp({ algorithm: 'aimd', min: 1 })
    void Promise.allSettled(begin(20))
    expect(() =>
      filter.apply(call, () => {
        throw new PosthasteError('OVERLOADED', 'full')
      }),
    ).toThrow()
    await endAll(new PosthasteError('UNAVAILABLE', 'gone'))
    expect(Number(limit())).toBeLessThan(5)
    expect(filter.snapshot?.()).toMatchObject({ inFlight: 0 })
  })

  it('says how it is set, with what belongs to its algorithm', () => {
    expect(setUp({ initial: 5 }).filter.describe()).toEqual({
      ...{ role: 'concurrencyLimit', algorithm: 'gradient2', initial: 5, min: 4, max: 200 },
      ...{ tolerance: 1.5, queueSize: 4, smoothing: 0.2, windowMs: 1_000 },
    })
    expect(setUp({ algorithm: 'aimd', initial: 500 }).filter.describe()).toEqual({
      ...{ role: 'concurrencyLimit', algorithm: 'aimd', initial: 500, min: 4, max: 500 },
      ...{ backoffRatio: 0.9, slowMs: 5_000 },
    })
  })

  it('tells of every mistake in its options, and of options that would be ignored', () => {
    expect(() => setUp({ algorithm: 'aimd', tolerance: 2, initial: 20, min: 30 })).toThrow(
      /concurrencyLimit\.tolerance is not an option of aimd; concurrencyLimit\.initial must be from min, 30, to max, 20,/,
    )
    expect(() => setUp({ slowMs: 10 })).toThrow(/slowMs is not an option of gradient2/)
  })
})
