import { type AddressInfo, createServer } from 'node:net'
import { PosthasteError, service, stream } from '@posthaste/contracts'
import { describe, expect, it, onTestFinished } from 'vitest'
import { z } from 'zod'
import { client, collected, errorOf, served, until } from '../../test/apps.ts'

const Item = z.object({ n: z.number(), text: z.string().default('') })
type Item = z.infer<typeof Item>
const Count = z.object({ count: z.number().int() })

const Streams = service('shop.Streams', {
  count: { input: Count, output: stream(Item) },
  sum: { input: stream(Item), output: Count },
  double: { input: stream(Item), output: stream(Item) },
})

async function* items(count: number, text = ''): AsyncGenerator<Item> {
  for (let n = 1; n <= count; n++) yield { n, text }
}

const plain = {
  count: ({ count }: { count: number }) => items(count),
  async sum(given: AsyncIterable<Item>) {
    let count = 0
    for await (const { n } of given) count += n
    return { count }
  },
  async *double(given: AsyncIterable<Item>) {
    for await (const { n, text } of given) yield { n: 2 * n, text }
  },
}

const numbers = async (given: AsyncIterable<Item>): Promise<number[]> => (await collected(given)).map(({ n }) => n)

describe('streams over link', () => {
  it('go from the server to the client', async () => {
    const { url } = await served([Streams, plain])
    const streams = await client(Streams, url)
    expect(await numbers(streams.count({ count: 1_000 }))).toEqual(Array.from({ length: 1_000 }, (_, at) => at + 1))
    expect(await numbers(streams.count({ count: 0 }))).toEqual([])
  })

  it('go from the client to the server', async () => {
    const { url } = await served([Streams, plain])
    const streams = await client(Streams, url)
    expect(await streams.sum(items(1_000))).toEqual({ count: 500_500 })
    expect(await streams.sum([])).toEqual({ count: 0 })
  })

  it('go both ways at once, each answer before the next question', async () => {
    const { url } = await served([Streams, plain])
    const streams = await client(Streams, url)
    let answered = 0
    async function* questions(): AsyncGenerator<Item> {
      for (let n = 1; n <= 100; n++) {
        yield { n, text: '' }
        await until(() => answered === n)
      }
    }
    for await (const { n } of streams.double(questions())) expect(n).toBe(2 * ++answered)
    expect(answered).toBe(100)
  })

  it('carry what is larger than any window', async () => {
    const { url } = await served([Streams, plain], { streamWindow: 16_384, connectionWindow: 65_536 })
    const streams = await client(Streams, { url, streamWindow: 16_384, connectionWindow: 65_536 })
    const text = 'x'.repeat(100_000)
    const lengths = (await collected(streams.double(items(20, text)))).map((item) => item.text.length)
    expect(lengths).toEqual(Array.from({ length: 20 }, () => text.length))
  })

  it('are many on one connection, none of which waits for another', async () => {
    const { url } = await served([Streams, plain])
    const streams = await client(Streams, url)
    const unread = streams.count({ count: 1_000_000 })[Symbol.asyncIterator]()
    expect((await unread.next()).value).toEqual({ n: 1, text: '' })
    const sums = await Promise.all(Array.from({ length: 50 }, () => streams.sum(items(200))))
    expect(new Set(sums.map(({ count }) => count))).toEqual(new Set([20_100]))
    await unread.return?.()
  })
})

describe('a stream that cannot begin', () => {
  it('is UNAVAILABLE and not sent where nobody listens, so that it may be begun again', async () => {
    const { app, url } = await served([Streams, plain])
    await app.close()
    const streams = await client(Streams, { url, backoffMs: 10, backoffMsMax: 20 })
    const unsent = { code: 'UNAVAILABLE', notSent: true }
    expect(await errorOf(numbers(streams.count({ count: 1 })))).toMatchObject(unsent)
    expect(await errorOf(streams.sum(items(3)))).toMatchObject(unsent)
    const patient = await client(Streams, { url, backoffMs: 10, backoffMsMax: 20 }, { retry: { attempts: 100 } })
    const sum = patient.sum(items(3))
    await served([Streams, plain], { port: Number(url.split(':').at(-1)) })
    expect(await sum).toEqual({ count: 6 })
  })

  it('is not waited for longer than its caller does', async () => {
    const silent = createServer((socket) => void socket.resume())
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve))
    onTestFinished(() => void silent.close())
    const { port } = silent.address() as AddressInfo
    const streams = await client(Streams, `link://127.0.0.1:${port}`)
    const abort = new AbortController()
    const reading = errorOf(numbers(streams.count({ count: 1 }, { signal: abort.signal })))
    setTimeout(() => abort.abort(), 20)
    expect(await reading).toMatchObject({ code: 'CANCELLED' })
  })
})

describe('a stream that ends early', () => {
  it('ends the handler when the client leaves', async () => {
    const seen = { sent: 0, ended: false, aborted: false }
    const { url } = await served([
      Streams,
      {
        ...plain,
        async *count(_, ctx) {
          ctx.signal.addEventListener('abort', () => {
            seen.aborted = true
          })
          try {
            for (;;) yield { n: ++seen.sent, text: '' }
          } finally {
            seen.ended = true
          }
        },
      },
    ])
    const streams = await client(Streams, url)
    for await (const { n } of streams.count({ count: 0 })) if (n === 3) break
    await until(() => seen.ended && seen.aborted)
  })

  it('fails with what the handler threw, after the items before', async () => {
    const { url } = await served([
      Streams,
      {
        ...plain,
        async *count() {
          yield { n: 1, text: '' }
          throw new PosthasteError('CONFLICT', 'no more', { details: { n: 1 } })
        },
      },
    ])
    const streams = await client(Streams, url)
    const got: number[] = []
    const reading = (async () => {
      for await (const { n } of streams.count({ count: 5 })) got.push(n)
    })()
    expect(await errorOf(reading)).toMatchObject({ code: 'CONFLICT', details: { n: 1 } })
    expect(got).toEqual([1])
  })

  it('ends the iteration of the client when the handler has its answer before', async () => {
    const { url } = await served([
      Streams,
      {
        ...plain,
        async sum(given) {
          for await (const { n } of given) if (n === 3) break
          return { count: 3 }
        },
      },
    ])
    const streams = await client(Streams, url)
    let ended = false
    async function* endless(): AsyncGenerator<Item> {
      try {
        for (let n = 1; ; n++) yield { n, text: 'x'.repeat(1_000) }
      } finally {
        ended = true
      }
    }
    expect(await streams.sum(endless())).toEqual({ count: 3 })
    await until(() => ended)
  })

  it('fails for both when the client cannot go on', async () => {
    const seen: { n: number; failure: unknown } = { n: 0, failure: undefined }
    const { url } = await served([
      Streams,
      {
        ...plain,
        async sum(given) {
          try {
            for await (const { n } of given) seen.n = n
          } catch (error) {
            seen.failure = error
            throw error
          }
          return { count: 0 }
        },
      },
    ])
    const streams = await client(Streams, url)
    async function* broken(): AsyncGenerator<Item> {
      yield* items(10)
      await until(() => seen.n === 10)
      throw new PosthasteError('NOT_FOUND', 'the file ends here')
    }
    expect(await errorOf(streams.sum(broken()))).toMatchObject({ code: 'NOT_FOUND' })
    await until(() => seen.failure !== undefined)
    expect(seen.failure).toMatchObject({ code: 'CANCELLED' })
  })

  it('refuses items that do not fit, whoever made them', async () => {
    const wrong = { n: 'one' } as never
    const { url } = await served([Streams, { ...plain, count: () => [{ n: 1 }, wrong] }])
    const streams = await client(Streams, url)
    expect(await errorOf(numbers(streams.count({ count: 2 })))).toMatchObject({ code: 'INTERNAL' })
    expect(await errorOf(streams.sum([{ n: 1 }, wrong]))).toMatchObject({ code: 'PAYLOAD_INVALID' })
  })

  it('ends with the server', async () => {
    const { app, url } = await served([Streams, plain], {}, { graceMs: 100 })
    const streams = await client(Streams, url)
    const reading = streams.count({ count: 1_000_000_000 })[Symbol.asyncIterator]()
    await reading.next()
    await app.close()
    const rest = (async () => {
      for (;;) if ((await reading.next()).done) return
    })()
    expect(await errorOf(rest)).toMatchObject({ code: 'UNAVAILABLE' })
  })
})

describe('a consumer that is slow', () => {
  it('slows the server’s stream down, to what fits the window', async () => {
    let made = 0
    const text = 'x'.repeat(1_000)
    const { url } = await served([
      Streams,
      {
        ...plain,
        async *count() {
          for (;;) yield { n: ++made, text }
        },
      },
    ])
    const streams = await client(Streams, { url, streamWindow: 65_536 })
    const reading = streams.count({ count: 0 })[Symbol.asyncIterator]()
    await reading.next()
    let before = -1
    while (before !== made) {
      before = made
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
    expect(made).toBeLessThan(200)
    for (let n = 0; n < 100; n++) await reading.next()
    await until(() => made > before)
    await reading.return?.()
  })

  it('slows the client’s stream down, to what fits the window', async () => {
    const gate = Promise.withResolvers<void>()
    const { url } = await served(
      [
        Streams,
        {
          ...plain,
          async sum(given) {
            await gate.promise
            return plain.sum(given)
          },
        },
      ],
      { streamWindow: 65_536 },
    )
    const streams = await client(Streams, url)
    let made = 0
    async function* counted(): AsyncGenerator<Item> {
      for await (const item of items(2_000, 'x'.repeat(1_000))) {
        made = item.n
        yield item
      }
    }
    const call = streams.sum(counted())
    let before = -1
    while (before !== made) {
      before = made
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
    expect(made).toBeLessThan(200)
    gate.resolve()
    expect(await call).toEqual({ count: 2_001_000 })
  })
})
