import { type ClientTransport, type OutgoingCall, PosthasteError, service } from '@posthaste/contracts'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { manualClock } from '../testing/manual-clock.ts'
import type { ClientOptions } from './client-options.ts'
import { createRpc } from './rpc.ts'

const Stock = service('shop.Stock', {
  check: { input: z.object({ id: z.coerce.number() }), output: z.object({ available: z.number() }), idempotent: true },
  take: { input: z.object({ id: z.number() }), output: z.object({ left: z.number() }) },
})

type StockOptions = ClientOptions<typeof Stock.methods>

/** A client over a transport that records what goes out and answers as it is told. */
function calling(answer: (call: OutgoingCall, nth: number) => unknown, options: StockOptions = {}) {
  const clock = manualClock()
  const calls: OutgoingCall[] = []
  const transport: ClientTransport = {
    name: 'test',
    call(_, outgoing) {
      calls.push(outgoing)
      return answer(outgoing, calls.length)
    },
    async close() {},
  }
  const rpc = createRpc({ clock, random: () => 0 })
  return { clock, calls, rpc, client: rpc.client(Stock, { transport, ...options }) }
}

const down = new PosthasteError('UNAVAILABLE', 'down')
const failing = (): never => {
  throw down
}

describe('a client', () => {
  it('sends the input as it was given and returns what the schema makes of the answer', async () => {
    const { client, calls } = calling(() => ({ available: 3, unknown: true }))
    expect(await client.check({ id: '7' })).toEqual({ available: 3 })
    expect(calls).toMatchObject([{ payload: { id: '7' }, headers: {}, timeoutMs: 30_000, id: expect.any(String) }])
  })

  it('refuses an input that does not fit before anything is sent, and no fallback covers it up', async () => {
    const { client, calls } = calling(() => ({}), { fallback: { check: () => ({ available: 0 }) } })
    await expect(client.check({ id: 'x' })).rejects.toMatchObject({ code: 'PAYLOAD_INVALID', issues: [{ path: 'id' }] })
    expect(calls).toEqual([])
  })

  it('fails as internal where the answer breaks the contract', async () => {
    const { client } = calling(() => ({ available: 'many' }))
    await expect(client.check({ id: 1 })).rejects.toMatchObject({
      code: 'INTERNAL',
      cause: { code: 'PAYLOAD_INVALID' },
    })
  })

  it('rejects with a PosthasteError whatever a transport throws', async () => {
    const { client } = calling(() => Promise.reject(new TypeError('oops')))
    await expect(client.check({ id: 1 })).rejects.toMatchObject({
      code: 'INTERNAL',
      message: expect.stringContaining('shop.Stock/check over test'),
    })
  })

  it('passes on, as it is, what a transport fails with that fails with nothing else', async () => {
    const full = new PosthasteError('CONFLICT', 'sold out')
    const transport: ClientTransport = {
      name: 'typed',
      failsTyped: true,
      call: () => Promise.reject(full),
      async close() {},
    }
    await expect(createRpc().client(Stock, { transport }).check({ id: 1 })).rejects.toBe(full)
  })

  it('sends headers along', async () => {
    const { client, calls } = calling(() => ({ available: 1 }))
    await client.check({ id: 1 }, { headers: { tenant: 't' } })
    expect(calls[0]?.headers).toEqual({ tenant: 't' })
  })

  it('rejects, and never throws, while the application refuses', async () => {
    const rpc = createRpc({ refusal: () => new PosthasteError('ENGINE_CLOSED', 'closed') })
    await expect(rpc.client(Stock).check({ id: 1 })).rejects.toMatchObject({ code: 'ENGINE_CLOSED' })
  })
})

describe('the time of a call', () => {
  const never = (): Promise<never> => new Promise(() => {})

  it.each([
    ['the client’s', { timeoutMs: 100 }, {}],
    ['the call’s own, shorter', { timeoutMs: 1_000 }, { timeoutMs: 100 }],
    ['the call’s own, longer', { timeoutMs: 10 }, { timeoutMs: 100 }],
  ])('is %s', async (...[, options, own]) => {
    const { client, clock, calls } = calling(never, options)
    const call = client.check({ id: 1 }, own)
    const failed = expect(call).rejects.toMatchObject({ code: 'DEADLINE_EXCEEDED' })
    expect(calls[0]?.timeoutMs).toBe(100)
    await clock.advance(99)
    expect(calls[0]?.cancellation.reason).toBeUndefined()
    await clock.advance(21)
    await failed
    expect(calls[0]?.cancellation.reason).toMatchObject({ code: 'DEADLINE_EXCEEDED' })
  })

  it('is never longer than that of the work it is made within', async () => {
    const { client, clock, calls } = calling(() => ({ available: 1 }))
    const within = { deadlineAtMs: clock.monotonicMs() + 40, signal: new AbortController().signal }
    await client.check({ id: 1 }, { within })
    expect(calls[0]?.timeoutMs).toBe(40)
  })

  it('bounds each attempt by itself where asked to', async () => {
    const { client, clock, calls } = calling((_, nth) => (nth === 1 ? never() : { available: 2 }), {
      attemptTimeoutMs: 50,
      retry: { baseMs: 0 },
    })
    const call = client.check({ id: 1 })
    await clock.advance(70)
    expect(await call).toEqual({ available: 2 })
    expect(calls.map(({ timeoutMs }) => timeoutMs)).toEqual([50, 50])
  })

  it.each([
    ['an unknown option', { timeout: 5 }],
    ['a time that is none', { timeoutMs: 0 }],
    ['not a number', { timeoutMs: Number.NaN }],
  ])('cannot be set by %s', async (_, options) => {
    const { client } = calling(() => ({ available: 1 }))
    await expect(client.check({ id: 1 }, options as never)).rejects.toMatchObject({ code: 'CONFIG_INVALID' })
  })
})

describe('retries', () => {
  it('repeat an idempotent call under the same id, and not another one', async () => {
    const { client, calls } = calling(failing, { retry: { baseMs: 0 } })
    await expect(client.check({ id: 1 })).rejects.toBe(down)
    expect(calls).toHaveLength(3)
    expect(new Set(calls.map(({ id }) => id)).size).toBe(1)
    await expect(client.take({ id: 1 })).rejects.toBe(down)
    expect(calls).toHaveLength(4)
  })

  it('are not made where nobody asked for them', async () => {
    const { client, calls } = calling(failing)
    await expect(client.check({ id: 1 })).rejects.toBe(down)
    expect(calls).toHaveLength(1)
  })

  it('share one budget among the methods of a client', async () => {
    const { client, calls } = calling(
      () => {
        throw new PosthasteError('UNAVAILABLE', 'down', { notSent: true })
      },
      { retry: { baseMs: 0, attempts: 2 } },
    )
    for (let i = 0; i < 200; i++) {
      await client.check({ id: 1 }).catch(() => undefined)
      await client.take({ id: 1 }).catch(() => undefined)
    }
    // A reserve of one a second over ten seconds, and a fifth of 400 calls.
    expect(calls.length).toBe(400 + 10 + 80)
  })
})

describe('the breaker', () => {
  it('opens for the method that fails and for no other', async () => {
    const { client, calls } = calling(
      (call) =>
        'id' in (call.payload as object) && (call.payload as { id: number }).id === 1 ? failing() : { left: 1 },
      {
        breaker: { callsMin: 5 },
      },
    )
    for (let i = 0; i < 5; i++) await client.check({ id: 1 }).catch(() => undefined)
    await expect(client.check({ id: 1 })).rejects.toMatchObject({ code: 'BREAKER_OPEN' })
    expect(calls).toHaveLength(5)
    expect(await client.take({ id: 2 })).toEqual({ left: 1 })
  })
})

describe('the fallback', () => {
  it('answers for a callee that fails, with the input and the failure at hand', async () => {
    const seen: unknown[] = []
    const { client } = calling(failing, {
      fallback: {
        check: (input, error) => {
          seen.push(input, error.code)
          return { available: 0 }
        },
      },
    })
    expect(await client.check({ id: 1 })).toEqual({ available: 0 })
    expect(seen).toEqual([{ id: 1 }, 'UNAVAILABLE'])
    await expect(client.take({ id: 1 })).rejects.toBe(down)
  })

  it('answers when the time is up', async () => {
    const { client, clock } = calling(() => new Promise(() => {}), {
      timeoutMs: 10,
      fallback: { check: () => ({ available: 0 }) },
    })
    const call = client.check({ id: 1 })
    await clock.advance(30)
    expect(await call).toEqual({ available: 0 })
  })
})

describe('making a client', () => {
  it('lists every wrong option', () => {
    const make = (options: unknown) => () => createRpc().client(Stock, options as StockOptions)
    const issues = (...paths: string[]) =>
      expect.objectContaining({
        code: 'CONFIG_INVALID',
        issues: paths.map((path) => expect.objectContaining({ path })),
      })
    expect(make({ timeout: 5, timeoutMs: 0, retry: true })).toThrow(
      issues('client(shop.Stock).timeout', 'client(shop.Stock).timeoutMs', 'client(shop.Stock).retry'),
    )
    expect(make({ retry: { attempts: 0 }, breaker: { probes: 0 }, fallback: { chek: () => 1, take: 5 } })).toThrow(
      issues(
        'client(shop.Stock).fallback.chek',
        'client(shop.Stock).fallback.take',
        'client(shop.Stock).retry.attempts',
        'client(shop.Stock).breaker.probes',
      ),
    )
    expect(make({ timeoutMs: 0, bulkhead: { concurrency: 0 }, cache: {} })).toThrow(
      issues(
        'client(shop.Stock).timeoutMs',
        'client(shop.Stock).cache.ttlMs',
        'client(shop.Stock).bulkhead.concurrency',
      ),
    )
  })

  it('describes what stands around each method', () => {
    const { rpc } = calling(() => ({}), {
      retry: {},
      breaker: {},
      attemptTimeoutMs: 5,
      fallback: { check: () => ({ available: 0 }) },
    })
    const described = rpc
      .describe()
      .map(({ side, target, filters }) => [side, target, filters.map(({ role }) => role).join(' ')])
    expect(described).toEqual([
      ['client', 'shop.Stock/check', 'validation fallback deadline retry breaker timeout output'],
      ['client', 'shop.Stock/take', 'validation deadline retry breaker timeout output'],
    ])
  })

  it('lets the stack be edited by role', async () => {
    const { client, calls } = calling(failing, { retry: { baseMs: 0 }, stack: (editor) => editor.remove('retry') })
    await expect(client.check({ id: 1 })).rejects.toBe(down)
    expect(calls).toHaveLength(1)
  })
})
