import { AckPolicy, type JetStreamManager, jetstreamManager, StorageType } from '@nats-io/jetstream'
import { connect } from '@nats-io/transport-node'
import { TcpProxy } from '@posthaste/conformance'
import type { Engine, ListedGroup } from '@posthaste/contracts'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Rig, servers, TestMember } from '../test/rig.ts'

const topology = {
  channels: [
    { name: 'work', kind: 'queue', keyed: false, deduplicateForMs: 5_000 },
    { name: 'shop.order.created', kind: 'log', keyed: true, retention: { forMs: 60_000 } },
    { name: 'shop-order_created', kind: 'log', keyed: false },
  ],
  groups: [
    { channel: 'work', group: 'all.who.work', from: 'earliest' },
    { channel: 'shop.order.created', group: 'points', from: 'next' },
    { channel: 'shop.order.created', group: 'audit.1', from: 'earliest' },
    { channel: 'shop.order.created', group: 'glance', from: 'next', lifetime: 'temporary' },
  ],
} as const
const [work, facts, other] = topology.channels
/** A process hears of another's members a moment after they have joined. */
const patience = { timeout: 10_000 }

describe.each(servers)('what stands in $name', ({ name, server }) => {
  if (server === undefined) {
    it('needs a server', (context) => context.skip(`start it with: npm run engines -- up ${name}`))
    return
  }
  let rig: Rig
  beforeEach(() => {
    rig = new Rig(server.url)
  })
  afterEach(() => rig.end())

  async function foreign(work: (manager: JetStreamManager) => Promise<unknown>): Promise<void> {
    const connection = await connect({ servers: new URL(server?.url ?? '').host })
    await work(await jetstreamManager(connection, { checkAPI: false }))
    await connection.close()
  }

  const join = (engine: Engine, group: string, channel: string = facts.name) =>
    engine.subscribe({ channel, group, member: group }, new TestMember())

  const counted = (groups: readonly ListedGroup[] = []) =>
    Object.fromEntries(groups.map(({ group, members }) => [group, members]))

  it('is listed by name: channels with their settings, groups with the members of all processes', async () => {
    const [engine, second] = [await rig.open(), await rig.open()]
    expect(await second.listing?.channels()).toEqual([])
    await engine.declare(topology)
    const member = await join(engine, 'audit.1')
    await join(second, 'audit.1')
    await join(engine, 'glance')

    expect(await second.listing?.channels()).toEqual([other, facts, work])
    const groups = () => expect.poll(() => second.listing?.groups(facts.name), patience)
    await groups().toEqual([
      { group: 'audit.1', lifetime: 'durable', members: 2 },
      { group: 'glance', lifetime: 'temporary', members: 1 },
      { group: 'points', lifetime: 'durable', members: 0 },
    ])
    expect(await second.listing?.groups(other.name)).toEqual([])
    await member.stop()
    await groups().toMatchObject([{ group: 'audit.1', members: 1 }, {}, {}])
    await engine.close()
    await groups().toMatchObject([{ group: 'audit.1' }, { group: 'points' }])
  })

  it('has members of groups without key ranges, too', async () => {
    const [engine, second] = [await rig.open(), await rig.open()]
    await engine.declare(topology)
    const group = topology.groups[0].group
    const members = [await join(engine, group, 'work'), await join(engine, group, 'work')]
    await join(second, group, 'work')
    const third = await rig.open()
    const groups = (expected: number) =>
      expect.poll(async () => counted(await third.listing?.groups('work')), patience).toEqual({ [group]: expected })
    await groups(3)
    await members[0]?.stop()
    await groups(2)
    await engine.close()
    await groups(1)
  })

  it('has no members of processes that have vanished, also for one that comes after that', async () => {
    const { hostname: host, port } = new URL(server.url)
    const proxy = new TcpProxy({ host, port: Number(port) })
    await proxy.listen()
    const engine = await rig.open({ url: proxy.url(server.url), timeoutMs: 1_000 })
    await engine.declare(topology)
    await join(engine, 'audit.1')
    await join(engine, 'all.who.work', 'work')
    const second = await rig.open()
    const all = async (of: Engine) => {
      const found = await Promise.all([of.listing?.groups(facts.name), of.listing?.groups('work')])
      return counted(found.flatMap((groups) => groups ?? []))
    }
    await expect.poll(() => all(second), patience).toMatchObject({ 'audit.1': 1, 'all.who.work': 1 })
    await proxy.destroy()
    await expect.poll(() => all(second), patience).toMatchObject({ 'audit.1': 0, 'all.who.work': 0 })
    // Its last signs of life still stand there.
    expect(await all(await rig.open())).toMatchObject({ 'audit.1': 0, 'all.who.work': 0 })
  })

  it('is listed whole where it takes several pages, without what others have made', async () => {
    const engine = await rig.open()
    await engine.declare(topology)
    const names = Array.from({ length: 300 }, (_, at) => `c.${String(at).padStart(3, '0')}`)
    const described = (description: object) => ({ description: JSON.stringify({ posthaste: 1, ...description }) })
    await foreign(async ({ streams, consumers }) => {
      const stream = (name: string, description: object = {}) => {
        const subjects = [`${rig.prefix}.${name}.*`]
        return streams.add({ name: `${rig.prefix}=${name}`, subjects, storage: StorageType.Memory, ...description })
      }
      const specOf = (name: string) => described({ spec: { name, kind: 'log', keyed: false }, keyRanges: 0 })
      await Promise.all(names.map((name) => stream(name.replace('.', '='), specOf(name))))
      await stream('foreign')
      const consumer = (name: string, description: object = {}) =>
        consumers.add(`${rig.prefix}=c=000`, { durable_name: name, ack_policy: AckPolicy.Explicit, ...description })
      await Promise.all(names.map((name) => consumer(name.replace('.', '='), described({ lifetime: 'durable' }))))
      await consumer('foreign')
    })
    const channels = await engine.listing?.channels()
    expect(channels?.map((channel) => channel.name)).toEqual([...names, other.name, facts.name, work.name])
    const groups = await engine.listing?.groups('c.000')
    expect(groups?.map(({ group }) => group)).toEqual(names)
    await expect(engine.listing?.groups('foreign')).rejects.toMatchObject({ code: 'FAILED_PRECONDITION' })
  })

  it('is nothing of a channel that nobody has declared, and of an engine that is closed', async () => {
    const engine = await rig.open()
    for (const each of ['nowhere', 'a b', '*', '', 'ä'.repeat(300)]) {
      await expect(engine.listing?.groups(each)).rejects.toMatchObject({ code: 'NOT_FOUND' })
      await expect(engine.lag?.lag(each, 'g')).rejects.toMatchObject({ code: 'NOT_FOUND' })
    }
    await engine.declare(topology)
    await expect(engine.lag?.lag('work', 'a b')).rejects.toMatchObject({ code: 'NOT_FOUND' })
    await engine.close()
    await expect(engine.listing?.channels()).rejects.toMatchObject({ code: 'ENGINE_CLOSED' })
  })
})
