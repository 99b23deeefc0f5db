import { PosthasteError, service, stream } from '@posthaste/contracts'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { manualClock } from '../../testing/manual-clock.ts'
import { recordingLog } from '../../testing/recording-log.ts'
import type { ServeContext } from '../context.ts'
import { createRpc } from '../rpc.ts'
import type { ServiceHandlers } from '../serve.ts'

const Figures = service('shop.Figures', {
  count: { input: z.object({ to: z.coerce.number<string>() }), output: stream(z.object({ n: z.number() })) },
  sum: { input: stream(z.coerce.number<string>()), output: z.number() },
  double: { input: stream(z.coerce.number<string>()), output: stream(z.number()) },
  half: { input: z.number(), output: z.number() },
})

type Handlers = ServiceHandlers<typeof Figures.methods>

const plain: Handlers = {
  async *count({ to }) {
    for (let n = 0; n < to; n++) yield { n }
  },
  async sum(items) {
    let sum = 0
    for await (const item of items) sum += item
    return sum
  },
  async *double(items) {
    for await (const item of items) yield item * 2
  },
  half: (number) => number / 2,
}

function setUp(handlers: Partial<Handlers> = {}, options = {}) {
  const clock = manualClock()
  const log = recordingLog()
  const rpc = createRpc({ clock, log, random: () => 0 })
  rpc.serve(Figures, { ...plain, ...handlers }, options)
  return { clock, log, rpc, client: rpc.client(Figures) }
}

/** What a stream yields, and what it then ends with. */
async function read(items: AsyncIterable<unknown>, most = Number.POSITIVE_INFINITY) {
  const seen: unknown[] = []
  try {
    for await (const item of items) {
      seen.push(item)
      if (seen.length >= most) return { seen, end: 'left' }
    }
    return { seen, end: 'done' }
  } catch (failure) {
    return { seen, end: (failure as PosthasteError).code, failure: failure as PosthasteError }
  }
}

/** A source of texts that says what became of it. */
function source(texts: readonly string[], then: 'end' | 'wait' | Error = 'end') {
  const told = { begun: false, left: false, given: 0 }
  async function* items() {
    told.begun = true
    try {
      for (const text of texts) {
        told.given += 1
        yield text
      }
      if (then === 'wait') await new Promise(() => {})
      if (then instanceof Error) throw then
    } finally {
      told.left = true
    }
  }
  return { told, items: items() }
}

const settled = async (): Promise<void> => {
  for (let turn = 0; turn < 50; turn++) await Promise.resolve()
}

/** A handler that counts for as long as it may, and says what became of it. */
function endless() {
  const told = { calls: 0, left: 0, reason: undefined as unknown }
  async function* count(_: unknown, ctx: ServeContext) {
    told.calls += 1
    ctx.cancellation.onCancel((reason) => {
      told.reason = reason.code
    })
    try {
      for (let n = 0; ; n++) yield { n }
    } finally {
      told.left += 1
    }
  }
  return { told, count }
}

describe('a call with streams', () => {
  it('answers with the items of the handler, each as the schema has it', async () => {
    const extra = { n: 1, secret: 'x' }
    const { client } = setUp({ count: () => [extra, Promise.resolve({ n: 2 }) as never] })
    expect(await read(client.count({ to: '2' }))).toEqual({ seen: [{ n: 1 }, { n: 2 }], end: 'done' })
  })

  it('gives the handler the items of the caller, each as the schema makes it', async () => {
    const { client } = setUp()
    expect(await client.sum(['1', '2', '3'])).toBe(6)
    expect(await client.sum(source(['4', '5']).items)).toBe(9)
  })

  it('carries both ways at a time, one item at a time', async () => {
    const { client } = setUp()
    const { told, items } = source(['1', '2', '3'])
    const answers = client.double(items)[Symbol.asyncIterator]()
    expect(told).toEqual({ begun: false, left: false, given: 0 })
    expect(await answers.next()).toEqual({ done: false, value: 2 })
    expect(told.given).toBe(1)
    expect(await answers.next()).toEqual({ done: false, value: 4 })
    expect(await answers.next()).toEqual({ done: false, value: 6 })
    expect(await answers.next()).toEqual({ done: true, value: undefined })
    expect(await answers.next()).toEqual({ done: true, value: undefined })
    expect(told).toEqual({ begun: true, left: true, given: 3 })
  })

  it('answers several questions at a time in their order', async () => {
    const { client } = setUp()
    const items = client.count({ to: '2' })[Symbol.asyncIterator]()
    const results = await Promise.all([items.next(), items.next(), items.next(), items.next()])
    expect(results.map(({ value }) => value)).toEqual([{ n: 0 }, { n: 1 }, undefined, undefined])
  })

  it('begins when its first item is asked for, and not at all otherwise', async () => {
    const { told, count } = endless()
    const { client } = setUp({ count })
    client.count({ to: 'not a number' })
    const left = client.count({ to: '1' })[Symbol.asyncIterator]()
    await left.return?.()
    expect(await left.next()).toEqual({ done: true, value: undefined })
    await settled()
    expect(told.calls).toBe(0)
  })

  it('leaves the methods without streams of the same service as they are', async () => {
    expect(await setUp().client.half(8)).toBe(4)
  })

  it('shows the handler the id, the headers and the time that is left', async () => {
    const seen: unknown[] = []
    const { client, clock } = setUp({
      async *count(_, ctx) {
        seen.push(ctx.headers, ctx.target, ctx.remainingMs())
        yield { n: 1 }
        await clock.advance(40)
        seen.push(ctx.remainingMs())
      },
    })
    await read(client.count({ to: '1' }, { headers: { tenant: 't' }, timeoutMs: 100 }))
    expect(seen).toEqual([{ tenant: 't' }, 'shop.Figures/count', 100, 60])
  })
})

describe('the end of a stream', () => {
  it('reaches the handler when the caller leaves: its signal aborts and its `finally` runs', async () => {
    const { told, count } = endless()
    const { client } = setUp({ count })
    expect(await read(client.count({ to: '1' }), 3)).toEqual({ seen: [{ n: 0 }, { n: 1 }, { n: 2 }], end: 'left' })
    await settled()
    expect(told).toEqual({ calls: 1, left: 1, reason: 'CANCELLED' })
  })

  it('reaches a handler that waits, through its signal', async () => {
    let left = false
    const { client } = setUp({
      async *count(_, ctx) {
        try {
          yield { n: 1 }
          await new Promise((_, reject) => ctx.cancellation.onCancel(reject))
        } finally {
          left = true
        }
      },
    })
    const items = client.count({ to: '1' })[Symbol.asyncIterator]()
    await items.next()
    const waiting = items.next()
    await settled()
    await items.return?.()
    expect(await waiting).toEqual({ done: true, value: undefined })
    await settled()
    expect(left).toBe(true)
  })

  it('is the handler’s failure, after the items that came before it', async () => {
    const { client, log } = setUp({
      async *count() {
        yield { n: 1 }
        throw new PosthasteError('NOT_FOUND', 'no more figures')
      },
      async *double() {
        yield 1
        throw new TypeError('oops')
      },
    })
    const meant = await read(client.count({ to: '1' }))
    expect(meant).toMatchObject({
      seen: [{ n: 1 }],
      end: 'NOT_FOUND',
      failure: { message: '[NOT_FOUND] no more figures' },
    })
    const unexpected = await read(client.double([]))
    expect(unexpected).toMatchObject({ seen: [1], end: 'INTERNAL' })
    expect(unexpected.failure?.message).not.toContain('oops')
    expect(log.entries).toMatchObject([{ level: 'error', fields: { error: new TypeError('oops') } }])
  })

  it.each(['thrown', 'rejected'])('is the failure of a handler that makes no stream at all: %s', async (how) => {
    const failure = new PosthasteError('NOT_FOUND', 'none')
    const { client } = setUp({
      count() {
        if (how === 'rejected') return Promise.reject(failure)
        throw failure
      },
    })
    expect(await read(client.count({ to: '1' }))).toMatchObject({ seen: [], end: 'NOT_FOUND' })
  })

  it.each([[undefined], [7], ['text']])('fails as internal where a handler returns %j for a stream', async (output) => {
    const { client } = setUp({ count: () => output as never })
    expect(await read(client.count({ to: '1' }))).toMatchObject({ seen: [], end: 'INTERNAL' })
  })

  it('tells its failure once, and is over then', async () => {
    const { client } = setUp({
      // biome-ignore lint/correctness/useYield: it fails before its first item
      async *count() {
        throw new PosthasteError('NOT_FOUND', 'none')
      },
    })
    const items = client.count({ to: '1' })[Symbol.asyncIterator]()
    await expect(items.next()).rejects.toMatchObject({ code: 'NOT_FOUND' })
    expect(await items.next()).toEqual({ done: true, value: undefined })
  })

  it('comes with the caller’s signal, at once, whether or not the handler notices', async () => {
    const { client } = setUp({
      async *count() {
        yield { n: 1 }
        await new Promise(() => {})
      },
    })
    const abort = new AbortController()
    const items = client.count({ to: '1' }, { signal: abort.signal })[Symbol.asyncIterator]()
    await items.next()
    const waiting = items.next()
    abort.abort()
    await expect(waiting).rejects.toMatchObject({ code: 'CANCELLED' })
  })

  it('comes with the deadline, and the handler is told that it was that', async () => {
    const { told, count } = endless()
    const { client, clock } = setUp({ count })
    const items = client.count({ to: '1' }, { timeoutMs: 100 })[Symbol.asyncIterator]()
    await items.next()
    await clock.advance(120)
    await expect(items.next()).rejects.toMatchObject({ code: 'DEADLINE_EXCEEDED' })
    expect(told).toEqual({ calls: 1, left: 1, reason: 'DEADLINE_EXCEEDED' })
  })

  it('comes with the end of the call it was made for', async () => {
    const { told, count } = endless()
    const { rpc, client } = setUp({ count })
    const Outer = service('shop.Outer', { first: { input: z.number(), output: z.number() } })
    let kept: AsyncIterator<unknown> | undefined
    const [outer] = rpc.serve(Outer, {
      async first(_, ctx) {
        kept = client.count({ to: '1' }, { within: ctx })[Symbol.asyncIterator]()
        await kept.next()
        return new Promise<number>(() => {})
      },
    })
    const running = outer!.dispatch({ payload: 1, headers: {} })
    await settled()
    running.cancel(new PosthasteError('CANCELLED', 'gone'))
    await expect(running.result).rejects.toMatchObject({ code: 'CANCELLED' })
    await settled()
    expect(told).toEqual({ calls: 1, left: 1, reason: 'CANCELLED' })
    await expect(kept?.next()).rejects.toMatchObject({ code: 'CANCELLED' })
  })
})

describe('the input of a call', () => {
  it('is let go of when the handler does not want all of it', async () => {
    const { told, items } = source(['1', '2', '3'])
    const { client } = setUp({
      async sum(numbers) {
        for await (const number of numbers) return number
        return 0
      },
    })
    expect(await client.sum(items)).toBe(1)
    await settled()
    expect(told).toEqual({ begun: true, left: true, given: 1 })
  })

  it('is let go of when the handler does not even look at it', async () => {
    const { told, items } = source(['1'])
    const { client } = setUp({ sum: () => 7 })
    expect(await client.sum(items)).toBe(7)
    await settled()
    expect(told.begun).toBe(false)
    expect(await items.next()).toEqual({ done: true, value: undefined })
  })

  it('ends for whoever still reads it with the call, and not as if it were complete', async () => {
    let late: AsyncIterator<number> | undefined
    const { client } = setUp({
      sum(numbers) {
        late = numbers[Symbol.asyncIterator]()
        return 7
      },
    })
    await client.sum(['1'])
    await expect(late?.next()).rejects.toMatchObject({ code: 'CANCELLED', message: '[CANCELLED] the call has ended' })
  })

  it('fails the call where the caller cannot go on, with what stopped it', async () => {
    let seen: unknown
    const failing = source(['1'], new PosthasteError('NOT_FOUND', 'no more texts'))
    const { client } = setUp({
      async sum(numbers) {
        try {
          for await (const _ of numbers);
        } catch (failure) {
          seen = (failure as PosthasteError).code
        }
        return 7
      },
    })
    await expect(client.sum(failing.items)).rejects.toMatchObject({ code: 'NOT_FOUND' })
    await settled()
    expect(seen).toBe('CANCELLED')
  })

  it('ends with a cancelled call', async () => {
    const { told, items } = source(['1'])
    const waiting = source(['1'], 'wait')
    const { client } = setUp()
    const abort = new AbortController()
    const call = client.sum(waiting.items, { signal: abort.signal })
    await settled()
    abort.abort()
    await expect(call).rejects.toMatchObject({ code: 'CANCELLED' })
    await expect(client.sum(items, { signal: AbortSignal.abort() })).rejects.toMatchObject({ code: 'CANCELLED' })
    await settled()
    expect(told.begun).toBe(false)
    expect(await items.next()).toEqual({ done: true, value: undefined })
  })

  it.each([[undefined], [7], ['123']])('must be something to iterate, not %j', async (input) => {
    const { client } = setUp()
    await expect(client.sum(input as never)).rejects.toMatchObject({ code: 'PAYLOAD_INVALID' })
    expect(await read(client.double(input as never))).toMatchObject({ seen: [], end: 'PAYLOAD_INVALID' })
  })
})

describe('an item that does not fit', () => {
  const texts = ['1', 'two', '3']

  it('fails the call of whoever sent it, with its place, and reaches no handler', async () => {
    const seen: number[] = []
    const { client } = setUp({
      async *double(numbers) {
        for await (const number of numbers) {
          seen.push(number)
          yield number
        }
      },
    })
    const { told, items } = source(texts)
    const issues = [{ path: '1', message: expect.any(String) }]
    await expect(client.sum(texts)).rejects.toMatchObject({ code: 'PAYLOAD_INVALID', issues })
    expect(await read(client.double(items))).toMatchObject({ seen: [1], end: 'PAYLOAD_INVALID', failure: { issues } })
    expect(seen).toEqual([1])
    await settled()
    expect(told).toEqual({ begun: true, left: true, given: 2 })
  })

  it('fails a served call, whatever the handler makes of it', async () => {
    const { rpc } = setUp({
      async sum(numbers) {
        try {
          for await (const _ of numbers);
        } catch {
          // It does not want to know.
        }
        return 7
      },
    })
    const sum = rpc.served.find(({ method }) => method === 'sum')!
    const { told, items } = source(texts)
    await expect(sum.dispatch({ payload: items, headers: {} }).result).rejects.toMatchObject({
      code: 'PAYLOAD_INVALID',
      message: expect.stringContaining('the input of shop.Figures/sum'),
      issues: [{ path: '1' }],
    })
    await settled()
    expect(told).toEqual({ begun: true, left: true, given: 2 })
  })

  it('fails a stream as internal where the handler made it, after those that fit', async () => {
    let left = false
    const { client } = setUp({
      async *count() {
        try {
          yield { n: 1 }
          yield { n: 'two' as never }
          yield { n: 3 }
        } finally {
          left = true
        }
      },
    })
    const result = await read(client.count({ to: '1' }))
    expect(result).toMatchObject({ seen: [{ n: 1 }], end: 'INTERNAL' })
    expect(result.failure?.cause).toMatchObject({ code: 'PAYLOAD_INVALID', issues: [{ path: '1.n' }] })
    await settled()
    expect(left).toBe(true)
  })

  it('fails a stream as internal where it came from outside', async () => {
    const { rpc } = setUp()
    const transport = {
      name: 'far',
      streams: true,
      call: async () => [{ n: 1, unknown: true }, { n: 'two' }],
      async close() {},
    }
    const result = await read(rpc.client(Figures, { transport }).count({ to: '1' }))
    expect(result).toMatchObject({
      seen: [{ n: 1 }],
      end: 'INTERNAL',
      failure: { cause: { issues: [{ path: '1.n' }] } },
    })
  })
})
