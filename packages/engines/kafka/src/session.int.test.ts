import { describeConfigsV4 } from '@platformatic/kafka'
import type { Retention } from '@posthaste/contracts'
import { systemClock } from 'posthaste/pipeline'
import { recordingLog } from 'posthaste/testing'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { howToStart, KafkaInstallation, quick, server } from '../test/installation.ts'
import { record, records, until, Witness } from '../test/rig.ts'
import { type KafkaOptions, settingsOf } from './options.ts'
import { offsetsOf } from './scan.ts'
import { Session } from './session.ts'

const partitions = [0, 1, 2, 3]
const groupResource = 32

describe('what nobody needs any more', { timeout: 60_000 }, () => {
  if (server === undefined) {
    it('needs a server', (context) => context.skip(howToStart))
    return
  }
  const { url } = server
  let installation: KafkaInstallation
  let sessions: Session[]
  beforeEach(() => {
    installation = new KafkaInstallation(url)
    sessions = []
  })
  afterEach(async () => {
    await Promise.all(sessions.map((session) => session.close()))
    await installation.remove()
  })

  async function open(options: KafkaOptions = { url }): Promise<Session> {
    const host = { clock: systemClock, log: recordingLog(), instance: 'test', random: () => 0.5, onState: () => {} }
    const settings = settingsOf({ prefix: installation.prefix, ...quick, ...options })
    const session = new Session(settings, { host, keyRangesWanted: undefined })
    sessions.push(session)
    await session.open()
    return session
  }

  /** How many records are deleted. */
  async function deleted({ cluster }: Session): Promise<number> {
    const found = await offsetsOf(cluster, `${installation.prefix}c`, { partitions, at: 'first' })
    return [...found.values()].reduce((sum, each) => sum + each, 0)
  }

  /** What the server has as the session timeout of a group. */
  async function sessionTimeout({ cluster }: Session, resourceName: string): Promise<string | null | undefined> {
    const key = 'consumer.session.timeout.ms'
    const resources = [{ resourceType: groupResource, resourceName, configurationKeys: [key] }]
    const lane = await cluster.control()
    const { results } = await lane.call(
      describeConfigsV4.api,
      resources as unknown as Parameters<typeof describeConfigsV4.createRequest>[0],
      false,
      false,
    )
    return results[0]?.configs.find(({ name }) => name === key)?.value
  }

  async function readAll(session: Session, group: string): Promise<Witness> {
    const witness = new Witness()
    witness.subscription = await session.subscribe({ channel: 'c', group, member: 'm' }, witness)
    witness.subscription.grant(100)
    await until(() => witness.ids.length === 10, 'ten records')
    await witness.subscription.stop()
    return witness
  }

  const topology = (groups: readonly string[], retention?: Retention) => ({
    channels: [{ name: 'c', kind: 'log', keyed: true, retention }] as const,
    groups: groups.map((group) => ({ channel: 'c', group, from: 'earliest' as const })),
  })

  it('is what all groups have settled, and nothing before', async () => {
    const session = await open()
    await session.declare(topology(['a', 'b']))
    await session.publish(records(10))
    await readAll(session, 'a')
    const reader = new Witness()
    await session.subscribe({ channel: 'c', group: 'b', member: 'm' }, reader)
    await session.tidy()
    expect(await deleted(session)).toBe(0)
    await Promise.all(sessions.splice(0).map((each) => each.close()))
    const next = await open()
    await readAll(next, 'b')
    await next.subscribe({ channel: 'c', group: 'a', member: 'm' }, new Witness())
    await next.tidy()
    expect(await deleted(next)).toBe(10)
  })

  it('is nothing that retention keeps', async () => {
    const session = await open()
    await session.declare(topology(['a'], { forMs: 3_600_000 }))
    await session.publish(records(10))
    await readAll(session, 'a')
    await session.subscribe({ channel: 'c', group: 'a', member: 'm' }, new Witness())
    await session.tidy()
    expect(await deleted(session)).toBe(0)
  })

  it('is the oldest of what is more than retention keeps bytes of, once no group needs it', async () => {
    const session = await open()
    await session.declare(topology(['a', 'b'], { bytesMax: 5_000 }))
    const bodies = records(10).map((each) => ({ ...each, body: Buffer.alloc(1_000), key: 'same' }))
    await session.publish(bodies)
    await readAll(session, 'a')
    await session.subscribe({ channel: 'c', group: 'a', member: 'm' }, new Witness())
    await session.tidy()
    expect(await deleted(session)).toBe(0)
    await readAll(session, 'b')
    await session.tidy()
    expect(await deleted(session)).toBe(6)
    await session.tidy()
    expect(await deleted(session)).toBe(6)
  })

  it('is a temporary group whose process ended without a word', async () => {
    const [session, other] = [await open(), await open()]
    await session.declare(topology([]))
    const temporary = { channel: 'c', group: 't', from: 'next', lifetime: 'temporary' } as const
    await other.declare({ channels: [], groups: [temporary] })
    other.abandon()
    const addressed = record('1', { group: 't' })
    expect(await session.publish([addressed])).toEqual([{ ok: true }])
    await session.tidy()
    expect(await session.publish([addressed])).toEqual([{ ok: true }])
    await session.tidy()
    expect(await session.publish([addressed])).toMatchObject([{ ok: false, error: { code: 'NOT_FOUND' } }])
  })

  it('is no temporary group whose process was away for long, once that is back', async () => {
    await installation.connect()
    const { proxy } = installation
    const place = { host: '127.0.0.1', port: proxy.port }
    const [session, away] = [await open(), await open({ brokers: [`127.0.0.1:${proxy.port}`], reach: () => place })]
    await session.declare(topology([]))
    const temporary = { channel: 'c', group: 't', from: 'next', lifetime: 'temporary' } as const
    await away.declare({ channels: [], groups: [temporary] })
    const witness = new Witness()
    witness.subscription = await away.subscribe({ channel: 'c', group: 't', member: 'm' }, witness)
    witness.subscription.grant(100)
    await session.publish([record('before')])
    await until(() => witness.ids.length === 1, 'the first record')
    proxy.refuse()
    proxy.cut()
    const addressed = record('addressed', { group: 't' })
    const publishes = async () => (await session.publish([addressed]))[0]?.ok
    const isEnded = async () => {
      await session.tidy()
      return !(await publishes())
    }
    await expect.poll(isEnded, { timeout: 15_000 }).toBe(true)
    proxy.accept()
    const comesAgain = async () => (await publishes()) === true && witness.ids.includes('addressed')
    await expect.poll(comesAgain, { timeout: 15_000 }).toBe(true)
    expect(witness.ids.filter((id) => id === 'before')).toEqual(['before'])
  })

  it('is the session timeout that a temporary group was given', async () => {
    const session = await open()
    const temporary = { channel: 'c', group: 't', from: 'next', lifetime: 'temporary' } as const
    await session.declare({ ...topology([]), groups: [temporary] })
    const { groupId } = await session.declared.group('c', 't')
    const witness = new Witness()
    const subscription = await session.subscribe({ channel: 'c', group: 't', member: 'm' }, witness)
    // The server answers before it tells the new one.
    const timeout = () => expect.poll(() => sessionTimeout(session, groupId), { timeout: 10_000 })
    await timeout().toBe(String(quick.sessionTimeoutMs))
    await subscription.stop()
    await timeout().not.toBe(String(quick.sessionTimeoutMs))
  })
})
