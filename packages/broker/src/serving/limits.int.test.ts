import { createHash } from 'node:crypto'
import type { BrokerEngine } from '@posthaste/broker'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Rig, TestHost, TestSink, until } from '../../test/rig.ts'

let rig: Rig
beforeEach(() => {
  rig = new Rig()
})
afterEach(() => rig.close())

const user = (token: string, limits: object) => ({
  ...{ tokens: `sha256:${createHash('sha256').update(token).digest('hex')}`, limits },
  rights: { publish: '**', consume: '**', manage: '**' },
})
const log = { name: 'c', kind: 'log', keyed: false } as const
const durable = (group: string) => ({ channel: 'c', group, from: 'next' }) as const
const temporary = (group: string) => ({ ...durable(group), lifetime: 'temporary' }) as const
const group = (
  engine: BrokerEngine,
  ...groups: readonly (ReturnType<typeof durable> | ReturnType<typeof temporary>)[]
) => engine.declare({ channels: [log], groups })
const member = (engine: BrokerEngine, of: string) =>
  engine.subscribe({ channel: 'c', group: of, member: 'm' }, new TestSink())
const refused = (what: string) => ({
  ...{ code: 'OVERLOADED', remedy: expect.stringContaining(`limits.${what}`) },
})
const groupsOf = async (engine: BrokerEngine) => (await engine.topology()).groups.map((each) => each.group).toSorted()

describe('a broker has no more than it may', () => {
  it('of groups: those that there are go on, also after a restart and those over patterns', async () => {
    const limits = { groupsMax: 3 }
    const broker = await rig.broker({ limits })
    const engine = await rig.engine(broker)
    await group(engine, durable('a'), durable('b'))
    await engine.patterns?.declare({ pattern: 'x.*', group: 'p', from: 'next' })
    const oneMore = () => group(engine, durable('c'))
    await expect(oneMore()).rejects.toMatchObject({ ...refused('groupsMax'), verdict: 'permanent' })
    await expect(engine.patterns?.declare({ pattern: 'y.*', group: 'p', from: 'next' })).rejects.toMatchObject(
      refused('groupsMax'),
    )
    // All or nothing, and what is there counts no more.
    await expect(group(engine, durable('b'), durable('c'))).rejects.toMatchObject(refused('groupsMax'))
    expect(await groupsOf(engine)).toEqual(['a', 'b'])
    await group(engine, durable('a'), durable('b'))
    await engine.patterns?.declare({ pattern: 'x.*', group: 'p', from: 'next' })
    await member(engine, 'a')
    await engine.close()
    await broker.stop()
    const again = await rig.engine(await rig.broker({ limits }))
    await group(again, durable('a'), durable('b'))
    await again.patterns?.declare({ pattern: 'x.*', group: 'p', from: 'next' })
    await expect(group(again, durable('d'))).rejects.toMatchObject(refused('groupsMax'))
  })

  it('of groups, of which those that drift from what there is are none', async () => {
    const engine = await rig.engine(await rig.broker({ limits: { groupsMax: 2 } }))
    const queue = { name: 'q', kind: 'queue', keyed: false } as const
    const second = (name: string) => ({ channel: 'q', group: name, from: 'next' }) as const
    await engine.declare({ channels: [queue], groups: [second('only')] })
    for (const name of ['x', 'y', 'z']) {
      const { drift } = await engine.declare({ channels: [], groups: [second(name)] })
      expect(drift).toHaveLength(1)
    }
    await group(engine, durable('a'))
    expect(await groupsOf(engine)).toEqual(['a', 'only'])
  })

  it('of temporary groups at a time: one that has gone makes room', async () => {
    const broker = await rig.broker({ limits: { temporaryGroupsMax: 3 } })
    const engine = await rig.engine(broker)
    await group(engine, temporary('a'), temporary('b'))
    await engine.patterns?.declare({ pattern: 'x.*', group: 'p', from: 'next', lifetime: 'temporary' })
    await expect(group(engine, temporary('c'))).rejects.toMatchObject(refused('temporaryGroupsMax'))
    await group(engine, temporary('a'), durable('d'))
    const [first, second] = [await member(engine, 'a'), await member(engine, 'a')]
    await first.stop()
    await expect(group(engine, temporary('c'))).rejects.toMatchObject(refused('temporaryGroupsMax'))
    await second.stop()
    await group(engine, temporary('c'))
    const stop = await engine.patterns?.watch('x.*', () => {})
    stop?.()
    // Said behind the end of the watching.
    await engine.topology()
    await group(engine, temporary('e'))
    const other = await rig.engine(broker)
    await expect(group(other, temporary('f'))).rejects.toMatchObject(refused('temporaryGroupsMax'))
    await engine.close()
    await group(other, temporary('f'), temporary('g'), temporary('h'))
    await until(async () => (await groupsOf(other)).join() === 'd,f,g,h')
  })

  it('of clients: who has gone makes room, and who is back needs none', async () => {
    const broker = await rig.broker({ limits: { sessionsMax: 2 } })
    const first = await rig.engine(broker)
    const { proxy, host, engine } = await rig.proxied(broker)
    const late = { timeoutMs: 300 }
    await expect(rig.engine(broker, late)).rejects.toMatchObject({ code: 'OVERLOADED' })
    proxy.cut()
    await until(() => host.states.filter((state) => state === 'connected').length === 2)
    await engine.topology()
    await first.close()
    await rig.engine(broker, late)
  })

  it('of subscriptions and watched patterns: those who come back go on', async () => {
    const broker = await rig.broker({ limits: { subscriptionsMax: 2 } })
    const { proxy, host, engine } = await rig.proxied(broker)
    await group(engine, durable('a'))
    const subscription = await member(engine, 'a')
    const told: string[] = []
    const stop = await engine.patterns?.watch('x.*', (channel) => told.push(channel))
    await expect(member(engine, 'a')).rejects.toMatchObject(refused('subscriptionsMax'))
    await expect(engine.patterns?.watch('y.*', () => {})).rejects.toMatchObject(refused('subscriptionsMax'))
    proxy.cut()
    await until(() => host.states.filter((state) => state === 'connected').length === 2)
    await engine.patterns?.declare({ pattern: 'x.*', group: 'p', from: 'next' })
    await engine.declare({ channels: [{ ...log, name: 'x.1' }], groups: [] })
    await until(() => told.length === 1)
    await expect(member(engine, 'a')).rejects.toMatchObject(refused('subscriptionsMax'))
    stop?.()
    await engine.topology()
    await member(engine, 'a')
    await subscription.stop()
    await member(engine, 'a')
  })
})

describe('a user has no more than they may', () => {
  it('whatever others have', async () => {
    const users = {
      few: user('few', { connectionsMax: 1, groupsMax: 1, temporaryGroupsMax: 1, subscriptionsMax: 1 }),
      many: user('many', {}),
    }
    const broker = await rig.broker({ users })
    const many = await rig.engine(broker, { token: 'many' }, new TestHost('many'))
    await group(many, durable('a'), durable('b'), temporary('t'), temporary('u'))
    await Promise.all([member(many, 'a'), member(many, 'b')])
    const few = await rig.engine(broker, { token: 'few' })
    await group(few, durable('a'), durable('c'), temporary('t'))
    await expect(group(few, durable('d'))).rejects.toMatchObject(refused('groupsMax'))
    await expect(group(few, temporary('v'))).rejects.toMatchObject(refused('temporaryGroupsMax'))
    await member(few, 'c')
    await expect(member(few, 'a')).rejects.toMatchObject(refused('subscriptionsMax'))
    await expect(rig.engine(broker, { token: 'few', timeoutMs: 300 })).rejects.toMatchObject(refused('connectionsMax'))
    await rig.engine(broker, { token: 'many' })
  })
})
