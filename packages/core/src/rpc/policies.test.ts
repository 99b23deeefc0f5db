import { type ClientTransport, type OutgoingCall, PosthasteError, service } from '@posthaste/contracts'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { filterDeps } from '../pipeline/stack.ts'
import { bulkhead } from '../resilience/bulkhead/bulkhead.ts'
import { memoryIdempotency } from '../resilience/idempotency/memory-store.ts'
import { background, hedged, standard } from '../resilience/policies/presets.ts'
import { manualClock } from '../testing/manual-clock.ts'
import type { CallOptions } from './call-options.ts'
import type { ClientOptions } from './client-options.ts'
import { createRpc } from './rpc.ts'

const Stock = service('shop.Stock', {
  check: { input: z.object({ id: z.number() }), output: z.object({ available: z.number() }), idempotent: true },
  take: { input: z.object({ id: z.number() }), output: z.object({ left: z.number() }) },
})

/** A client over a transport that records what goes out and answers as it is told. */
function calling(answer: (nth: number) => unknown, options: ClientOptions<typeof Stock.methods>) {
  const clock = manualClock()
  const calls: OutgoingCall[] = []
  const transport: ClientTransport = {
    name: 'test',
    call(_, outgoing) {
      calls.push(outgoing)
      return answer(calls.length)
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
const never = (): Promise<never> => new Promise(() => {})

describe('a call that overrides the policies of its client', () => {
  it('is attempted as often as it says', async () => {
    const { client, calls } = calling(failing, { retry: { attempts: 5, baseMs: 0 } })
    await expect(client.check({ id: 1 }, { attempts: 1 })).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    expect(calls).toHaveLength(1)
    await expect(client.check({ id: 1 }, { attempts: 3 })).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    expect(calls).toHaveLength(4)
  })

  it('gives an attempt the time that it says', async () => {
    const { client, clock } = calling(never, { attemptTimeoutMs: 60_000, timeoutMs: 120_000 })
    const failed = expect(client.check({ id: 1 }, { attemptTimeoutMs: 50 })).rejects.toMatchObject({
      code: 'DEADLINE_EXCEEDED',
    })
    await clock.advance(100)
    await failed
  })

  it('fails where it would be answered for, if it says so', async () => {
    const { client } = calling(failing, { fallback: { check: { value: { available: 0 } } } })
    expect(await client.check({ id: 1 })).toEqual({ available: 0 })
    await expect(client.check({ id: 1 }, { fallback: false })).rejects.toMatchObject({ code: 'UNAVAILABLE' })
  })

  it('says by headers how urgent it is, and what it is to be recognised by', async () => {
    const { client, calls } = calling(() => ({ left: 1 }), {})
    await client.take({ id: 1 }, { priority: 0, idempotencyKey: 'order-1', headers: { tenant: 't' } })
    expect(calls[0]?.headers).toEqual({ tenant: 't', priority: 'u=0', 'idempotency-key': 'order-1' })
  })

  it('is refused with every mistake at once', async () => {
    const { client, calls } = calling(() => ({ available: 1 }), {})
    const wrong = {
      attempts: 0,
      attemptTimeoutMs: -1,
      hedge: true,
      cache: 'no',
      priority: 8,
      idempotencyKey: '',
      headers: { Authorization: 'Bearer a' },
      port: 1,
    }
    await expect(client.check({ id: 1 }, wrong as unknown as CallOptions)).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      issues: Object.keys(wrong).map((path) => expect.objectContaining({ path })),
    })
    expect(calls).toEqual([])
  })
})

describe('a client with a preset', () => {
  it('has the policies of the preset, and says for each of them why it is set so', () => {
    const { rpc } = calling(failing, { preset: standard })
    const filters = rpc.describe()[0]?.filters ?? []
    expect(filters.map(({ role }) => role)).toEqual([
      ...['validation', 'deadline', 'retry', 'breaker', 'timeout', 'output'],
    ])
    expect(filters[2]).toMatchObject({ attempts: 3, why: expect.stringContaining('three attempts') })
  })

  it('goes by what is said beside the preset, option by option', () => {
    const { rpc } = calling(failing, { preset: standard, retry: { attempts: 7 }, breaker: false, attemptTimeoutMs: 9 })
    const filters = rpc.describe()[0]?.filters ?? []
    expect(filters.find(({ role }) => role === 'retry')).toMatchObject({ attempts: 7, baseMs: 50 })
    expect(filters.find(({ role }) => role === 'breaker')).toBeUndefined()
    expect(filters.find(({ role }) => role === 'timeout')).toMatchObject({ timeoutMs: 9 })
  })

  it.each([
    [standard, 5_000],
    [hedged, 2_000],
    [background, 120_000],
  ])('has the time of the preset, unless it has one of its own', async (preset, timeoutMs) => {
    const { client, calls } = calling(() => ({ left: 1 }), { preset, attemptTimeoutMs: 500_000 })
    await client.take({ id: 1 })
    const own = calling(() => ({ left: 1 }), { preset, attemptTimeoutMs: 500_000, timeoutMs: 200_000 })
    await own.client.take({ id: 1 })
    expect([calls[0]?.timeoutMs, own.calls[0]?.timeoutMs]).toEqual([timeoutMs, 200_000])
  })
})

describe('a policy that bounds what a client asks of a service', () => {
  it('is one for all its methods', async () => {
    const { client } = calling(never, { bulkhead: { concurrency: 1 } })
    void client.check({ id: 1 })
    await expect(client.take({ id: 1 })).rejects.toMatchObject({ code: 'OVERLOADED' })
  })

  it('may be one for several clients', async () => {
    const shared = bulkhead({ concurrency: 1 }, filterDeps({ clock: manualClock(), target: 'the database' }))
    const one = calling(never, { bulkhead: shared })
    const other = calling(() => ({ left: 1 }), { bulkhead: shared })
    void one.client.check({ id: 1 })
    await expect(other.client.take({ id: 1 })).rejects.toMatchObject({ code: 'OVERLOADED' })
    expect(other.rpc.snapshot()[1]?.filters).toContainEqual(expect.objectContaining({ role: 'bulkhead', running: 1 }))
  })

  it('bounds what a service takes on, as one for all its methods', async () => {
    const rpc = createRpc({ clock: manualClock() })
    rpc.serve(Stock, { check: never, take: never }, { bulkhead: { concurrency: 1 } })
    const client = rpc.client(Stock)
    void client.check({ id: 1 })
    await expect(client.take({ id: 1 })).rejects.toMatchObject({ code: 'OVERLOADED' })
  })
})

describe('a service', () => {
  it('does what has the same idempotency key once, and nothing twice under one that stands for something else', async () => {
    const clock = manualClock()
    const rpc = createRpc({ clock })
    let taken = 0
    rpc.serve(
      Stock,
      { check: () => ({ available: 1 }), take: () => ({ left: 10 - ++taken }) },
      { idempotency: { store: memoryIdempotency({}, clock) } },
    )
    const client = rpc.client(Stock)
    const options = { idempotencyKey: 'order-1' }
    expect(await client.take({ id: 1 }, options)).toEqual({ left: 9 })
    expect(await client.take({ id: 1 }, options)).toEqual({ left: 9 })
    await expect(client.take({ id: 2 }, options)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
    expect(taken).toBe(1)
  })

  it('turns the least urgent calls away while it has too much to do', async () => {
    const rpc = createRpc({ clock: manualClock() })
    const started: number[] = []
    const first = Promise.withResolvers<{ left: number }>()
    rpc.serve(
      Stock,
      {
        check: never,
        take({ id }) {
          started.push(id)
          return id === 1 ? first.promise : { left: 0 }
        },
      },
      { shedding: { concurrency: 1, queue: 1 } },
    )
    const client = rpc.client(Stock)
    const running = client.take({ id: 1 })
    const patient = expect(client.take({ id: 2 }, { priority: 7 })).rejects.toMatchObject({ code: 'OVERLOADED' })
    const urgent = client.take({ id: 3 }, { priority: 0 })
    await patient
    first.resolve({ left: 1 })
    await Promise.all([running, urgent])
    expect(started).toEqual([1, 3])
  })
})
