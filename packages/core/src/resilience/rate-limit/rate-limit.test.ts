import { type FilterEvent, PosthasteError, type RateDecision, type RateLimitStore } from '@posthaste/contracts'
import { describe, expect, it } from 'vitest'
import { type CallInit, createCall } from '../../pipeline/call.ts'
import { cancelSource } from '../../pipeline/cancellation.ts'
import { filterDeps } from '../../pipeline/stack.ts'
import { manualClock } from '../../testing/manual-clock.ts'
import { recordingLog } from '../../testing/recording-log.ts'
import { memoryRateLimits } from './local-rates.ts'
import { type RateLimitOptions, rateLimit } from './rate-limit.ts'

const target = 'shop.Inventory/checkStock'

function setUp(options: RateLimitOptions, clock = manualClock()) {
  const events: FilterEvent[] = []
  const log = recordingLog()
  const deps = filterDeps({ clock, log, random: () => 0.5, target, onEvent: (event) => events.push(event) })
  const filter = rateLimit(options, deps)
  const pass = async (init: Partial<CallInit> = {}): Promise<string> =>
    filter.apply(createCall({ kind: 'request', target, id: '1', payload: 1, ...init }), () => 'passed')
  /** What comes of a call: `passed`, or the code of its error. */
  const outcome = (init: Partial<CallInit> = {}): Promise<string> =>
    pass(init).catch((error) => (PosthasteError.is(error) ? error.code : 'something else'))
  const outcomes = async (count: number): Promise<string[]> => {
    const all: string[] = []
    for (let n = 0; n < count; n++) all.push(await outcome())
    return all
  }
  return { clock, events, log, filter, pass, outcome, outcomes }
}

describe('a rate limit', () => {
  it('lets calls through as they are while there is room, without a promise', () => {
    const { filter } = setUp({ rate: 10 })
    const call = createCall({ kind: 'request', target, id: '1', payload: 1 })
    expect(filter.apply(call, (same) => same === call)).toBe(true)
  })

  it('refuses what is more than a burst, saying when to come again and that nothing was sent', async () => {
    const { pass, outcomes, events, clock, filter } = setUp({ rate: 10, burst: 2 })
    expect(await outcomes(2)).toEqual(['passed', 'passed'])
    await clock.advance(30)
    await expect(pass()).rejects.toMatchObject({ code: 'RATE_LIMITED', retryAfterMs: 70, notSent: true })
    expect(events).toEqual([{ target, role: 'rateLimit', kind: 'refused', retryAfterMs: 70 }])
    await clock.advance(70)
    expect(await outcomes(2)).toEqual(['passed', 'RATE_LIMITED'])
    expect(filter.snapshot?.()).toEqual({ role: 'rateLimit', allowed: 3, delayed: 0, refused: 2, remaining: 0 })
  })

  it('tells a consumer to wait until what was refused may begin, where calls cost more than one unit', async () => {
    const { filter, pass, clock } = setUp({ rate: 10, burst: 5, units: () => 4 })
    await pass()
    await clock.advance(50)
    expect(filter.notReadyForMs?.()).toBe(0)
    await expect(pass()).rejects.toMatchObject({ retryAfterMs: 250 })
    expect(filter.notReadyForMs?.()).toBe(250)
    await clock.advance(250)
    expect(filter.notReadyForMs?.()).toBe(0)
    expect(await pass()).toBe('passed')
  })

  it('allows the rate at once unless told otherwise, and one at least', async () => {
    expect(setUp({ rate: 2.5, perMs: 60_000 }).filter.describe()).toMatchObject({ rate: 2.5, perMs: 60_000, burst: 3 })
    expect(setUp({ rate: 0.1 }).filter.describe()).toMatchObject({ burst: 1 })
  })

  it('tells a consumer when the next may begin, unless that depends on a key', async () => {
    const { filter, outcomes, clock } = setUp({ rate: 10, burst: 2 })
    expect(filter.notReadyForMs?.()).toBe(0)
    await outcomes(2)
    expect(filter.notReadyForMs?.()).toBe(100)
    await clock.advance(60)
    expect(filter.notReadyForMs?.()).toBe(40)
    expect(setUp({ rate: 10, key: () => 'a' }).filter.notReadyForMs).toBeUndefined()
  })

  it('keeps a rate for each key, and tells of keys that were refused', async () => {
    const { outcome, events, filter } = setUp({ rate: 1, key: ({ headers }) => headers.tenant ?? '' })
    const by = (tenant: string) => outcome({ headers: { tenant } })
    expect([await by('a'), await by('b'), await by('a')]).toEqual(['passed', 'passed', 'RATE_LIMITED'])
    expect(events).toMatchObject([{ kind: 'refused', key: 'a', retryAfterMs: 1_000 }])
    expect(filter.snapshot?.()).toMatchObject({ keys: 2, allowed: 2, refused: 1 })
  })

  it('takes as many units as a call costs, and says that too many never pass', async () => {
    const { outcome, pass } = setUp({ rate: 10, units: ({ payload }) => Number(payload) })
    expect(await outcome({ payload: 9 })).toBe('passed')
    expect(await outcome({ payload: 2 })).toBe('RATE_LIMITED')
    expect(await outcome({ payload: 1 })).toBe('passed')
    expect(await outcome({ payload: 0 })).toBe('passed')
    await expect(pass({ payload: 11 })).rejects.toMatchObject({
      ...{ code: 'RATE_LIMITED', verdict: 'permanent', retryAfterMs: undefined },
    })
    expect(await outcome({ payload: 'much' })).toBe('INVALID_ARGUMENT')
  })

  it('tells of every mistake in its options at once', () => {
    const wrong = { burst: 0, store: {}, whenUnavailable: 'panic' } as unknown as RateLimitOptions
    expect(() => setUp(wrong)).toThrow(/rateLimit\.rate is missing.*\.burst must.*\.store must.*\.whenUnavailable must/)
  })
})

describe('a rate limit that has calls wait', () => {
  it('lets each begin in its own time, evenly and in order', async () => {
    const { filter, clock } = setUp({ rate: 10, burst: 1, waitMs: 250 })
    const startMs = clock.monotonicMs()
    const begun: [string, number][] = []
    const start = (id: string): Promise<unknown> =>
      (async () =>
        filter.apply(createCall({ kind: 'request', target, id, payload: 1 }), () => {
          begun.push([id, clock.monotonicMs() - startMs])
        }))()
    const all = Promise.allSettled(['a', 'b', 'c', 'd'].map(start))
    await clock.advance(1_000)
    const results = await all
    expect(begun.map(([id]) => id)).toEqual(['a', 'b', 'c'])
    for (const [at, [, atMs]] of begun.entries()) expect(atMs - at * 100).toBeOneOf([0, 10])
    expect(results[3]).toMatchObject({ reason: { code: 'RATE_LIMITED', retryAfterMs: 50 } })
    expect(filter.snapshot?.()).toMatchObject({ allowed: 3, delayed: 2, refused: 1 })
  })

  it('refuses at once what would have to wait beyond its deadline', async () => {
    const { outcome, outcomes, clock } = setUp({ rate: 10, burst: 1, waitMs: 1_000 })
    await outcomes(1)
    expect(await outcome({ deadlineAtMs: clock.monotonicMs() + 99 })).toBe('RATE_LIMITED')
    const waiting = outcome({ deadlineAtMs: clock.monotonicMs() + 101 })
    await clock.advance(110)
    expect(await waiting).toBe('passed')
  })

  it('lets go of a call that is cancelled at once', async () => {
    const { outcome, outcomes, clock } = setUp({ rate: 1, burst: 1, waitMs: 10_000 })
    await outcomes(1)
    const source = cancelSource()
    const waiting = outcome({ cancellation: source.token })
    source.cancel(new PosthasteError('CANCELLED', 'enough'))
    expect(await waiting).toBe('CANCELLED')
    await clock.advance(2_000)
    expect(clock.pending()).toBe(0)
  })

  it('has what waits for a shared rate wait in turn with those of other processes', async () => {
    const clock = manualClock()
    const store = memoryRateLimits({}, clock)
    const one = setUp({ rate: 10, burst: 1, waitMs: 1_000, store }, clock)
    const other = setUp({ rate: 10, burst: 1, waitMs: 1_000, store }, clock)
    const ended: string[] = []
    const note = (name: string) => () => ended.push(`${name} ${Math.floor(clock.monotonicMs() / 50) * 50 - 1_000}`)
    const all = Promise.all([
      one.pass().then(note('one')),
      other.pass().then(note('other')),
      one.pass().then(note('one')),
    ])
    await clock.advance(1_000)
    await all
    expect(ended).toEqual(['one 0', 'other 100', 'one 200'])
  })
})

describe('a rate limit with a store', () => {
  /** Answers when the test says so. */
  const controlled = () => {
    const asked: { readonly key: string; readonly answer: PromiseWithResolvers<RateDecision> }[] = []
    const store: RateLimitStore = {
      name: 'controlled',
      take(key) {
        const answer = Promise.withResolvers<RateDecision>()
        asked.push({ key, answer })
        return answer.promise
      },
    }
    return { store, asked }
  }
  const allowed = { allowed: true, remaining: 1, retryAfterMs: 0, resetAfterMs: 0 }

  it('shares one rate with every other process, by target', async () => {
    const clock = manualClock()
    const store = memoryRateLimits({}, clock)
    const one = setUp({ rate: 1, burst: 2, store }, clock)
    const other = setUp({ rate: 1, burst: 2, store }, clock)
    expect([await one.outcome(), await other.outcome(), await one.outcome(), await other.outcome()]).toEqual([
      ...['passed', 'passed', 'RATE_LIMITED', 'RATE_LIMITED'],
    ])
    expect(other.filter.notReadyForMs?.()).toBe(1_000)
    await clock.advance(1_000)
    expect(other.filter.notReadyForMs?.()).toBe(0)
    expect(other.filter.describe()).toMatchObject({ store: 'memory', whenUnavailable: 'local' })
  })

  it('asks for the key that a call has, and otherwise for the target', async () => {
    const { store, asked } = controlled()
    const keyed = setUp({ rate: 1, store, key: () => 'tenant 1' })
    const plain = setUp({ rate: 1, store })
    const all = Promise.all([keyed.outcome(), plain.outcome()])
    for (const { answer } of asked) answer.resolve(allowed)
    expect(await all).toEqual(['passed', 'passed'])
    expect(asked.map(({ key }) => key)).toEqual(['tenant 1', target])
  })

  it.each([
    ['local', ['passed', 'passed', 'RATE_LIMITED']],
    ['allow', ['passed', 'passed', 'passed']],
    ['refuse', ['RATE_LIMITED', 'RATE_LIMITED', 'RATE_LIMITED']],
  ] as const)('does what it is told where the store fails: %s', async (whenUnavailable, expected) => {
    let asked = 0
    const store: RateLimitStore = {
      name: 'down',
      async take() {
        asked += 1
        throw new PosthasteError('UNAVAILABLE', 'no connection')
      },
    }
    const { outcomes, events, clock, filter, log } = setUp({ rate: 1, burst: 2, store, whenUnavailable })
    expect(await outcomes(3)).toEqual(expected)
    // Left alone for a second: not every call is to wait for what does not answer.
    expect(asked).toBe(1)
    expect(events.filter(({ kind }) => kind === 'storeFailed')).toMatchObject([{ store: 'down' }])
    expect(log.entries).toMatchObject([{ level: 'warn', fields: { store: 'down' } }])
    await clock.advance(1_000)
    await outcomes(1)
    expect(asked).toBe(2)
    expect(filter.snapshot?.()).toMatchObject({ storeFailures: 2 })
  })

  it('takes a store that throws for one that fails', async () => {
    const store: RateLimitStore = {
      name: 'broken',
      take() {
        throw new TypeError('no such script')
      },
    }
    expect(await setUp({ rate: 1, store }).outcome()).toBe('passed')
  })

  it('does not wait for long for an answer, and drops one that comes late', async () => {
    const { store, asked } = controlled()
    const { outcome, clock, filter } = setUp({ rate: 1, store, storeTimeoutMs: 50, whenUnavailable: 'refuse' })
    const slow = outcome()
    await clock.advance(60)
    expect(await slow).toBe('RATE_LIMITED')
    asked[0]?.answer.resolve(allowed)
    await clock.advance(0)
    expect(filter.snapshot?.()).toMatchObject({ allowed: 0, refused: 1, storeFailures: 1 })
    expect(clock.pending()).toBe(0)
  })

  it('goes on with the store when it answers again', async () => {
    const { store, asked } = controlled()
    const { outcome, clock } = setUp({ rate: 1, store })
    const first = outcome()
    asked[0]?.answer.reject(new PosthasteError('UNAVAILABLE', 'no connection'))
    expect(await first).toBe('passed')
    await clock.advance(1_000)
    const second = outcome()
    asked[1]?.answer.resolve({ ...allowed, allowed: false, retryAfterMs: 500 })
    expect(await second).toBe('RATE_LIMITED')
  })
})
