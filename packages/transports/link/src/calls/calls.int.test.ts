import { PosthasteError, service } from '@posthaste/contracts'
import { posthaste } from 'posthaste'
import { silentLog } from 'posthaste/pipeline'
import { recordingLog } from 'posthaste/testing'
import { describe, expect, it, onTestFinished } from 'vitest'
import { z } from 'zod'
import { client, errorOf, served, until } from '../../test/apps.ts'
import { link } from './link.ts'
import { linkClient } from './link-client.ts'

const Text = z.object({ text: z.string() })
const Shop = service('shop.Shop', {
  echo: { input: Text, output: Text, idempotent: true },
  nothing: { input: z.void(), output: z.void() },
  add: { input: Text, output: Text },
})

const plain = {
  echo: async (input: { text: string }) => input,
  nothing: async () => undefined,
  add: async (input: { text: string }) => input,
}

/** A handler that ends when it is told to, and remembers with what. */
function waiting() {
  const seen: { entered: number; reason: unknown } = { entered: 0, reason: undefined }
  const wait = async (input: { text: string }, ctx: { readonly signal: AbortSignal }) => {
    seen.entered += 1
    await new Promise<void>((resolve) => {
      ctx.signal.addEventListener('abort', () => {
        seen.reason = ctx.signal.reason
        resolve()
      })
    })
    return input
  }
  return { seen, wait }
}

describe('a call over link', () => {
  it('goes there and comes back, checked on both sides', async () => {
    const { url } = await served([Shop, { ...plain, echo: async ({ text }) => ({ text: `${text}!`, secret: 1 }) }])
    const shop = await client(Shop, url)
    expect(await shop.echo({ text: 'ä€😀' })).toEqual({ text: 'ä€😀!' })
    expect(await shop.nothing()).toBeUndefined()
    expect(await errorOf(shop.echo({ text: 1 } as never))).toMatchObject({ code: 'PAYLOAD_INVALID' })
  })

  it('is one of thousands at a time, each with its own answer', async () => {
    const { url } = await served([Shop, plain])
    const shop = await client(Shop, url)
    const texts = Array.from({ length: 5_000 }, (_, n) => `text ${n}`)
    const answers = await Promise.all(texts.map((text) => shop.echo({ text })))
    expect(answers.map(({ text }) => text)).toEqual(texts)
  })

  it('may be as large as a message may be, and no larger', async () => {
    const { url } = await served([Shop, plain], { messageBytesMax: 2_000_000 })
    const shop = await client(Shop, url)
    const text = 'x'.repeat(1_900_000)
    expect((await shop.echo({ text })).text.length).toBe(text.length)
    expect(await errorOf(shop.echo({ text: text + text }))).toMatchObject({ code: 'BODY_TOO_LARGE' })
    expect(await shop.echo({ text: 'still there' })).toEqual({ text: 'still there' })
  })

  it('carries headers and its id, and says nothing that only the transport may say', async () => {
    const seen: unknown[] = []
    const { url } = await served([
      Shop,
      {
        ...plain,
        async echo(input, { id, headers }) {
          seen.push({ id, headers })
          return input
        },
      },
    ])
    const shop = await client(Shop, url)
    await shop.echo({ text: '' }, { headers: { 'x-tenant': 'tëst', 'link-user': 'root' } })
    await shop.echo({ text: '' })
    expect(seen).toEqual([
      { id: expect.stringMatching(/^[0-9a-f-]{36}$/), headers: { 'x-tenant': 'tëst' } },
      { id: expect.any(String), headers: {} },
    ])
  })

  it('goes over a Unix socket, too', async () => {
    const path = `/tmp/posthaste-link-${process.pid}.sock`
    const { url } = await served([Shop, plain], { path })
    const shop = await client(Shop, url)
    expect(await shop.echo({ text: 'x' })).toEqual({ text: 'x' })
  })
})

describe('a failure over link', () => {
  const details = { available: 3 }
  const issues = [{ path: 'text', message: 'is too long' }]

  it('says all that the handler said, and not what led to it', async () => {
    const { url } = await served([
      Shop,
      {
        ...plain,
        async echo() {
          throw new PosthasteError('CONFLICT', 'there are too few', {
            remedy: 'Order less.',
            verdict: 'retryable',
            issues,
            details,
            retryAfterMs: 1_500,
            cause: new Error('db-7 is down'),
          })
        },
      },
    ])
    const error = await errorOf((await client(Shop, url)).echo({ text: '' }))
    expect(error).toMatchObject({
      code: 'CONFLICT',
      message: '[CONFLICT] there are too few',
      remedy: 'Order less.',
      verdict: 'retryable',
      issues,
      details,
      retryAfterMs: 1_500,
      notSent: false,
    })
    expect((error as Error).cause).toBeUndefined()
  })

  it('is INTERNAL where the handler did not mean it, and tells nothing of the inside', async () => {
    const { url } = await served([
      Shop,
      {
        ...plain,
        async echo() {
          throw new Error('connection to db-7 refused')
        },
      },
    ])
    const error = await errorOf((await client(Shop, url)).echo({ text: '' }))
    expect(error).toMatchObject({ code: 'INTERNAL' })
    expect(String(error)).not.toContain('db-7')
  })

  it('is UNIMPLEMENTED where nobody serves the method', async () => {
    const { url } = await served([
      service('shop.Other', { other: { input: z.void(), output: z.void() } }),
      { other() {} },
    ])
    expect(await errorOf((await client(Shop, url)).echo({ text: '' }))).toMatchObject({
      code: 'UNIMPLEMENTED',
      message: expect.stringContaining('shop.Shop/echo'),
    })
  })

  it('is UNAVAILABLE and not sent where nobody listens', async () => {
    const { app, url } = await served([Shop, plain])
    await app.close()
    const shop = await client(Shop, url)
    expect(await errorOf(shop.add({ text: '' }))).toMatchObject({ code: 'UNAVAILABLE', notSent: true })
  })

  it('tells the log of an answer that cannot be written, and the caller no more than that', async () => {
    const log = recordingLog()
    const Odd = service('shop.Odd', { odd: { input: z.void(), output: z.any() } })
    const { url } = await served([Odd, { odd: async () => ({ n: 10n }) }], {}, { log })
    const error = await errorOf((await client(Odd, url)).odd())
    expect(error).toMatchObject({ code: 'INTERNAL', details: undefined })
    expect(log.entries.map(({ message }) => message)).toContain('an answer could not be written')
  })
})

describe('what is not wanted any more', () => {
  it('is told to the handler when the caller gives up', async () => {
    const { seen, wait } = waiting()
    const { url } = await served([Shop, { ...plain, echo: wait }])
    const shop = await client(Shop, url)
    const abort = new AbortController()
    const call = errorOf(shop.echo({ text: '' }, { signal: abort.signal }))
    await until(() => seen.entered === 1)
    abort.abort()
    expect(await call).toMatchObject({ code: 'CANCELLED' })
    await until(() => seen.reason !== undefined)
    expect(seen.reason).toMatchObject({ code: 'CANCELLED' })
  })

  it('is told to the handler when the deadline passes, which travels', async () => {
    const { seen, wait } = waiting()
    let remainingMs = 0
    const { url } = await served([
      Shop,
      {
        ...plain,
        echo(input, ctx) {
          remainingMs = ctx.remainingMs()
          return wait(input, ctx)
        },
      },
    ])
    const shop = await client(Shop, url)
    expect(await errorOf(shop.echo({ text: '' }, { timeoutMs: 150 }))).toMatchObject({ code: 'DEADLINE_EXCEEDED' })
    expect(remainingMs).toBeLessThanOrEqual(150)
    await until(() => seen.reason !== undefined)
    expect(seen.reason).toMatchObject({ code: expect.stringMatching(/DEADLINE_EXCEEDED|CANCELLED/) })
  })

  it('is told to the handler when the connection is lost', async () => {
    const { seen, wait } = waiting()
    const { url } = await served([Shop, { ...plain, echo: wait }])
    const app = posthaste({ name: 'client', log: silentLog, signals: false, graceMs: 0 })
    const shop = app.client(Shop, { transport: linkClient(url) })
    await app.start()
    const call = errorOf(shop.echo({ text: '' }))
    await until(() => seen.entered === 1)
    await app.close()
    expect(await call).toMatchObject({ code: 'UNAVAILABLE', notSent: false })
    await until(() => seen.reason !== undefined)
  })

  it('is told to the handler, and to the caller, when the server stops and its grace is over', async () => {
    const { seen, wait } = waiting()
    const { app, url } = await served([Shop, { ...plain, echo: wait }], {}, { graceMs: 50 })
    const shop = await client(Shop, url)
    const call = errorOf(shop.echo({ text: '' }))
    await until(() => seen.entered === 1)
    await app.close()
    expect(await call).toMatchObject({ code: 'UNAVAILABLE' })
    await until(() => seen.reason !== undefined)
  })
})

describe('policies over link', () => {
  it('make a call again that was not sent, whatever it does', async () => {
    const first = await served([Shop, plain])
    await first.app.close()
    const port = Number(new URL(first.url.replace('link:', 'http:')).port)
    const shop = await client(Shop, { url: first.url, backoffMs: 10, backoffMsMax: 20 }, { retry: { attempts: 50 } })
    const call = shop.add({ text: 'x' })
    const again = posthaste({ name: 'again', transports: [link({ port })], log: silentLog, signals: false })
    again.serve(Shop, plain)
    await again.start()
    onTestFinished(() => again.close())
    expect(await call).toEqual({ text: 'x' })
  })

  it('open a breaker on a server that is gone', async () => {
    const { app, url } = await served([Shop, plain])
    const breaker = { callsMin: 5, windowMs: 10_000 }
    const shop = await client(Shop, { url, handoverMs: 20 }, { breaker })
    expect(await shop.echo({ text: '' })).toEqual({ text: '' })
    await app.close()
    const codes = new Set<unknown>()
    for (let n = 0; n < 30; n++) codes.add(((await errorOf(shop.echo({ text: '' }))) as PosthasteError).code)
    expect([...codes].sort()).toEqual(['BREAKER_OPEN', 'UNAVAILABLE'])
  })
})
