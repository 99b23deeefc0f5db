import { TcpProxy } from '@posthaste/conformance'
import type { Engine, GroupSpec, ListedGroup, Log } from '@posthaste/contracts'
import { Connection } from 'rabbitmq-client'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { Declared, freshPrefix } from '../test/installation.ts'
import { remedy, server, TestHost, TestSink } from '../test/rig.ts'
import { rabbitmq } from './engine.ts'
import { Names } from './names.ts'

const url = server?.url ?? ''
const keyRanges = 2
const quick = { timeout: 10_000, interval: 20 }

const topology = {
  channels: [
    { name: 'work', kind: 'queue', keyed: false },
    { name: 'facts', kind: 'log', keyed: true, retention: { forMs: 60_000 } },
    { name: 'plain', kind: 'log', keyed: false },
  ],
  groups: [
    { channel: 'facts', group: 'points', from: 'next' },
    { channel: 'facts', group: 'audit', from: 'next' },
    { channel: 'plain', group: 'audit', from: 'next' },
    { channel: 'work', group: 'handler', from: 'earliest' },
  ],
} as const
const glance: GroupSpec = { channel: 'facts', group: 'glance', from: 'next', lifetime: 'temporary' }
const [points, audit] = [
  { group: 'points', lifetime: 'durable', members: 0 },
  { group: 'audit', lifetime: 'durable', members: 0 },
]

const membersIn = (groups: readonly ListedGroup[] = []) =>
  Object.fromEntries(groups.map(({ group, members }) => [group, members]))

describe.skipIf(server === undefined)(`what stands in a server (${remedy})`, () => {
  let prefix: string
  let names: Names
  let declared: Declared
  let client: Connection
  let engines: Engine[]
  beforeEach(async () => {
    prefix = freshPrefix()
    names = new Names(prefix)
    declared = new Declared()
    engines = []
    client = new Connection({ url })
    client.on('error', () => {})
    await client.onConnect()
  })
  afterEach(async () => {
    await Promise.all(engines.map((engine) => engine.close()))
    await client.close()
    await declared.remove({ url, prefix, keyRanges })
  })

  async function open(host = new TestHost(), through = url): Promise<Engine> {
    const engine = declared.by(rabbitmq({ url: through, prefix, keyRanges, timeoutMs: 10_000 }))
    engines.push(engine)
    await engine.open(host)
    return engine
  }

  /** How many messages the registry has. */
  async function size(): Promise<number> {
    return (await client.queueDeclare({ queue: names.registry, passive: true })).messageCount
  }

  it('is listed by name to every process: channels with their settings, groups with their lifetime', async () => {
    const [engine, other] = [await open(), await open()]
    expect(await other.listing?.channels()).toEqual([])
    await engine.declare({ ...topology, groups: [...topology.groups, glance] })
    const { work, facts, plain } = {
      work: topology.channels[0],
      facts: topology.channels[1],
      plain: topology.channels[2],
    }
    expect(await other.listing?.channels()).toEqual([facts, plain, work])
    for (const each of [engine, other])
      expect(await each.listing?.groups('facts')).toEqual([
        audit,
        { group: 'glance', lifetime: 'temporary', members: 0 },
        points,
      ])
    expect(await other.listing?.groups('plain')).toEqual([audit])
    expect(await other.listing?.groups('work')).toEqual([{ group: 'handler', lifetime: 'durable', members: 0 }])
    await engine.close()
    expect(await other.listing?.groups('facts')).toEqual([audit, points])
  })

  it('is listed with the members of all processes, whether they have credit or not, also over a lost connection', async () => {
    const { hostname, port } = new URL(url)
    const proxy = new TcpProxy({ host: hostname, port: Number(port) })
    await proxy.listen()
    try {
      const host = new TestHost()
      const [engine, other] = [await open(), await open(host, proxy.url(url))]
      await engine.declare(topology)
      await other.declare({ channels: [], groups: [glance] })
      const places = [
        ['facts', 'audit'],
        ['facts', 'audit'],
        ['plain', 'audit'],
        ['work', 'handler'],
      ] as const
      const members = []
      for (const [channel, group] of places)
        for (const each of [engine, other])
          members.push(await each.subscribe({ channel, group, member: `m${members.length}` }, new TestSink()))
      members[0]?.grant(100)
      await other.subscribe({ channel: 'facts', group: 'glance', member: 'own' }, new TestSink())
      const told = () =>
        Promise.all(['facts', 'plain', 'work'].map(async (name) => membersIn(await engine.listing?.groups(name))))
      const all = [{ audit: 4, glance: 1, points: 0 }, { audit: 2 }, { handler: 2 }]
      await vi.waitFor(async () => expect(await told()).toEqual(all), quick)
      proxy.cut()
      await vi.waitFor(() => expect(host.states.slice(-2)).toEqual(['lost', 'connected']), quick)
      await vi.waitFor(async () => expect(await told()).toEqual(all), quick)
      await Promise.all([members[0]?.stop(), members[4]?.stop()])
      await other.close()
      await vi.waitFor(
        async () => expect(await told()).toEqual([{ audit: 1, points: 0 }, { audit: 0 }, { handler: 1 }]),
        quick,
      )
    } finally {
      await proxy.destroy()
    }
  })

  it('is one entry each, however many declare it and however many look at once', async () => {
    const all = await Promise.all([open(), open(), open(), open()])
    await all[0]?.declare(topology)
    // 3 channels and 3 groups of logs.
    await vi.waitFor(async () => expect(await size()).toBe(6), quick)
    await Promise.all(all.map((engine) => engine.declare(topology)))
    expect(await size()).toBe(6)
    const looks = all.flatMap((engine) => [engine.listing?.channels(), engine.listing?.channels()])
    expect((await Promise.all(looks)).map((channels) => channels?.length)).toEqual(Array(8).fill(3))
    expect(await Promise.all(['facts', 'plain', 'work'].map((name) => all[1]?.listing?.groups(name)))).toMatchObject([
      [audit, points],
      [audit],
      [{}],
    ])
    await vi.waitFor(async () => expect(await size()).toBe(6), quick)
  })

  it('is written once where several find it missing at the same time', async () => {
    const all = await Promise.all([open(), open(), open(), open()])
    await Promise.all(all.map((engine) => engine.declare(topology)))
    expect(await all[0]?.listing?.channels()).toHaveLength(3)
    await vi.waitFor(async () => expect(await size()).toBe(6), quick)
  })

  it('is without what was deleted by hand, which is listed again once it is declared again', async () => {
    const engine = await open()
    await engine.declare(topology)
    await client.queueDelete(names.queue('plain', 'audit'))
    for (const exchange of [names.settings('work'), names.groupOf('work')]) await client.exchangeDelete({ exchange })
    expect(await engine.listing?.groups('plain')).toEqual([])
    expect((await engine.listing?.channels())?.map(({ name }) => name)).toEqual(['facts', 'plain'])
    await expect(engine.listing?.groups('work')).rejects.toMatchObject({ code: 'NOT_FOUND' })
    await vi.waitFor(async () => expect(await size()).toBe(4), quick)

    await engine.declare(topology)
    expect(await engine.listing?.channels()).toHaveLength(3)
    expect(await engine.listing?.groups('plain')).toEqual([audit])
    await vi.waitFor(async () => expect(await size()).toBe(6), quick)
  })

  it('is written anew by the processes that start after its registry was deleted', async () => {
    await (await open()).declare(topology)
    await client.queueDelete(names.registry)
    await client.exchangeDelete({ exchange: names.registry })
    const again = await open()
    expect(await again.listing?.channels()).toEqual([])
    await again.declare(topology)
    expect(await again.listing?.channels()).toHaveLength(3)
    await vi.waitFor(async () => expect(await size()).toBe(6), quick)
  })

  it('is tidied by those who declare, so that temporary groups that have ended do not pile up', async () => {
    const engine = await open()
    await engine.declare(topology)
    const channel = await client.acquire()
    await channel.confirmSelect()
    const stale = (at: number) => Buffer.from(JSON.stringify({ channel: 'facts', group: `gone${at}` }))
    await Promise.all(
      Array.from({ length: 993 }, (_, at) =>
        channel.basicPublish({ routingKey: names.registry, durable: true }, stale(at)),
      ),
    )
    await channel.close()
    expect(await size()).toBe(999)
    await engine.declare({ channels: [], groups: [glance] })
    await vi.waitFor(async () => expect(await size()).toBe(7), quick)
  })

  it('is without what somebody else has written there, which stays', async () => {
    const engine = await open()
    await engine.declare(topology)
    const channel = await client.acquire()
    for (const body of ['no JSON', '{"channel":5}', 'null', '"text"'])
      await channel.basicPublish({ routingKey: names.registry }, Buffer.from(body))
    await channel.close()
    await vi.waitFor(async () => expect(await size()).toBe(10), quick)
    expect(await engine.listing?.channels()).toHaveLength(3)
    await vi.waitFor(async () => expect(await size()).toBe(10), quick)
  })

  it('is refused with what to do where the registry cannot be written, and declaring goes on', async () => {
    // Something else has the name, which the server refuses as it refuses a user without rights.
    await client.queueDeclare({ queue: names.registry, durable: true })
    const warnings: string[] = []
    const host = new TestHost()
    const log: Log = { ...host.log, warn: (text) => void warnings.push(text) }
    const engine = await open(Object.assign(host, { log }))
    expect((await engine.declare(topology)).created).toContain('facts@audit')
    await engine.declare({ channels: [], groups: [glance] })
    expect(warnings).toEqual(['rabbitmq: what is declared here will not be listed'])
    await expect(engine.listing?.channels()).rejects.toMatchObject({
      code: 'FAILED_PRECONDITION',
      message: expect.stringContaining('registry of channels and groups cannot be written'),
    })
    await client.queueDelete(names.registry)
    expect(await engine.listing?.channels()).toHaveLength(3)
    expect(await engine.listing?.groups('facts')).toHaveLength(3)
  })

  it('is nothing of a channel that nobody has declared, and of an engine that is closed', async () => {
    const engine = await open()
    await expect(engine.listing?.groups('nowhere')).rejects.toMatchObject({ code: 'NOT_FOUND' })
    await engine.close()
    await expect(engine.listing?.channels()).rejects.toMatchObject({ code: 'ENGINE_CLOSED' })
  })
})
