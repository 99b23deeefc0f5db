import { type Filter, PosthasteError } from '@posthaste/contracts'
import { describe, expect, it } from 'vitest'
import {
  calling,
  down,
  Feed,
  never,
  pushed,
  reading,
  Streams,
  serving,
  settled,
  value,
} from '../../../test/rpc/streams-rig.ts'
import { filterDeps, filterSlot } from '../../pipeline/stack.ts'
import { chaos } from '../../resilience/chaos/chaos.ts'
import { hedged, standard } from '../../resilience/policies/presets.ts'
import { manualClock } from '../../testing/manual-clock.ts'
import { createRpc } from '../rpc.ts'
import type { ServeOptions } from '../serve.ts'

describe('the time of a stream', () => {
  it('has no end unless one is said: what a client and a server set for calls is not for streams', async () => {
    const source = pushed()
    const { clock, rpc } = serving(() => source, { timeoutMs: 1_000 })
    const client = rpc.client(Feed, { timeoutMs: 300, attemptTimeoutMs: 100, preset: standard })
    const items = reading(client.follow('a'))
    const first = items.next()
    await clock.advance(10_000_000)
    source.push(1)
    expect(await value(first)).toBe(1)
    const second = items.next()
    await clock.advance(10_000_000)
    source.push(2)
    expect(await value(second)).toBe(2)
    expect(clock.pending()).toBe(0)
  })

  it.each(['the call', 'the client', 'the server'])('ends it, whole, where %s says so', async (who) => {
    const source = pushed()
    const { clock, rpc } = serving(() => source, who === 'the server' ? { streamTimeoutMs: 1_000 } : {})
    const client = rpc.client(Feed, who === 'the client' ? { streamTimeoutMs: 1_000 } : {})
    const items = reading(client.follow('a', who === 'the call' ? { timeoutMs: 1_000 } : {}))
    source.push(1)
    expect(await value(items.next())).toBe(1)
    await clock.advance(1_010)
    await expect(items.next()).rejects.toMatchObject({ code: 'DEADLINE_EXCEEDED' })
    expect(source.told.returned).toBe(1)
  })

  it('bounds the input of a call, too', async () => {
    const source = pushed()
    const { clock, client } = calling(never)
    const failing = expect(client.upload(source as never, { timeoutMs: 100 })).rejects.toMatchObject({
      code: 'DEADLINE_EXCEEDED',
    })
    await clock.advance(200)
    await failing
    expect(source.told.returned).toBe(1)
  })

  it('tells the callee what is left of it', async () => {
    const { calls, client } = calling(() => [1])
    await reading(client.follow('a', { timeoutMs: 250 })).next()
    await reading(client.follow('a')).next()
    expect(calls.map(({ timeoutMs }) => timeoutMs)).toEqual([250, undefined])
  })

  it('of one attempt is that to its first item, where the call asks for it', async () => {
    const quiet = pushed()
    const { clock, calls, client } = calling((_, nth) => (nth === 1 ? quiet : [1, 2]), { preset: standard })
    const items = reading(client.follow('a', { attemptTimeoutMs: 100 }))
    const first = items.next()
    await clock.advance(200)
    expect(await value(first)).toBe(1)
    await clock.advance(1_000)
    expect(await value(items.next())).toBe(2)
    expect(calls).toHaveLength(2)
    expect(quiet.told.returned).toBe(1)
  })
})

describe('a retry', () => {
  const retry = { baseMs: 0 }

  it('repeats a stream that fails before its first item', async () => {
    const { calls, client } = calling((_, nth) => (nth < 3 ? failing(nth) : [7]), { retry })
    expect(await value(reading(client.follow('a')).next())).toBe(7)
    expect(calls).toHaveLength(3)

    function failing(nth: number): AsyncIterable<number> {
      if (nth === 1) throw down
      const source = pushed()
      source.fail(down)
      return source
    }
  })

  it('repeats none that has begun', async () => {
    const source = pushed()
    const { calls, client } = calling(() => source, { retry })
    const items = reading(client.follow('a'))
    source.push(1)
    expect(await value(items.next())).toBe(1)
    source.fail(down)
    await expect(items.next()).rejects.toBe(down)
    expect(calls).toHaveLength(1)
  })

  it('repeats none that might do harm, unless nothing was sent', async () => {
    const { calls, client } = calling(() => Promise.reject(down), { retry })
    await expect(reading(client.once('a')).next()).rejects.toBe(down)
    expect(calls).toHaveLength(1)
    const notSent = new PosthasteError('UNAVAILABLE', 'down', { notSent: true })
    const other = calling((_, nth) => (nth === 1 ? Promise.reject(notSent) : [1]), { retry })
    expect(await value(reading(other.client.once('a')).next())).toBe(1)
  })

  it('repeats a call with an input of which nothing was taken, and the input is whole', async () => {
    const seen: unknown[] = []
    const { calls, client } = calling(
      async ({ payload }, nth) => {
        const input = payload as AsyncIterable<string>
        if (nth === 1) {
          await input[Symbol.asyncIterator]().return?.()
          throw down
        }
        for await (const item of input) seen.push(item)
        return seen.length
      },
      { retry },
    )
    expect(await client.upload(['a', 'b'])).toBe(2)
    expect([calls.length, seen]).toEqual([2, ['a', 'b']])
  })

  it('repeats none of which an item was taken, whatever it was told to repeat', async () => {
    const { calls, client } = calling(
      async ({ payload }) => {
        await (payload as AsyncIterable<string>)[Symbol.asyncIterator]().next()
        throw down
      },
      { retry: { baseMs: 0, repeat: 'always', retryOn: () => true } },
    )
    await expect(client.upload(['a', 'b'])).rejects.toBe(down)
    expect(calls).toHaveLength(1)
  })

  it('ends with the caller, who leaves before the first item', async () => {
    const source = pushed()
    const { client, calls } = calling(() => source, { retry })
    const items = reading(client.follow('a'))
    const first = items.next()
    await settled()
    await items.return?.()
    expect((await first).done).toBe(true)
    await settled()
    expect([calls.length, source.told.returned]).toEqual([1, 1])
    expect(calls[0]?.cancellation.reason?.code).toBe('CANCELLED')
  })
})

describe('a breaker', () => {
  const breaker = { callsMin: 2, probes: 1 }

  it('counts how streams begin, and not how they go on', async () => {
    const broken = pushed()
    const { client, calls } = calling((_, nth) => (nth === 1 ? broken : Promise.reject(down)), { breaker })
    const items = reading(client.follow('a'))
    broken.push(1)
    expect(await value(items.next())).toBe(1)
    broken.fail(down)
    await expect(items.next()).rejects.toBe(down)
    await expect(reading(client.follow('a')).next()).rejects.toBe(down)
    await expect(reading(client.follow('a')).next()).rejects.toMatchObject({ code: 'BREAKER_OPEN' })
    expect(calls).toHaveLength(2)
  })

  it('takes one that is quiet for a second for begun, so that a probe that waits for events closes it', async () => {
    const quiet = pushed()
    const { client, clock, rpc } = calling((_, nth) => (nth <= 2 ? Promise.reject(down) : quiet), { breaker })
    for (let nth = 0; nth < 2; nth++) await expect(reading(client.follow('a')).next()).rejects.toBe(down)
    await clock.advance(10_000)
    const items = reading(client.follow('a'))
    const first = items.next()
    await clock.advance(1_010)
    const stands = rpc.snapshot().find(({ target }) => target === 'shop.Feed/follow')?.filters
    expect(stands).toMatchObject([{ role: 'deadline' }, { role: 'breaker', state: 'closed' }])
    quiet.push(1)
    expect(await value(first)).toBe(1)
  })

  it('tells its failure even where nothing stands outside of it to repeat the call', async () => {
    const source = pushed()
    const { client } = calling(() => source, { breaker })
    const first = reading(client.follow('a')).next()
    await settled()
    source.fail(down)
    await expect(first).rejects.toBe(down)
  })
})

describe('places', () => {
  it.each(['bulkhead', 'concurrencyLimit', 'shedding'])(
    'of a served %s are taken until the stream has ended',
    async (role) => {
      const source = pushed()
      const policies = {
        bulkhead: { concurrency: 1 },
        concurrencyLimit: { initial: 1, min: 1, max: 1 },
        shedding: { concurrency: 1, queue: 0 },
      }
      const { client, rpc } = serving(() => source, { [role]: policies[role as keyof typeof policies] })
      const items = reading(client.follow('a'))
      source.push(1)
      expect(await value(items.next())).toBe(1)
      await expect(client.ping('a')).rejects.toMatchObject({ code: 'OVERLOADED' })
      await items.return?.()
      await settled()
      expect(await client.ping('a')).toBe('a')
      expect(rpc.snapshot().length).toBeGreaterThan(0)
    },
  )

  it('of a client are taken until the stream has ended, in whatever way', async () => {
    const sources = [pushed(), pushed(), pushed()]
    const { client } = calling((_, nth) => sources[nth - 1], { bulkhead: { concurrency: 1 } })
    for (const [nth, end] of (['end', 'fail', 'leave'] as const).entries()) {
      const source = sources[nth]!
      const items = reading(client.follow('a'))
      source.push(nth)
      expect(await value(items.next())).toBe(nth)
      await expect(client.ping('a')).rejects.toMatchObject({ code: 'OVERLOADED' })
      if (end === 'end') source.end()
      if (end === 'fail') source.fail(down)
      if (end === 'leave') await items.return?.()
      else await items.next().catch(() => undefined)
      await settled()
    }
  })

  it('are free again only when a handler that was cancelled has ended', async () => {
    const stuck = Promise.withResolvers<void>()
    async function* follow(): AsyncGenerator<number> {
      yield 1
      await stuck.promise
    }
    const { client } = serving(follow, { bulkhead: { concurrency: 1 } })
    const items = reading(client.follow('a'))
    await items.next()
    const waiting = items.next()
    await items.return?.()
    expect((await waiting).done).toBe(true)
    await settled()
    await expect(client.ping('a')).rejects.toMatchObject({ code: 'OVERLOADED' })
    stuck.resolve()
    await settled()
    expect(await client.ping('a')).toBe('a')
  })

  it('are found without looking at how long streams last', async () => {
    const { client, clock, rpc } = calling(() => [1, 2], { concurrencyLimit: { algorithm: 'aimd', slowMs: 100 } })
    for (let nth = 0; nth < 20; nth++) {
      const items = reading(client.follow('a'))
      await items.next()
      await clock.advance(1_000)
      await items.return?.()
    }
    await settled()
    const limit = rpc.snapshot()[0]?.filters.find(({ role }) => role === 'concurrencyLimit')
    expect(limit).toMatchObject({ limit: 20, inFlight: 0, dropped: 0 })
  })
})

describe('faults that are injected', () => {
  it('are like those of a callee, and leave no stream behind', async () => {
    const deps = filterDeps({ clock: manualClock(), random: () => 0 })
    const source = pushed()
    const faults = chaos({ abort: { rate: 1 } }, deps)
    const { client } = calling(() => source, { chaos: faults })
    await expect(reading(client.follow('a')).next()).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    await settled()
    expect(source.told.returned).toBe(1)
  })
})

describe('a filter of the application', () => {
  it('sees a stream when it is there, and may put another around it', async () => {
    const source = pushed()
    const tenfold: Filter = {
      role: 'tenfold',
      describe: () => ({ role: 'tenfold' }),
      apply: async (call, next) => times(10, await next(call)),
    }
    const { client } = calling(() => source, {
      bulkhead: { concurrency: 1 },
      stack: (stack) => stack.insertAfter('bulkhead', filterSlot(tenfold)),
    })
    const items = reading(client.follow('a'))
    source.push(1)
    expect(await value(items.next())).toBe(10)
    await expect(client.ping('a')).rejects.toMatchObject({ code: 'OVERLOADED' })
    await items.return?.()
    await settled()
    expect(source.told.returned).toBe(1)
    await expect(client.ping('a')).rejects.not.toMatchObject({ code: 'OVERLOADED' })
  })

  it('may answer with a stream of its own, on both sides', async () => {
    const left: string[] = []
    const answering = (role: string): Filter => ({
      role,
      describe: () => ({ role }),
      apply: <R>() => counting(role) as R,
    })
    async function* counting(role: string): AsyncGenerator<number> {
      try {
        for (let n = 0; ; n++) yield n
      } finally {
        left.push(role)
      }
    }
    const { rpc, client } = calling(() => [], {
      stack: (stack) => stack.insertAfter('bulkhead', filterSlot(answering('mine'))),
    })
    for await (const item of client.follow('a')) if (item === 3) break
    const stack: ServeOptions['stack'] = (given) => given.insertAfter('bulkhead', filterSlot(answering('theirs')))
    rpc.serve(Feed, { follow: () => [], once: () => [], upload: () => 1, ping: (text) => text }, { stack })
    for await (const item of rpc.client(Feed).follow('a')) if (item === 3) break
    await settled()
    expect(left).toEqual(['mine', 'theirs'])
  })

  it.each([[7], [undefined]])('that answers with %j for a stream is at fault', async (answer) => {
    const wrong: Filter = { role: 'wrong', describe: () => ({ role: 'wrong' }), apply: <R>() => answer as R }
    const { client } = calling(() => [], { stack: (stack) => stack.insertAfter('bulkhead', filterSlot(wrong)) })
    await expect(reading(client.follow('a')).next()).rejects.toMatchObject({ code: 'INTERNAL' })
  })

  async function* tenfoldOf(factor: number, items: AsyncIterable<number>): AsyncGenerator<number> {
    for await (const item of items) yield item * factor
  }
  const times = <R>(factor: number, items: R): R => tenfoldOf(factor, items as AsyncIterable<number>) as R
})

describe('policies that keep or make up answers', () => {
  it('are not there for methods with streams, and are for the others', () => {
    const { rpc } = calling(() => 1, { cache: { ttlMs: 10 }, preset: hedged, fallback: { ping: () => 'pong' } })
    const roles = Object.fromEntries(
      rpc.describe().map(({ target, filters }) => [target.slice(10), filters.map(({ role }) => role)]),
    )
    const streamed = ['validation', 'deadline', 'retry', 'breaker', 'timeout', 'output']
    expect(roles).toEqual({
      follow: streamed,
      once: streamed,
      upload: streamed,
      ping: ['validation', 'fallback', 'deadline', 'cache', 'retry', 'hedge', 'breaker', 'timeout', 'output'],
    })
  })

  it('are refused where a service has no other methods, and for a method with a stream by its name', () => {
    const rpc = createRpc()
    const issuesOf = (make: () => unknown): unknown => {
      try {
        return make()
      } catch (thrown) {
        return (thrown as PosthasteError).issues.map(({ path }) => path)
      }
    }
    const fallback = { follow: () => [] } as never
    expect(issuesOf(() => rpc.client(Streams, { cache: { ttlMs: 10 }, hedge: {}, fallback }))).toEqual([
      'client(shop.Streams).fallback.follow',
      'client(shop.Streams).cache',
      'client(shop.Streams).hedge',
    ])
    expect(issuesOf(() => rpc.client(Streams, { cache: false, preset: hedged }))).not.toBeInstanceOf(Array)
    const handlers = { follow: () => [], upload: () => 1 }
    expect(issuesOf(() => rpc.serve(Streams, handlers, { idempotency: {} as never }))).toEqual([
      'serve(shop.Streams).idempotency',
    ])
  })

  it('are nothing that one call may ask of its stream', async () => {
    const { client, calls } = calling(() => [1])
    const options = { hedge: false, cache: 'skip', fallback: false, idempotencyKey: 'k', attempt: 3 } as never
    await expect(reading(client.follow('a', options)).next()).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      issues: ['hedge', 'cache', 'fallback', 'idempotencyKey', 'attempt'].map((path) => ({ path })),
    })
    await expect(client.upload([], options)).rejects.toMatchObject({ code: 'CONFIG_INVALID' })
    expect(calls).toEqual([])
  })
})
