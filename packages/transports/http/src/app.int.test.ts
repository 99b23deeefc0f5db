import { event, PosthasteError, service } from '@posthaste/contracts'
import { memory } from '@posthaste/memory'
import { posthaste } from 'posthaste'
import { silentLog } from 'posthaste/pipeline'
import { memoryIdempotency } from 'posthaste/resilience'
import { expect, it, onTestFinished } from 'vitest'
import { z } from 'zod'
import { gate } from '../test/rig.ts'
import { http } from './http.ts'

const Order = z.strictObject({ orderNo: z.string(), count: z.number().int().positive() })
const Created = event('shop.order.created', { data: Order })
const Orders = service('shop.Orders', {
  create: { input: Order, output: z.object({ orderNo: z.string() }), http: { route: 'POST /orders', status: 201 } },
  find: {
    input: z.object({ orderNo: z.string(), lines: z.coerce.number().default(10) }),
    output: z.object({ orderNo: z.string(), lines: z.number() }),
    http: 'GET /orders/:orderNo',
    idempotent: true,
  },
  wait: { input: z.object({}), output: z.void(), http: 'POST /wait' },
})

/** The shop over HTTP: what its methods see of the calls is pushed to `seen`. */
async function shop(wait: (signal: AbortSignal) => Promise<void> = async () => {}) {
  const seen: unknown[] = []
  const app = posthaste({
    name: 'shop',
    engine: memory(),
    transports: [http({ port: 0 })],
    log: silentLog,
    signals: false,
    graceMs: 5_000,
  })
  app.serve(Orders, {
    async create(order, ctx) {
      await ctx.publish(Created, order)
      return { ...order, secret: 'internal' }
    },
    find(query) {
      if (query.orderNo === 'none') throw new PosthasteError('NOT_FOUND', 'there is no such order')
      if (query.orderNo === 'broken') throw new Error('connection to db-7 refused')
      return query
    },
    wait: (_, ctx) => wait(ctx.signal),
  })
  app.on(Created, { group: 'points' }, (order, ctx) => void seen.push([order, ctx.correlationId]))
  await app.start()
  onTestFinished(() => app.close())
  return { app, seen, url: app.urls[0] as string }
}

const post = (body: unknown, headers: Record<string, string> = {}): RequestInit => ({
  method: 'POST',
  body: JSON.stringify(body),
  headers: { 'content-type': 'application/json', ...headers },
})

it('answers with the status of the contract and nothing that the contract does not know', async () => {
  const { url, seen } = await shop()
  const order = { orderNo: 'A1', count: 2 }
  const response = await fetch(`${url}/orders`, post(order, { 'x-request-id': 'req-9' }))
  expect(response.status).toBe(201)
  expect(await response.json()).toEqual({ orderNo: 'A1' })
  await expect.poll(() => seen).toEqual([[order, 'req-9']])
})

it('lets the schema coerce what the query can only say as text', async () => {
  const { url } = await shop()
  expect(await (await fetch(`${url}/orders/A%2F1?lines=3`)).json()).toEqual({ orderNo: 'A/1', lines: 3 })
  expect(await (await fetch(`${url}/orders/A1`)).json()).toEqual({ orderNo: 'A1', lines: 10 })
})

it('answers 422 with every mistake of the input, unknown fields included where the schema minds them', async () => {
  const { url } = await shop()
  const response = await fetch(`${url}/orders`, post({ orderNo: 5, count: 0, admin: true }))
  expect(response.status).toBe(422)
  const { code, errors } = (await response.json()) as { code: string; errors: { path: string }[] }
  expect(code).toBe('PAYLOAD_INVALID')
  expect(errors.map(({ path }) => path).sort()).toEqual(['', 'count', 'orderNo'])
})

it('answers 404 for what a handler does not find, and 500 without a word of why for what it did not expect', async () => {
  const { url } = await shop()
  const none = await fetch(`${url}/orders/none`)
  expect(none.status).toBe(404)
  expect(await none.json()).toMatchObject({ code: 'NOT_FOUND', detail: 'there is no such order' })
  const broken = await fetch(`${url}/orders/broken`)
  expect(broken.status).toBe(500)
  expect(await broken.text()).not.toMatch(/db-7/)
})

it('gives up with 504 when the time the client gave is over, and the handler is told', async () => {
  const told = gate()
  const { url } = await shop((signal) => {
    signal.addEventListener('abort', told.open)
    return new Promise(() => {})
  })
  const response = await fetch(`${url}/wait`, { method: 'POST', headers: { 'x-request-timeout-ms': '30' } })
  expect(response.status).toBe(504)
  await told.opened
  expect((await fetch(`${url}/wait`, { method: 'POST', headers: { 'x-request-timeout-ms': '0' } })).status).toBe(504)
})

it('aborts the handler’s signal when the client leaves', async () => {
  const begun = gate()
  const aborted = gate()
  const { url } = await shop((signal) => {
    begun.open()
    signal.addEventListener('abort', aborted.open)
    return new Promise(() => {})
  })
  const controller = new AbortController()
  const left = expect(fetch(`${url}/wait`, { method: 'POST', signal: controller.signal })).rejects.toThrow()
  await begun.opened
  controller.abort()
  await left
  await aborted.opened
})

it('lets calls that run finish when it closes, and takes no new ones', async () => {
  const begun = gate()
  const running = gate()
  const { app, url } = await shop(() => {
    begun.open()
    return running.opened
  })
  const response = fetch(`${url}/wait`, { method: 'POST' })
  await begun.opened
  const closed = app.close()
  running.open()
  expect((await response).status).toBe(204)
  await closed
  await expect(fetch(`${url}/orders/A1`)).rejects.toThrow()
})

it('takes idempotency-key and priority from the wire, and says when to repeat what is under way', async () => {
  const held = gate()
  const urgencies: (string | undefined)[] = []
  let done = 0
  const app = posthaste({
    name: 'shop',
    engine: memory(),
    transports: [http({ port: 0 })],
    log: silentLog,
    signals: false,
  })
  const handlers = {
    create: async ({ orderNo }: { orderNo: string }, ctx: { headers: Readonly<Record<string, string>> }) => {
      urgencies.push(ctx.headers.priority)
      await held.opened
      return { orderNo: `${orderNo}-${++done}` }
    },
    find: () => ({ orderNo: '', lines: 1 }),
    wait: () => {},
  }
  app.serve(Orders, handlers, { idempotency: { store: memoryIdempotency(), required: true } })
  await app.start()
  onTestFinished(() => app.close())
  const send = (key?: string, count = 1): Promise<Response> => {
    const headers = key === undefined ? undefined : { 'Idempotency-Key': key, Priority: 'u=1, i' }
    return fetch(`${app.urls[0]}/orders`, post({ orderNo: 'A1', count }, headers))
  }
  const first = send('"k 1"')
  await expect.poll(() => urgencies).toEqual(['u=1, i'])
  const [underWay, keyless, odd] = await Promise.all([send('"k 1"'), send(), send('"k')])
  expect([underWay.status, underWay.headers.get('retry-after')]).toEqual([409, '1'])
  expect([keyless.status, odd.status]).toEqual([400, 400])
  held.open()
  const answers = [await first, await send('"k 1"'), await send('k-2')]
  expect(await Promise.all(answers.map((each) => each.json()))).toEqual([
    { orderNo: 'A1-1' },
    { orderNo: 'A1-1' },
    { orderNo: 'A1-2' },
  ])
  expect((await send('k-2', 2)).status).toBe(400)
})
