import { TcpProxy } from '@posthaste/conformance'
import type { ChannelSpec, Engine, GroupSpec } from '@posthaste/contracts'
import { Connection } from 'rabbitmq-client'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { Declared, freshPrefix } from '../test/installation.ts'
import { recordOf, remedy, server, TestHost, TestSink } from '../test/rig.ts'
import { rabbitmq } from './engine.ts'
import type { RabbitmqOptions } from './options.ts'

const url = server?.url ?? ''
const keyRanges = 2
const quick = { timeout: 20_000, interval: 20 }

const ends: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end()
})

/** Engines on one installation, which is removed after the test. */
function installation() {
  const prefix = freshPrefix()
  const declared = new Declared()
  ends.push(() => declared.remove({ url, prefix, keyRanges }))
  return {
    prefix,
    async open(options: Partial<RabbitmqOptions> = {}, host = new TestHost()): Promise<Engine> {
      const engine = declared.by(
        rabbitmq({ url, prefix, keyRanges, rebalanceMs: 200, heartbeatMs: 1_000, timeoutMs: 10_000, ...options }),
      )
      ends.push(() => engine.close())
      await engine.open(host)
      return engine
    },
  }
}

/** A client that knows nothing of us. */
async function foreignClient(): Promise<Connection> {
  const connection = new Connection({ url })
  connection.on('error', () => {})
  ends.push(() => connection.close())
  await connection.onConnect()
  return connection
}

function group(channel: string, name = 'g', lifetime: GroupSpec['lifetime'] = 'durable'): GroupSpec {
  return { channel, group: name, from: 'next', lifetime }
}

const plain: ChannelSpec = { name: 'plain', kind: 'log', keyed: false }
const keyed: ChannelSpec = { name: 'keyed', kind: 'log', keyed: true }

async function join(engine: Engine, { channel, credit = 100 }: { readonly channel: string; readonly credit?: number }) {
  const sink = new TestSink()
  const member = await engine.subscribe({ channel, group: 'g', member: 'm' }, sink)
  member.grant(credit)
  return { sink, member }
}

describe.skipIf(server === undefined)(`drift (${remedy})`, () => {
  it('of key ranges is found by every process, and changes nothing', async () => {
    const { open } = installation()
    const topology = { channels: [keyed], groups: [group('keyed')] }
    expect((await (await open()).declare(topology)).created).toEqual(['keyed', 'keyed@g'])
    const { created, drift } = await (await open({ keyRanges: 5 })).declare(topology)
    expect(created).toEqual([])
    expect(drift).toEqual([{ name: 'keyed', setting: 'keyRanges', wanted: '5', found: '2' }])
  })

  it('of what somebody else made is told in the words of the server', async () => {
    const { open, prefix } = installation()
    const client = await foreignClient()
    await client.exchangeDeclare({ exchange: `${prefix}plain`, type: 'direct', durable: true })
    const { drift } = await (await open()).declare({ channels: [plain], groups: [] })
    expect(drift).toEqual([{ name: 'plain', setting: 'type', wanted: 'fanout', found: 'direct' }])
  })

  it('of the group of a queue names both', async () => {
    const { open } = installation()
    const channels = [{ name: 'work', kind: 'queue', keyed: false } as const]
    await (await open()).declare({ channels, groups: [group('work', 'first')] })
    const { drift } = await (await open()).declare({ channels, groups: [group('work', 'second')] })
    expect(drift).toEqual([{ name: 'work', setting: 'group', wanted: 'second', found: 'first' }])
  })
})

describe.skipIf(server === undefined)(`bodies (${remedy})`, () => {
  it('larger than a frame go and come in the frames that the server agreed to', async () => {
    const { open } = installation()
    const engine = await open({ frameBytesMax: 1_000_000 })
    await engine.declare({ channels: [plain], groups: [group('plain')] })
    const { sink } = await join(engine, { channel: 'plain' })
    const body = Buffer.from(Array.from({ length: 500_000 }, (_, at) => at % 251))
    expect(await engine.publish([recordOf('plain', 'large', { body })])).toEqual([{ ok: true }])
    await vi.waitFor(() => expect(sink.received).toHaveLength(1), quick)
    expect(body.equals(sink.received[0]?.record.body ?? Buffer.alloc(0))).toBe(true)
  })
})

describe.skipIf(server === undefined)(`messages of others (${remedy})`, () => {
  it('are delivered byte for byte, whatever their content type says', async () => {
    const { open, prefix } = installation()
    const engine = await open()
    await engine.declare({ channels: [plain], groups: [group('plain')] })
    const { sink } = await join(engine, { channel: 'plain' })
    const client = await foreignClient()
    const channel = await client.acquire()
    await channel.confirmSelect()
    const bodies = ['{ "a" : 1.0 }', 'no JSON', '']
    for (const [at, text] of bodies.entries()) {
      const headers = { 'cloudEvents:type': 'plain', 'cloudEvents:id': `f${at}`, 'cloudEvents:specversion': '1.0' }
      const contentType = at === 1 ? 'text/plain' : 'application/json'
      await channel.basicPublish({ exchange: `${prefix}plain`, headers, contentType }, Buffer.from(text))
    }
    await channel.basicPublish({ exchange: `${prefix}plain` }, Buffer.from('bare'))
    await channel.close()
    await vi.waitFor(() => expect(sink.received).toHaveLength(4), quick)
    expect(sink.received.map(({ record }) => Buffer.from(record.body).toString())).toEqual([...bodies, 'bare'])
    expect(sink.received[0]?.record).toMatchObject({
      id: 'f0',
      headers: { type: 'plain', datacontenttype: 'application/json' },
    })
    expect(sink.received[3]?.record.id).toMatch(/^amqp-/)
  })

  it('come over exchanges of their own making, and ours go there', async () => {
    const { open, prefix } = installation()
    const client = await foreignClient()
    const exchange = `${prefix}erp`
    ends.push(() => client.exchangeDelete({ exchange }))
    await client.exchangeDeclare({ exchange, type: 'topic', durable: true })
    const exchanges = {
      plain: { exchange, type: 'topic', routingKey: 'orders.eu.created', bindingKey: 'orders.*.created' },
    } as const
    const engine = await open({ exchanges })
    await engine.declare({ channels: [plain], groups: [group('plain')] })
    const { sink } = await join(engine, { channel: 'plain' })
    await client.acquire().then(async (channel) => {
      await channel.basicPublish({ exchange, routingKey: 'orders.us.created', messageId: 'us' }, Buffer.from('x'))
      await channel.basicPublish({ exchange, routingKey: 'orders.us.cancelled', messageId: 'no' }, Buffer.from('x'))
      await channel.close()
    })
    await engine.publish([recordOf('plain', 'eu')])
    await vi.waitFor(() => expect(sink.received.map(({ record }) => record.id).sort()).toEqual(['eu', 'us']), quick)
  })
})

describe.skipIf(server === undefined)(`a connection that is lost (${remedy})`, () => {
  it('comes back by itself: nothing confirmed is lost, members go on, and what they had is lost to them', async () => {
    const { open } = installation()
    const { hostname, port } = new URL(url)
    const proxy = new TcpProxy({ host: hostname, port: Number(port) })
    await proxy.listen()
    ends.push(() => proxy.destroy())
    const host = new TestHost()
    const engine = await open({ url: proxy.url(url) }, host)
    await engine.declare({ channels: [plain, keyed], groups: [group('plain'), group('keyed')] })
    const members = [await join(engine, { channel: 'plain' }), await join(engine, { channel: 'keyed' })]
    await engine.publish([recordOf('plain', 'p1'), recordOf('keyed', 'k1', { key: 'k' })])
    for (const { sink } of members) await vi.waitFor(() => expect(sink.received).toHaveLength(1), quick)
    proxy.cut()
    await vi.waitFor(() => expect(host.states).toContain('lost'), quick)
    expect(host.causes.some((cause) => cause?.cause instanceof Error)).toBe(true)
    const outcomes = await engine.publish([recordOf('plain', 'p2'), recordOf('keyed', 'k2', { key: 'k' })])
    expect(outcomes.every(({ ok }) => ok)).toBe(true)
    for (const { sink } of members)
      await vi.waitFor(() => expect(sink.received.length).toBeGreaterThanOrEqual(3), quick)
    expect(members[0]?.sink.lostTags).toHaveLength(1)
    expect(members[0]?.sink.received.map(({ attempt }) => attempt)).toEqual([1, 2, 1])
    expect(members[1]?.sink.revoked).toHaveLength(keyRanges)
    const late = await members[0]?.member.settle([{ kind: 'ack', tag: 1 }])
    expect(late).toMatchObject([{ ok: false, error: { code: 'DELIVERY_LOST' } }])
    expect(host.states.at(-1)).toBe('connected')
  })

  it('is told by publishes that waited too long for it', async () => {
    const { open } = installation()
    const { hostname, port } = new URL(url)
    const proxy = new TcpProxy({ host: hostname, port: Number(port) })
    await proxy.listen()
    const host = new TestHost()
    const engine = await open({ url: proxy.url(url), timeoutMs: 500 }, host)
    await engine.declare({ channels: [plain], groups: [] })
    await proxy.destroy()
    await vi.waitFor(() => expect(host.states).toContain('lost'), quick)
    const [outcome] = await engine.publish([recordOf('plain', 'p1')])
    expect(outcome).toMatchObject({ ok: false, error: { code: 'UNAVAILABLE' } })
  })
})

describe.skipIf(server === undefined)(`key ranges (${remedy})`, () => {
  it('are shared with a member that joins, and all go to the one that stays, with their notes', async () => {
    const { open } = installation()
    const [engine, other] = [await open(), await open()]
    await engine.declare({ channels: [keyed], groups: [group('keyed')] })
    const first = await join(engine, { channel: 'keyed' })
    await vi.waitFor(() => expect([...first.sink.assigned.keys()].sort()).toEqual(['0', '1']), quick)
    const { ranges } = first.member
    for (const range of ['0', '1']) {
      const changes = ['b', 'a', 'gone'].map((name) => ({ name, record: recordOf('keyed', `${name}${range}`) }))
      expect(await ranges?.note(range, changes)).toEqual({ ok: true })
      expect(await ranges?.note(range, [{ name: 'gone', record: undefined }])).toEqual({ ok: true })
      expect(await ranges?.note(range, [{ name: 'b', record: recordOf('keyed', 'b-again') }])).toEqual({ ok: true })
    }
    const second = await join(other, { channel: 'keyed' })
    await vi.waitFor(() => expect(first.sink.recalled).toHaveLength(1), quick)
    const [range = ''] = first.sink.recalled
    expect(second.sink.assigned.size).toBe(0)
    await ranges?.giveUp(range)
    await vi.waitFor(() => expect(second.sink.assigned.has(range)).toBe(true), quick)
    expect(second.sink.assigned.get(range)?.map(({ name, record }) => [name, record.id])).toEqual([
      ['b', 'b-again'],
      ['a', `a${range}`],
    ])
    expect(await ranges?.note(range, [])).toMatchObject({ ok: false, error: { code: 'DELIVERY_LOST' } })
    await first.member.stop()
    await vi.waitFor(() => expect(second.sink.assigned.size).toBe(2), quick)
    expect([...second.sink.assigned.values()].map((notes) => notes.length)).toEqual([2, 2])
  })
})

describe.skipIf(server === undefined)(`notes of key ranges that nobody reads (${remedy})`, () => {
  it('are counted, each once and without the session, and stay', async () => {
    const { open } = installation()
    const [engine, other] = [await open(), await open()]
    await engine.declare({ channels: [keyed], groups: [group('keyed')] })
    const { sink, member } = await join(engine, { channel: 'keyed' })
    await vi.waitFor(() => expect(sink.assigned.size).toBe(2), quick)
    for (const range of ['0', '1'])
      for (const name of ['a', 'b', 'a', 'session'])
        await member.ranges?.note(range, [{ name, record: recordOf('keyed', name) }])
    expect(await other.lag?.lag('keyed', 'g')).toMatchObject({ noted: 0 })
    await member.stop()
    // What is looked at comes back a moment after the look.
    for (let look = 0; look < 2; look += 1)
      await vi.waitFor(
        async () => expect(await other.lag?.lag('keyed', 'g')).toMatchObject({ ready: 0, noted: 4 }),
        quick,
      )
    const again = await join(other, { channel: 'keyed' })
    await vi.waitFor(() => expect(again.sink.assigned.size).toBe(2), quick)
    expect([...again.sink.assigned.values()].map((notes) => notes.length)).toEqual([3, 3])
  })

  it('stay erased where the member leaves at once, round after round', async () => {
    const { open } = installation()
    const engine = await open()
    await engine.declare({ channels: [keyed], groups: [group('keyed')] })
    for (let round = 0; round < 40; round += 1) {
      const { sink, member } = await join(engine, { channel: 'keyed' })
      await vi.waitFor(() => expect(sink.assigned.size).toBe(2), quick)
      expect([...sink.assigned.values()].flat(), `round ${round}`).toEqual([])
      const record = recordOf('keyed', `n${round}`)
      await member.ranges?.note('0', [{ name: 'short', record }])
      await member.ranges?.note('0', [{ name: 'short', record: undefined }])
      await member.stop()
    }
  })
})

describe.skipIf(server === undefined)(`a key range that is given up (${remedy})`, () => {
  it('goes on in order while it is published to: with what was in hand, and without what was acknowledged', async () => {
    const { open } = installation()
    const [engine, other] = [await open(), await open()]
    await engine.declare({ channels: [keyed], groups: [group('keyed')] })
    const first = await join(engine, { channel: 'keyed', credit: 10_000 })
    await vi.waitFor(() => expect(first.sink.assigned.size).toBe(2), quick)
    const ids = Array.from({ length: 240 }, (_, at) => `r${String(at).padStart(3, '0')}`)
    const records = ids.map((id) => recordOf('keyed', id, { key: 'k' }))
    await engine.publish(records.slice(0, 120))
    await vi.waitFor(() => expect(first.sink.received).toHaveLength(120), quick)
    const second = await join(other, { channel: 'keyed', credit: 10_000 })
    const acked = first.sink.received.slice(0, 60).map(({ tag }) => ({ kind: 'ack', tag }) as const)
    // One by one, so that the server has more acknowledgements under way than it takes at a time.
    const settled = acked.map((each) => first.member.settle([each]))
    const published = records.slice(120).map((record) => engine.publish([record]))
    await first.member.stop()
    expect((await Promise.all(settled)).flat().every(({ ok }) => ok)).toBe(true)
    await Promise.all(published)
    await vi.waitFor(() => expect(second.sink.received).toHaveLength(180), quick)
    expect(second.sink.received.map(({ record }) => record.id)).toEqual(ids.slice(60))
  })
})

describe.skipIf(server === undefined)(`a server that refuses us (${remedy})`, () => {
  it('is told with its own words, at once, and without the password', async () => {
    const { hostname, port } = new URL(url)
    const engine = rabbitmq({ url: `amqp://${hostname}:${port}`, username: 'nobody', password: 'wrong-secret' })
    const failure = await engine.open(new TestHost()).catch((thrown: unknown) => thrown)
    expect(failure).toMatchObject({ code: 'UNAUTHENTICATED', message: expect.stringContaining(': ACCESS_REFUSED') })
    expect(String(failure)).not.toContain('undefined')
    expect(String(failure)).not.toContain('wrong-secret')
  })
})
