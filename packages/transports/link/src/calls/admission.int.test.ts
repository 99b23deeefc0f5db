import { PosthasteError, service, stream } from '@posthaste/contracts'
import { recordingLog } from 'posthaste/testing'
import { describe, expect, it, onTestFinished } from 'vitest'
import { z } from 'zod'
import { client, collected, errorOf, makeKeys, served } from '../../test/apps.ts'
import { linkClient } from './link-client.ts'

const Shop = service('shop.Shop', {
  whoami: { input: z.void(), output: z.record(z.string(), z.string()), idempotent: true, description: 'Who calls.' },
  order: { input: z.object({ count: z.number() }), output: z.void() },
  watch: { input: z.void(), output: stream(z.number()) },
})
const handlers = {
  whoami: async (_: unknown, { headers }: { readonly headers: Readonly<Record<string, string>> }) => ({ ...headers }),
  order: async () => undefined,
  watch: () => [1, 2, 3],
}
const tokens = { ann: 'secret-of-ann', bob: ['old-secret-of-bob', 'new-secret-of-bob'] }

/** A client of link without an application. */
function asking(target: Parameters<typeof linkClient>[0]) {
  const asked = linkClient(target)
  onTestFinished(() => asked.close())
  return asked
}

describe('tokens', () => {
  it('say to handlers who calls, and nobody can say to be another', async () => {
    const { url } = await served([Shop, handlers], { tokens })
    const ann = await client(Shop, { url, token: 'secret-of-ann' })
    expect(await ann.whoami(undefined, { headers: { 'link-user': 'bob', from: 'x' } })).toEqual({
      'link-user': 'ann',
      from: 'x',
    })
    const bob = await client(Shop, { url, token: async () => 'new-secret-of-bob' })
    expect(await bob.whoami()).toEqual({ 'link-user': 'bob' })
  })

  it.each([undefined, 'secret-of-eve'])('keep others out (%s)', async (token) => {
    const { url } = await served([Shop, handlers], { tokens })
    const eve = await client(Shop, { url, token })
    expect(await errorOf(eve.whoami())).toMatchObject({ code: 'UNAUTHENTICATED' })
  })

  it('may be checked by a function instead, which says what it likes', async () => {
    const { url } = await served([Shop, handlers], {
      async authenticate({ token }) {
        if (token === 'good') return { user: 'carl', grants: ['order'] }
        throw new PosthasteError('RATE_LIMITED', 'not now', { retryAfterMs: 5 })
      },
      authorize: ({ grants }, { method }) => (grants as string[]).includes(method),
    })
    const carl = await client(Shop, { url, token: 'good' })
    expect(await carl.order({ count: 1 })).toBeUndefined()
    expect(await errorOf(carl.whoami())).toMatchObject({ code: 'PERMISSION_DENIED' })
    const other = await client(Shop, { url, token: 'bad' })
    expect(await errorOf(other.whoami())).toMatchObject({ code: 'RATE_LIMITED' })
  })
})

describe('authorisation', () => {
  const authorize = ({ user }: { user: string | undefined }, { method }: { method: string }) =>
    user === 'bob' || method === 'whoami'

  it('is asked for each method, and refuses without asking the handler', async () => {
    let orders = 0
    const counted = {
      ...handlers,
      order: async () => {
        orders += 1
      },
    }
    const { url } = await served([Shop, counted], { tokens, authorize })
    const ann = await client(Shop, { url, token: 'secret-of-ann' })
    expect(await ann.whoami()).toEqual({ 'link-user': 'ann' })
    expect(await errorOf(ann.order({ count: 1 }))).toMatchObject({
      code: 'PERMISSION_DENIED',
      message: expect.stringContaining("'ann' may not call 'shop.Shop/order'"),
      notSent: false,
    })
    expect(await errorOf(collected(ann.watch()))).toMatchObject({ code: 'PERMISSION_DENIED' })
    expect(orders).toBe(0)
    const bob = await client(Shop, { url, token: 'old-secret-of-bob' })
    await bob.order({ count: 1 })
    expect([orders, await collected(bob.watch())]).toEqual([1, [1, 2, 3]])
  })

  it.each([
    ['a promise', async () => true],
    [
      'what it throws',
      () => {
        throw new Error('db-7 is down')
      },
    ],
  ])('takes %s for no permission', async (_, odd) => {
    const log = recordingLog()
    const { url } = await served([Shop, handlers], { authorize: odd as never }, { log })
    const error = await errorOf((await client(Shop, url)).whoami())
    expect(error).toMatchObject({ code: 'PERMISSION_DENIED' })
    expect(String(error)).not.toContain('db-7')
  })
})

describe('TLS', () => {
  const keys = makeKeys('stock-service')
  const it_ = it.runIf(keys !== undefined)

  it_('carries calls, and is refused where the authority is another', async () => {
    const { url } = await served([Shop, handlers], { tls: keys!.server })
    expect(url).toMatch(/^links:/)
    expect(await (await client(Shop, { url, tls: { ca: keys!.ca } })).whoami()).toEqual({})
    expect(await errorOf((await client(Shop, url)).whoami())).toMatchObject({ code: 'UNAVAILABLE' })
  })

  it_('says by the client’s certificate who calls, and keeps others out', async () => {
    const { url } = await served([Shop, handlers], { tls: { ...keys!.server, ca: keys!.ca } })
    const stock = await client(Shop, { url, tls: { ca: keys!.ca, ...keys!.client } })
    expect(await stock.whoami()).toEqual({ 'link-user': 'stock-service', 'link-certificate': 'stock-service' })
    expect(await errorOf((await client(Shop, { url, tls: { ca: keys!.ca } })).whoami())).toMatchObject({
      code: expect.stringMatching(/UNAVAILABLE|UNAUTHENTICATED/),
    })
  })
})

describe('a server', () => {
  it('tells how it is and what it serves', async () => {
    const { url } = await served([Shop, handlers])
    const asked = asking(url)
    expect(await asked.health()).toEqual({ status: 'ok' })
    const methods = await asked.describe()
    expect(methods).toHaveLength(3)
    expect(methods).toContainEqual({
      service: 'shop.Shop',
      method: 'watch',
      input: 'one',
      output: 'stream',
      idempotent: false,
    })
    expect(methods).toContainEqual({
      service: 'shop.Shop',
      method: 'whoami',
      input: 'one',
      output: 'one',
      idempotent: true,
      description: 'Who calls.',
    })
  })

  it('tells its health to everybody it lets in, and what it serves to whoever may know', async () => {
    const { url } = await served([Shop, handlers], { tokens, authorize: ({ user }) => user === 'bob' })
    const ann = asking({ url, token: 'secret-of-ann' })
    expect(await ann.health()).toEqual({ status: 'ok' })
    expect(await errorOf(ann.describe())).toMatchObject({ code: 'PERMISSION_DENIED' })
    expect(await asking({ url, token: 'old-secret-of-bob' }).describe()).toHaveLength(3)
    expect(await errorOf(asking(url).health())).toMatchObject({ code: 'UNAUTHENTICATED' })
  })

  it('serves nothing under the transport’s own name', async () => {
    const Own = service('posthaste.Link', { health: { input: z.void(), output: z.void() } })
    expect(await errorOf(served([Own, { health() {} }]))).toMatchObject({ code: 'CONTRACT_DUPLICATE' })
  })
})

it('a client that is closed makes no calls', async () => {
  const { url } = await served([Shop, handlers])
  const asked = asking(url)
  await asked.health()
  await asked.close()
  await asked.close()
  expect(await errorOf(asked.health())).toMatchObject({ code: 'UNAVAILABLE', notSent: true })
  const unused = asking(url)
  await unused.close()
  expect(await errorOf(unused.health())).toMatchObject({ code: 'UNAVAILABLE', notSent: true })
})
