import { type Call, type FilterEvent, PosthasteError } from '@posthaste/contracts'
import { describe, expect, it } from 'vitest'
import { type CallInit, createCall } from '../../pipeline/call.ts'
import { cancelSource } from '../../pipeline/cancellation.ts'
import { filterDeps } from '../../pipeline/stack.ts'
import { manualClock } from '../../testing/manual-clock.ts'
import { type CacheOptions, cache } from './cache.ts'

const unavailable = new PosthasteError('UNAVAILABLE', 'down')
const cancelled = new PosthasteError('CANCELLED', 'enough')

const read = (init: Partial<CallInit> = {}) =>
  createCall({ kind: 'request', target: 'shop/read', id: '1', payload: 1, idempotent: true, ...init })

/** A callee that answers when the test says so. */
class Callee {
  readonly asked: { call: Call; resolve: (value: unknown) => void; reject: (thrown: unknown) => void }[] = []
  readonly service = (call: Call): Promise<unknown> =>
    new Promise((resolve, reject) => this.asked.push({ call, resolve, reject }))
}

function setUp(options: Partial<CacheOptions> = {}) {
  const clock = manualClock()
  const events: FilterEvent[] = []
  const deps = filterDeps({ clock, target: 'shop', onEvent: (event) => events.push(event) })
  const filter = cache({ ttlMs: 1_000, ...options }, deps)
  const callee = new Callee()
  const ask = async (call = read()) => filter.apply(call, callee.service)
  const inMs = (ms: number) => clock.monotonicMs() + ms
  return { clock, events, filter, callee, ask, inMs }
}

describe('a cache', () => {
  it('gives an answer again until it is too old, without a promise', async () => {
    const { clock, filter } = setUp()
    let made = 0
    const next = () => ++made
    expect([filter.apply(read(), next), filter.apply(read(), next)]).toEqual([1, 1])
    await clock.advance(999)
    expect(filter.apply(read(), next)).toBe(1)
    await clock.advance(1)
    expect(filter.apply(read(), next)).toBe(2)
    expect(filter.snapshot?.()).toMatchObject({ hits: 2, misses: 2, keys: 1 })
  })

  it('counts the age of an answer from when it was asked for', async () => {
    const { clock, ask, callee } = setUp()
    const first = ask()
    await clock.advance(600)
    callee.asked[0]?.resolve('slow')
    await expect(first).resolves.toBe('slow')
    await clock.advance(399)
    await expect(ask()).resolves.toBe('slow')
    await clock.advance(1)
    void ask()
    expect(callee.asked).toHaveLength(2)
  })

  it('tells questions apart, and callers', () => {
    const { filter } = setUp()
    const answer = (init: Partial<CallInit>) =>
      filter.apply(read(init), ({ payload, headers }) => ({ payload, headers }))
    const one = answer({ payload: { a: 1 } })
    expect(answer({ payload: { a: 1 } })).toBe(one)
    expect(answer({ payload: { a: 2 } })).not.toBe(one)
    expect(answer({ payload: { a: 1 }, target: 'shop/other' })).not.toBe(one)
    expect(answer({ payload: { a: 1 }, headers: { authorization: 'Bearer x' } })).not.toBe(one)
  })

  it('has nothing to do with messages, with calls that are not idempotent, and with those it cannot tell apart', () => {
    const { filter } = setUp({ when: ({ payload }) => payload !== 2 })
    const unlike = [
      { kind: 'handle' },
      { kind: 'publish' },
      { idempotent: false },
      { payload: new Map() },
      { payload: 2 },
      { overrides: { cache: 'skip' } },
    ] as const
    for (const init of unlike) {
      expect(filter.apply(read(init), () => 1)).toBe(1)
      expect(filter.apply(read(init), () => 2)).toBe(2)
    }
    expect(filter.snapshot?.()).toMatchObject({ bypassed: 2 * unlike.length, keys: 0 })
  })

  it('keeps no failure', async () => {
    const { ask, callee } = setUp()
    const failing = ask()
    callee.asked[0]?.reject(unavailable)
    await expect(failing).rejects.toBe(unavailable)
    const again = ask()
    callee.asked[1]?.resolve(7)
    await expect(again).resolves.toBe(7)
  })

  it('keeps so many answers and no more', () => {
    const { filter } = setUp({ keysMax: 2 })
    for (const payload of [1, 2, 3]) filter.apply(read({ payload }), () => payload)
    expect(filter.snapshot?.()).toMatchObject({ keys: 2, evicted: 1 })
    expect(filter.apply(read({ payload: 1 }), () => 'anew')).toBe('anew')
  })

  it('gives everybody a copy where it is told to', () => {
    const { filter } = setUp({ clone: structuredClone })
    const answers = [1, 2].map(() => filter.apply(read(), () => ({ n: 1 })))
    expect(answers[0]).toEqual(answers[1])
    expect(answers[0]).not.toBe(answers[1])
  })

  it('refuses an answer that is a stream', async () => {
    const { filter } = setUp()
    const stream = () =>
      (async function* () {
        yield 1
      })()
    const refused = expect.objectContaining({ code: 'FAILED_PRECONDITION' })
    expect(() => filter.apply(read(), stream)).toThrow(refused)
    await expect(filter.apply(read(), async () => stream())).rejects.toEqual(refused)
  })

  it('forgets what it is told to, and does not keep what was under way', async () => {
    const { filter, ask, callee } = setUp()
    filter.apply(read({ payload: 2 }), () => 'two')
    filter.apply(read({ payload: 3 }), () => 'three')
    const before = ask()
    filter.forget()
    callee.asked[0]?.resolve('old')
    await expect(before).resolves.toBe('old')
    expect(filter.apply(read(), () => 'new')).toBe('new')
    expect(filter.apply(read({ payload: 3 }), () => 'anew')).toBe('anew')
    filter.forget('shop/read\n\n1')
    expect(filter.apply(read(), () => 'newer')).toBe('newer')
    expect(filter.apply(read({ payload: 3 }), () => 'x')).toBe('anew')
  })

  it('refuses wrong options all at once, and describes itself', () => {
    const wrong = { ttlMs: 0, staleMs: -1, key: 1, keysMax: 0, x: 1 } as unknown as CacheOptions
    const issues = ['x', 'ttlMs', 'staleMs', 'key', 'keysMax'].map((o) =>
      expect.objectContaining({ path: `cache.${o}` }),
    )
    expect(() => setUp(wrong)).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID', issues }))
    expect(setUp().filter.describe()).toEqual({ role: 'cache', ttlMs: 1_000, staleMs: 0, keysMax: 1_000 })
  })
})

describe('a cache that many ask the same at a time', () => {
  it('asks once, and gives all of them the answer, or the failure', async () => {
    const { ask, callee, filter } = setUp()
    const answers = Promise.all([ask(), ask(), ask()])
    expect(filter.snapshot?.()).toMatchObject({ inFlight: 1, misses: 1, joined: 2 })
    callee.asked[0]?.resolve(7)
    expect(await answers).toEqual([7, 7, 7])
    filter.forget()
    const failures = Promise.allSettled([ask(), ask()])
    callee.asked[1]?.reject(unavailable)
    expect(await failures).toEqual([1, 2].map(() => ({ status: 'rejected', reason: unavailable })))
    expect(callee.asked).toHaveLength(2)
  })

  it('goes on for the others when one gives up, and stops when all have', async () => {
    const { ask, callee, filter } = setUp()
    const sources = [cancelSource(), cancelSource()]
    const calls = sources.map((source) => ask(read({ cancellation: source.token })))
    const settled = Promise.allSettled(calls)
    sources[0]?.cancel(cancelled)
    await expect(calls[0]).rejects.toBe(cancelled)
    expect(callee.asked[0]?.call.cancellation.reason).toBeUndefined()
    sources[1]?.cancel(cancelled)
    expect(callee.asked[0]?.call.cancellation.reason).toMatchObject({ code: 'CANCELLED' })
    await settled
    void ask().catch(() => {})
    expect(callee.asked).toHaveLength(2)
    expect(filter.snapshot?.()).toMatchObject({ inFlight: 1 })
  })

  it('does not let a call wait that was cancelled before it came', async () => {
    const { ask, callee } = setUp()
    const first = ask()
    const source = cancelSource()
    source.cancel(cancelled)
    await expect(ask(read({ cancellation: source.token }))).rejects.toBe(cancelled)
    callee.asked[0]?.resolve(1)
    await expect(first).resolves.toBe(1)
  })

  it('lets each wait up to its own deadline', async () => {
    const { ask, callee, clock, inMs } = setUp()
    const short = ask(read({ deadlineAtMs: inMs(100) }))
    const long = ask(read({ deadlineAtMs: inMs(500) }))
    const refused = expect(short).rejects.toMatchObject({ code: 'DEADLINE_EXCEEDED' })
    await clock.advance(200)
    await refused
    callee.asked[0]?.resolve(7)
    await expect(long).resolves.toBe(7)
  })

  it('asks again for who has more time than the call that began it, once for all of them', async () => {
    const { ask, callee, clock, inMs } = setUp()
    const short = ask(read({ deadlineAtMs: inMs(100) }))
    const longer = [ask(read({ deadlineAtMs: inMs(500) })), ask()]
    expect(callee.asked[0]?.call.deadlineAtMs).toBe(inMs(100))
    const refused = expect(short).rejects.toMatchObject({ code: 'DEADLINE_EXCEEDED' })
    await clock.advance(120)
    callee.asked[0]?.reject(new PosthasteError('DEADLINE_EXCEEDED', 'its time is up'))
    await refused
    await clock.advance(0)
    expect(callee.asked).toHaveLength(2)
    callee.asked[1]?.resolve(7)
    expect(await Promise.all(longer)).toEqual([7, 7])
  })

  it('fails, and does not hang, where asking again or copying throws', async () => {
    const { filter, clock, inMs } = setUp({
      clone: () => {
        throw unavailable
      },
    })
    await expect(filter.apply(read(), async () => 1)).rejects.toBe(unavailable)
    filter.forget()
    let times = 0
    const next = (): Promise<unknown> => {
      if (++times > 1) throw unavailable
      return new Promise((_, reject) => clock.setTimer(150, () => reject(cancelled)))
    }
    const short = filter.apply(read({ deadlineAtMs: inMs(100) }), next)
    const long = filter.apply(read(), next)
    const both = Promise.allSettled([short, long])
    await clock.advance(200)
    expect(await both).toMatchObject([{ reason: { code: 'DEADLINE_EXCEEDED' } }, { reason: unavailable }])
  })
})

describe('a cache that is asked for a new answer', () => {
  const anew = { overrides: { cache: 'refresh' } } as const

  it('does not join what was asked for before, and keeps the newer answer whichever comes first', async () => {
    const { ask, callee } = setUp()
    const old = ask()
    const fresh = ask(read(anew))
    callee.asked[1]?.resolve('new')
    await expect(fresh).resolves.toBe('new')
    callee.asked[0]?.resolve('old')
    await expect(old).resolves.toBe('old')
    await expect(ask()).resolves.toBe('new')
  })

  it('keeps an answer that is there at once in place of one that was asked for before and comes later', async () => {
    const { ask, callee, filter } = setUp()
    const old = ask()
    expect(filter.apply(read(anew), () => 'new')).toBe('new')
    callee.asked[0]?.resolve('old')
    await old
    await expect(ask()).resolves.toBe('new')
  })

  it('replaces an answer that is still good, unless it fails', async () => {
    const { filter } = setUp()
    filter.apply(read(), () => 1)
    expect(filter.apply(read(anew), () => 2)).toBe(2)
    expect(() =>
      filter.apply(read(anew), () => {
        throw unavailable
      }),
    ).toThrow(unavailable)
    expect(filter.apply(read(), () => 3)).toBe(2)
  })
})

describe('a cache that gives stale answers while it asks for new ones', () => {
  const stale = { ttlMs: 1_000, staleMs: 500 }

  it('gives the stale one at once, asks once in the background, and then gives the new one', async () => {
    const { ask, callee, clock, filter } = setUp(stale)
    filter.apply(read(), () => 'old')
    await clock.advance(1_000)
    expect(await Promise.all([ask(), ask()])).toEqual(['old', 'old'])
    expect(callee.asked).toHaveLength(1)
    callee.asked[0]?.resolve('new')
    await clock.advance(0)
    await expect(ask()).resolves.toBe('new')
    expect(filter.snapshot?.()).toMatchObject({ staleHits: 2, hits: 1 })
  })

  it('asks with nothing of the caller’s deadline and cancellation', async () => {
    const { ask, callee, clock, filter, inMs } = setUp(stale)
    filter.apply(read(), () => 'old')
    await clock.advance(1_000)
    const source = cancelSource()
    await ask(read({ deadlineAtMs: inMs(10), cancellation: source.token }))
    source.cancel(cancelled)
    await clock.advance(100)
    expect(callee.asked[0]?.call).toMatchObject({ deadlineAtMs: inMs(400), cancellation: { reason: undefined } })
  })

  it('keeps the stale answer to its end when the callee fails, tells of it, and asks again with the next call', async () => {
    const { ask, callee, clock, filter, events } = setUp(stale)
    filter.apply(read(), () => 'old')
    await clock.advance(1_000)
    await ask()
    callee.asked[0]?.reject(unavailable)
    await clock.advance(499)
    expect(events).toEqual([{ target: 'shop', role: 'cache', kind: 'refreshFailed', code: 'UNAVAILABLE' }])
    await expect(ask()).resolves.toBe('old')
    expect(callee.asked).toHaveLength(2)
    const throwing = () => {
      throw unavailable
    }
    callee.asked[1]?.reject(unavailable)
    await clock.advance(0)
    expect(filter.apply(read(), throwing)).toBe('old')
    expect(filter.snapshot?.()).toMatchObject({ refreshFailed: 3 })
    await clock.advance(1)
    expect(() => filter.apply(read(), throwing)).toThrow(unavailable)
  })

  it('gives up asking in the background when the stale answer ends, unless somebody waits', async () => {
    for (const waits of [false, true]) {
      // Timers fire up to 10 ms late: the end of the answer lies between two of their ticks.
      const { ask, callee, clock, filter } = setUp({ ttlMs: 1_003, staleMs: 500 })
      filter.apply(read(), () => 'old')
      await clock.advance(1_003)
      await ask()
      await clock.advance(501)
      const waiting = waits ? ask() : undefined
      await clock.advance(100)
      expect(callee.asked).toHaveLength(1)
      expect(callee.asked[0]?.call.cancellation.reason !== undefined).toBe(!waits)
      callee.asked[0]?.resolve('new')
      expect(await waiting).toBe(waits ? 'new' : undefined)
    }
  })
})
