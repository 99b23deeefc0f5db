import type { Engine, SubscriptionSpec } from '@posthaste/contracts'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { record, remedy, server, TestHost, TestSink } from '../test/rig.ts'
import { redisPubSub } from './pubsub.ts'

const engines: Engine[] = []
let prefix = ''

async function opened(): Promise<Engine> {
  const engine = redisPubSub({ url: server?.url ?? '', prefix })
  await engine.open(new TestHost())
  engines.push(engine)
  return engine
}

const channels = [{ name: 'c', kind: 'log', keyed: false }] as const

async function follow(engine: Engine, group: string, sink = new TestSink()) {
  await engine.declare({ channels, groups: [{ channel: 'c', group, from: 'next', lifetime: 'temporary' }] })
  const spec: SubscriptionSpec = { channel: 'c', group, member: 'm' }
  return { sink, subscription: await engine.subscribe(spec, sink) }
}

describe.skipIf(server === undefined)(`plain pub/sub on a server (${remedy})`, () => {
  beforeEach(() => {
    prefix = `test-${crypto.randomUUID()}`
  })
  afterEach(async () => {
    for (const engine of engines.splice(0)) await engine.close()
  })

  it('reaches every process that listens, and what is addressed one of them', async () => {
    const [publishing, listening] = [await opened(), await opened()]
    const [a, b] = [await follow(listening, 'a'), await follow(await opened(), 'b')]
    await publishing.declare({ channels, groups: [] })
    a.subscription.grant(10)
    b.subscription.grant(10)
    const records = [record('1', { key: 'k' }), record('2', { group: 'b' })]
    expect(await publishing.publish(records)).toEqual([{ ok: true }, { ok: true }])
    await vi.waitFor(() => expect(b.sink.ids).toEqual(['1', '2']))
    await vi.waitFor(() => expect(a.sink.ids).toEqual(['1']))
    expect(a.sink.received[0]?.record).toMatchObject({ key: 'k', headers: { type: 'a.b' } })
  })

  it('keeps nothing for who comes later', async () => {
    const engine = await opened()
    await engine.declare({ channels, groups: [] })
    await engine.publish([record('1')])
    const { sink, subscription } = await follow(await opened(), 'g')
    subscription.grant(10)
    await engine.publish([record('2')])
    await vi.waitFor(() => expect(sink.ids).toEqual(['2']))
  })

  it('hands out on credit, and again what is given back', async () => {
    const engine = await opened()
    const { sink, subscription } = await follow(engine, 'g')
    await engine.publish([record('1'), record('2')])
    subscription.grant(1)
    await vi.waitFor(() => expect(sink.ids).toEqual(['1']))
    await subscription.settle([{ kind: 'release', tag: 1, countsAttempt: true }])
    subscription.grant(2)
    await vi.waitFor(() => expect(sink.ids).toEqual(['1', '1', '2']))
    expect(sink.received.map(({ attempt }) => attempt)).toEqual([1, 2, 1])
    const acks = await subscription.settle([{ kind: 'ack', tag: 2, publish: [record('3')] }])
    expect(acks).toEqual([{ ok: true }])
    expect(await subscription.settle([{ kind: 'ack', tag: 2 }])).toMatchObject([{ error: { code: 'DELIVERY_LOST' } }])
    subscription.grant(1)
    await vi.waitFor(() => expect(sink.ids).toContain('3'))
  })

  it('refuses what it cannot keep', async () => {
    const engine = await opened()
    const durable = { channels, groups: [{ channel: 'c', group: 'g', from: 'next' }] } as const
    await expect(engine.declare(durable)).rejects.toMatchObject({ code: 'CAPABILITY_UNSUPPORTED' })
    for (const wish of [{ keyed: true }, { retention: { forMs: 1 } }]) {
      const topology = { channels: [{ name: 'd', kind: 'log', keyed: false, ...wish } as const], groups: [] }
      await expect(engine.declare(topology)).rejects.toMatchObject({ code: 'CAPABILITY_UNSUPPORTED' })
    }
    await engine.declare({ channels, groups: [] })
    const outcomes = await engine.publish([record('1', { dueAtMs: 1 }), { ...record('2'), channel: 'nowhere' }])
    expect(outcomes).toMatchObject([{ error: { code: 'CAPABILITY_UNSUPPORTED' } }, { error: { code: 'NOT_FOUND' } }])
  })

  it('does not let two share a group, since both would hear all', async () => {
    await follow(await opened(), 'g')
    await expect(follow(await opened(), 'g')).rejects.toMatchObject({ code: 'CONFLICT' })
  })

  it('refuses everything once it is closed', async () => {
    const engine = await opened()
    await engine.close()
    await engine.close()
    await expect(engine.publish([record('1')])).rejects.toMatchObject({ code: 'ENGINE_CLOSED' })
  })
})
