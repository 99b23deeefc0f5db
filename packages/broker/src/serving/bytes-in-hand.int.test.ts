import { createHash } from 'node:crypto'
import type { Delivery } from '@posthaste/contracts'
import { systemClock } from 'posthaste/pipeline'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { declare, join, Rig, record, TestSink, until } from '../../test/rig.ts'

let rig: Rig
beforeEach(() => {
  rig = new Rig()
})
afterEach(() => rig.close())

const kib = 1024
/** As large as what stays in memory may be: the fifth of them is over the least bound. */
const body = new Uint8Array(15 * kib)
const least = { limits: { bytesInHandMax: 64 * kib } }
const pause = (ms: number) => new Promise<void>((resolve) => void systemClock.setTimer(ms, resolve))
const idsTo = (count: number) => Array.from({ length: count }, (_, at) => `${at}`)
const acksOf = (sink: TestSink, from: number, to: number) =>
  sink.received.slice(from, to).map(({ tag }) => ({ kind: 'ack', tag }) as const)

describe('a subscription of a broker, which bounds what it has in hand', () => {
  it('is sent so many bytes and no more, and the rest of what it asked for as it settles', async () => {
    const engine = await rig.engine(await rig.broker(least))
    await declare(engine)
    await engine.publish(idsTo(10).map((id) => record(id, { body })))
    const { subscription, sink } = await join(engine, 9)
    await until(() => sink.received.length === 5)
    await pause(50)
    expect(sink.ids).toEqual(idsTo(5))
    expect(await engine.lag?.lag('c', 'g')).toMatchObject({ ready: 10, inFlight: 5 })
    for (let at = 0; at < 9; at++) {
      await subscription.settle(acksOf(sink, at, at + 1))
      await until(() => sink.received.length === Math.min(9, 6 + at))
    }
    await pause(50)
    // As many as it granted.
    expect(sink.ids).toEqual(idsTo(9))
  })

  it('goes on over the next connection with what it has asked for', async () => {
    const { engine, proxy, host } = await rig.proxied(await rig.broker(least))
    await declare(engine)
    await engine.publish(idsTo(9).map((id) => record(id, { body })))
    const { subscription, sink } = await join(engine, 8)
    await until(() => sink.received.length === 5)
    proxy.cut()
    await until(() => host.states.filter((state) => state === 'connected').length === 2)
    for (let at = 0; at < 8; at++) {
      expect(await subscription.settle(acksOf(sink, at, at + 1))).toEqual([{ ok: true }])
      await until(() => sink.received.length === Math.min(8, 6 + at))
    }
    await pause(50)
    expect(sink.ids).toEqual(idsTo(8))
  })

  it('is bounded by what its user may, where that is said', async () => {
    const user = (token: string, bytesInHandMax: number | undefined) => ({
      tokens: `sha256:${createHash('sha256').update(token).digest('hex')}`,
      rights: { publish: '**', consume: '**', manage: '**' },
      limits: { bytesInHandMax },
    })
    const users = { wide: user('wide', 100 * kib), plain: user('plain', undefined) }
    const broker = await rig.broker({ ...least, users })
    const received = async (token: string) => {
      const engine = await rig.engine(broker, { token })
      await declare(engine, { name: token })
      await engine.publish(idsTo(10).map((id) => record(id, { body, channel: token })))
      const sink = new TestSink()
      const member = await engine.subscribe({ channel: token, group: 'g', member: 'm' }, sink)
      member.grant(10)
      await until(() => sink.received.length >= 5)
      await pause(50)
      return sink.received.length
    }
    expect([await received('wide'), await received('plain')]).toEqual([7, 5])
  })
})

describe('large records', () => {
  const large = (id: string) => record(id, { body: new Uint8Array(40 * kib).fill(Number(id)) })
  const isWhole = ({ record: { id, body: found } }: Delivery): boolean =>
    found.byteLength === 40 * kib && found.every((byte) => byte === Number(id))

  it('are all sent that are asked for: the broker does not keep what it has sent', async () => {
    const broker = await rig.broker(least)
    const engine = await rig.engine(broker)
    await declare(engine)
    await engine.publish(idsTo(30).map(large))
    const { sink } = await join(engine, 30)
    await until(() => sink.received.length === 30)
    expect(sink.received.every(isWhole)).toBe(true)
    // Nor does it need it: others are handed all of it.
    await engine.close()
    const other = await join(await rig.engine(broker), 30)
    await until(() => other.sink.received.length === 30)
    expect(other.sink.received.every(isWhole)).toBe(true)
    expect(other.sink.received.every(({ attempt }) => attempt === 1)).toBe(true)
  })

  it('are sent again, all of them, where they were lost with the connection', async () => {
    const broker = await rig.broker(least)
    const { engine, proxy } = await rig.proxied(broker)
    await declare(engine)
    const { subscription, sink } = await join(engine, 6)
    const publisher = await rig.engine(broker)
    await publisher.publish([large('0')])
    await until(() => sink.received.length === 1)
    proxy.blackHole('server')
    await publisher.publish(idsTo(6).slice(1).map(large))
    await until(() => broker.figures().delivered === 6)
    await pause(50)
    proxy.heal()
    await until(() => sink.received.length === 6)
    expect(sink.ids).toEqual(idsTo(6))
    expect(sink.received.every(isWhole)).toBe(true)
    expect(await subscription.settle(acksOf(sink, 0, 6))).toEqual(new Array(6).fill({ ok: true }))
  })
})
