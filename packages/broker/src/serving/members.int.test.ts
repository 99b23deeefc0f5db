import { fromBroker, fromClient, packParcel, protocolVersions, streams } from '@posthaste/broker/protocol'
import { PosthasteError } from '@posthaste/contracts'
import { dial, type LinkStream } from '@posthaste/link/connection'
import { systemClock } from 'posthaste/pipeline'
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import { declare, join, Rig, record, TestHost, until } from '../../test/rig.ts'
import type { Broker } from './broker.ts'

let rig: Rig
beforeEach(() => {
  rig = new Rig()
})
afterEach(() => rig.close())

const log = { name: 'c', kind: 'log' } as const

/** A client that says what it likes. */
function rawClient(broker: Broker) {
  const dialer = dial({ url: broker.urls[0] ?? '' }, { clock: systemClock, log: rig.host.log, random: () => 0.5 })
  onTestFinished(() => dialer.close())
  const open = (method: string, beginning: object) => {
    const heard: Uint8Array[] = []
    const errors: PosthasteError[] = []
    const stream: LinkStream = dialer.open(
      { method, metadata: {}, codec: 'application/octet-stream', body: packParcel(beginning) },
      {
        message: (body) => void heard.push(body),
        ended: () => {},
        failed: (error) => void errors.push(error),
        writable: () => {},
      },
    )
    return { stream, heard, errors }
  }
  return { open }
}

const session = 'abcdefghijklmnop'
const sessionBeginning = { version: protocolVersions[0], session, resume: false, instance: 'raw', sessionMs: 5_000 }
const joining = { session, subscription: 1, channel: 'c', group: 'g', member: 'raw', credit: 10 }

describe('a member that has left', () => {
  it('does not come back when a broker that was started anew gets the others back', async () => {
    const first = await rig.broker()
    const host = new TestHost()
    const engine = await rig.engine(first, {}, host)
    await declare(engine)
    const { subscription } = await join(engine, 10)
    await subscription.stop()
    await first.stop()
    const second = await rig.broker({ listen: first.urls[0] })
    await until(() => host.states.filter((state) => state === 'connected').length === 2)
    // Answered after everything that was said when the connection came.
    await engine.topology()
    expect(second.figures().subscriptions).toBe(0)
  })

  it('while it joined takes its temporary group with it', async () => {
    const broker = await rig.broker()
    const engine = await rig.engine(broker)
    await declare(engine, log, { lifetime: 'temporary' })
    const { open } = rawClient(broker)
    const presence = open(streams.session, sessionBeginning)
    await until(() => presence.heard.length === 1)
    const member = open(streams.subscribe, joining)
    member.stream.send(Uint8Array.of(fromClient.stop))
    await until(() => member.heard.at(-1)?.[0] === fromBroker.stopped)
    await engine.close()
    const witness = await rig.engine(broker)
    await until(async () => (await witness.topology()).groups.length === 0)
  })

  it('because it said something wrong, or gave up, holds nothing back from others', async () => {
    const broker = await rig.broker()
    const engine = await rig.engine(broker)
    await declare(engine)
    await engine.publish([record('1'), record('2')])
    const { open } = rawClient(broker)
    open(streams.session, sessionBeginning)
    const wrong = open(streams.subscribe, { ...joining, credit: 1 })
    const gone = open(streams.subscribe, { ...joining, subscription: 2, credit: 1 })
    await until(() => wrong.heard.length === 2 && gone.heard.length === 2)
    wrong.stream.send(Uint8Array.of(99))
    gone.stream.fail(new PosthasteError('CANCELLED', 'enough'))
    const { sink } = await join(engine, 2)
    await until(() => sink.received.length === 2)
    expect(sink.received.map(({ attempt }) => attempt)).toEqual([1, 1])
  })
})

describe('a member that does not hear that it has joined, since its connection is lost', () => {
  it.each(['temporary', 'durable'] as const)('keeps its %s group, and what stands there', async (lifetime) => {
    const broker = await rig.broker()
    const { engine, proxy } = await rig.proxied(broker)
    await declare(engine, log, { lifetime })
    await engine.publish([record('1')])
    proxy.blackHole('server')
    const joining = join(engine, 3)
    await until(() => broker.figures().subscriptions === 1)
    proxy.heal()
    const { subscription, sink } = await joining
    await engine.publish(['2', '3', '4'].map((id) => record(id)))
    await until(() => sink.received.length === 3)
    expect(sink.ids).toEqual(['1', '2', '3'])
    expect(sink.received.map(({ attempt }) => attempt)).toEqual([1, 1, 1])
    const outcomes = await subscription.settle(sink.received.map(({ tag }) => ({ kind: 'ack', tag })))
    expect(outcomes.every(({ ok }) => ok)).toBe(true)
    expect(broker.figures()).toMatchObject({ subscriptions: 1, delivered: 3 })
  })
})
