import type { ChannelSpec, Engine } from '@posthaste/contracts'
import { Connection } from 'rabbitmq-client'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { Declared, freshPrefix } from '../test/installation.ts'
import { recordOf, remedy, server, TestHost, TestSink } from '../test/rig.ts'
import { rabbitmq } from './engine.ts'
import type { ExchangeMapping } from './options.ts'

const url = server?.url ?? ''
const quick = { timeout: 10_000, interval: 20 }
const plain: ChannelSpec = { name: 'orders', kind: 'log', keyed: false }

const ends: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end()
})

/** An engine whose channel `orders` is carried by an exchange of this type, and a client that knows nothing of us. */
async function mapped(how: Omit<ExchangeMapping, 'exchange'>) {
  const prefix = freshPrefix()
  const exchange = `${prefix}erp`
  const declared = new Declared()
  ends.push(() => declared.remove({ url, prefix, keyRanges: 1 }))
  const client = new Connection({ url })
  client.on('error', () => {})
  ends.push(() => client.close())
  ends.push(() => client.exchangeDelete({ exchange }))
  const engine: Engine = declared.by(rabbitmq({ url, prefix, exchanges: { orders: { exchange, ...how } } }))
  ends.push(() => engine.close())
  await engine.open(new TestHost())
  await engine.declare({ channels: [plain], groups: [{ channel: 'orders', group: 'g', from: 'next' }] })
  const sink = new TestSink()
  const member = await engine.subscribe({ channel: 'orders', group: 'g', member: 'm' }, sink)
  member.grant(100)
  return { client, exchange, engine, sink }
}

interface Published {
  readonly routingKey?: string
  readonly headers?: Readonly<Record<string, string>>
}

interface Case {
  readonly how: Omit<ExchangeMapping, 'exchange'>
  /** What a foreign client publishes, and whether our group gets it. */
  readonly theirs: readonly (Published & { readonly fits: boolean })[]
  /** How a foreign queue is bound that gets what we publish. */
  readonly binding: { readonly routingKey?: string; readonly arguments?: Readonly<Record<string, string>> }
}

const cases: readonly Case[] = [
  {
    how: { type: 'direct', routingKey: 'created' },
    theirs: [
      { routingKey: 'created', fits: true },
      { routingKey: 'cancelled', fits: false },
    ],
    binding: { routingKey: 'created' },
  },
  {
    how: { type: 'fanout' },
    theirs: [
      { routingKey: 'whatever', fits: true },
      { routingKey: '', fits: true },
    ],
    binding: {},
  },
  {
    how: { type: 'topic', routingKey: 'orders.eu.created', bindingKey: 'orders.*.created' },
    theirs: [
      { routingKey: 'orders.us.created', fits: true },
      { routingKey: 'orders.us.cancelled', fits: false },
    ],
    binding: { routingKey: 'orders.#' },
  },
  {
    how: { type: 'headers', headers: { area: 'shop', what: 'order' }, match: 'all' },
    theirs: [
      { headers: { area: 'shop', what: 'order', other: 'x' }, fits: true },
      { headers: { area: 'shop' }, fits: false },
    ],
    binding: { arguments: { 'x-match': 'any', area: 'shop' } },
  },
  {
    how: { type: 'headers', headers: { area: 'shop', what: 'order' }, match: 'any' },
    theirs: [
      { headers: { area: 'shop' }, fits: true },
      { headers: { area: 'depot' }, fits: false },
    ],
    binding: { arguments: { 'x-match': 'all', area: 'shop', what: 'order' } },
  },
]

describe.skipIf(server === undefined)(`an exchange of another making (${remedy})`, () => {
  it.each(cases)('of the options $how carries a channel in both directions', async ({ how, theirs, binding }) => {
    const { client, exchange, engine, sink } = await mapped(how)
    const channel = await client.acquire()
    const { queue } = await channel.queueDeclare({ exclusive: true })
    await channel.queueBind({ queue, exchange, ...binding })
    await channel.confirmSelect()
    for (const [at, { fits, ...address }] of theirs.entries())
      await channel.basicPublish({ exchange, messageId: `${fits}-${at}`, ...address }, Buffer.from('x'))
    expect(await engine.publish([recordOf('orders', 'ours')])).toEqual([{ ok: true }])
    const wanted = [...theirs.flatMap(({ fits }, at) => (fits ? [`true-${at}`] : [])), 'ours']
    await vi.waitFor(() => expect(sink.received.map(({ record }) => record.id)).toEqual(wanted), quick)
    const found: unknown[] = []
    for (let message = await channel.basicGet(queue); message !== undefined; message = await channel.basicGet(queue))
      found.push(message.messageId)
    expect(found).toContain('ours')
    await channel.close()
  })

  it('gives what is due later to our own groups', async () => {
    const { engine, sink } = await mapped({ type: 'headers', headers: { area: 'shop' } })
    await engine.publish([recordOf('orders', 'later', { dueAtMs: Date.now() + 100 })])
    await vi.waitFor(() => expect(sink.received.map(({ record }) => record.id)).toEqual(['later']), quick)
  })
})
