import { BatchWriter, Writer } from '@posthaste/broker/protocol'
import type { Clock, Outcome } from '@posthaste/contracts'
import type { LinkStream } from '@posthaste/link/connection'
import { systemClock } from 'posthaste/pipeline'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { declare, join, Rig, record, TestSink, until } from '../../test/rig.ts'
import { Publications } from './publishing.ts'

let rig: Rig
beforeEach(() => {
  rig = new Rig()
})
afterEach(() => rig.close())

const pause = (ms: number) => new Promise<void>((resolve) => void systemClock.setTimer(ms, resolve))

describe('a client whose connection is cut', () => {
  it('goes on with what it has in hand when it is back', async () => {
    const broker = await rig.broker()
    const { engine, proxy, host } = await rig.proxied(broker)
    await declare(engine)
    await engine.publish(['1', '2', '3'].map((id) => record(id)))
    const { subscription, sink } = await join(engine, 3)
    await until(() => sink.received.length === 3)
    const [first] = sink.received
    proxy.cut()
    // While it is away, and again when it is back.
    const settling = subscription.settle([{ kind: 'ack', tag: first!.tag }])
    expect(await settling).toEqual([{ ok: true }])
    await until(() => host.states.filter((state) => state === 'connected').length === 2)
    const rest = sink.received.slice(1).map(({ tag }) => ({ kind: 'ack', tag }) as const)
    expect(await subscription.settle(rest)).toEqual([{ ok: true }, { ok: true }])
    expect(sink.lostTags).toEqual([])
    expect(await engine.lag?.lag('c', 'g')).toEqual({ ready: 0, waiting: 0, inFlight: 0 })
  })

  it('is sent what was on the way, once, and publishes nothing twice', async () => {
    const broker = await rig.broker()
    const { engine, proxy } = await rig.proxied(broker)
    await declare(engine)
    const { subscription, sink } = await join(engine, 500)
    sink.onDeliver = (batch) => {
      void subscription
        .settle(batch.map(({ tag }) => ({ kind: 'ack', tag })))
        .then((outcomes) => subscription.grant(outcomes.length))
    }
    const ids = Array.from({ length: 1_500 }, (_, at) => `r${at}`)
    const publishing = ids.map((id, at) => engine.publish([record(id, { key: `k${at % 7}` })]))
    for (let cuts = 0; cuts < 4; cuts++) {
      await pause(40)
      proxy.cut()
    }
    expect((await Promise.all(publishing)).every(([outcome]) => outcome?.ok)).toBe(true)
    await until(() => sink.received.length >= ids.length)
    await pause(100)
    expect(sink.ids.toSorted()).toEqual(ids.toSorted())
    expect(sink.received.every(({ attempt }) => attempt === 1)).toBe(true)
    expect(sink.lostTags).toEqual([])
  })

  it('loses what it has in hand when it stays away, and is told before anybody else has it', async () => {
    const broker = await rig.broker()
    const { engine, proxy } = await rig.proxied(broker, { sessionMs: 600 })
    await declare(engine)
    await engine.publish([record('1')])
    const { subscription, sink } = await join(engine, 1)
    await until(() => sink.received.length === 1)
    const other = await join(await rig.engine(broker), 1)
    let wasTold = false
    other.sink.onDeliver = () => {
      wasTold = sink.lostTags.length === 1
    }
    proxy.refuse()
    proxy.cut()
    await until(() => other.sink.received.length === 1)
    expect(wasTold).toBe(true)
    expect(other.sink.received[0]?.attempt).toBe(2)
    const [outcome] = await subscription.settle([{ kind: 'ack', tag: sink.received[0]!.tag }])
    expect(outcome).toMatchObject({ ok: false, error: { code: 'DELIVERY_LOST' } })
    // It takes part again, with the credit that it has: one was paid for what is lost.
    proxy.heal()
    await other.subscription.stop()
    subscription.grant(1)
    await until(() => sink.received.length === 2)
    expect(sink.received[1]).toMatchObject({ attempt: 2, record: { id: '1' } })
    expect(sink.received[1]!.tag).toBeGreaterThan(sink.received[0]!.tag)
  })
})

describe('a client that watches a pattern', () => {
  it('and stops after a cut, leaves the temporary group over it to nobody', async () => {
    const broker = await rig.broker()
    const { engine, proxy, host } = await rig.proxied(broker)
    await engine.patterns?.declare({ pattern: 'shop.*', group: 'g', from: 'next', lifetime: 'temporary' })
    const told: string[] = []
    const stop = await engine.patterns?.watch('shop.*', (channel) => told.push(channel))
    proxy.cut()
    await until(() => host.states.filter((state) => state === 'connected').length === 2)
    await declare(engine, { name: 'shop.a', kind: 'log' }, { group: 'own' })
    await until(() => told.length === 1)
    stop?.()
    // Said behind the end of the watching.
    await engine.topology()
    await declare(engine, { name: 'shop.b', kind: 'log' }, { group: 'own' })
    const { groups } = await engine.topology()
    expect(groups.filter(({ channel }) => channel === 'shop.b').map(({ group }) => group)).toEqual(['own'])
  })
})

describe('a client that stops to watch a pattern while it has no connection', () => {
  it('has the broker forget that when it is back, and nothing else that it watches', async () => {
    const broker = await rig.broker()
    const { engine, proxy, host } = await rig.proxied(broker, { sessionMs: 5_000 })
    for (const group of ['shop', 'mill'])
      await engine.patterns?.declare({ pattern: `${group}.*`, group, from: 'next', lifetime: 'temporary' })
    const told: string[] = []
    const stops = []
    for (const pattern of ['shop.*', 'mill.*', 'mill.*'])
      stops.push(await engine.patterns?.watch(pattern, (channel) => told.push(channel)))
    proxy.refuse()
    proxy.cut()
    await until(() => host.states.includes('lost'))
    for (const stop of stops.slice(0, 2)) stop?.()
    proxy.heal()
    await until(() => host.states.filter((state) => state === 'connected').length === 2)
    // Said behind what is said first over the new connection.
    await engine.topology()
    for (const name of ['shop.a', 'mill.a']) await declare(engine, { name, kind: 'log' }, { group: 'own' })
    await until(() => told.length > 0)
    const { groups } = await engine.topology()
    const on = (name: string) => groups.filter(({ channel }) => channel === name).map(({ group }) => group)
    expect([on('shop.a'), on('mill.a').toSorted()]).toEqual([['own'], ['mill', 'own']])
    expect(told).toEqual(['mill.a'])
    expect(broker.figures().sessions).toBe(1)
  })
})

describe('a client that ends', () => {
  it('in order gives back uncounted, and is forgotten', async () => {
    const broker = await rig.broker()
    const engine = await rig.engine(broker)
    await declare(engine)
    await engine.publish([record('1')])
    const { sink } = await join(engine, 1)
    await until(() => sink.received.length === 1)
    await engine.close()
    const next = await join(await rig.engine(broker), 1)
    await until(() => next.sink.received.length === 1)
    expect(next.sink.received[0]?.attempt).toBe(1)
    expect(broker.figures().sessions).toBe(1)
  })

  it('takes the temporary groups with it that nobody else has', async () => {
    const broker = await rig.broker()
    const [leaving, staying] = [await rig.engine(broker), await rig.engine(broker)]
    const log = { name: 'c', kind: 'log' } as const
    for (const engine of [leaving, staying]) await declare(engine, log, { group: 'both', lifetime: 'temporary' })
    await declare(leaving, log, { group: 'alone', lifetime: 'temporary' })
    await leaving.close()
    await until(async () => (await staying.topology()).groups.length === 1)
    expect((await staying.topology()).groups.map(({ group }) => group)).toEqual(['both'])
  })
})

describe('a broker that stops', () => {
  it('asks for what has not begun, waits for what runs, and counts nothing', async () => {
    const first = await rig.broker({ drainMs: 5_000 })
    const url = first.urls[0] ?? ''
    const engine = await rig.engine(first)
    await declare(engine)
    await engine.publish(['runs', 'waits'].map((id) => record(id)))
    const { subscription, sink } = await join(engine, 2)
    await until(() => sink.received.length === 2)
    const stopping = first.stop()
    await until(() => sink.recalled.length === 2)
    const [runs, waits] = sink.received
    const settled = subscription.settle([
      { kind: 'release', tag: waits!.tag, countsAttempt: false },
      { kind: 'ack', tag: runs!.tag },
    ])
    expect(await settled).toEqual([{ ok: true }, { ok: true }])
    await stopping
    const again = await rig.broker({ listen: url })
    subscription.grant(2)
    await until(() => sink.received.length === 3)
    expect(sink.received[2]).toMatchObject({ attempt: 1, record: { id: 'waits' } })
    expect(again.figures().sessions).toBe(1)
  })

  it('waits for nobody longer than it is told, and for nobody at all when it is told twice', async () => {
    const broker = await rig.broker({ drainMs: 600_000 })
    const engine = await rig.engine(broker)
    await declare(engine)
    await engine.publish([record('1')])
    const { sink } = await join(engine, 1)
    await until(() => sink.received.length === 1)
    const stopping = broker.stop()
    await pause(50)
    expect(broker.figures().state).toBe('draining')
    await Promise.all([stopping, broker.stop()])
  })

  it('is gone once its clients have ended what they hold of it, however many streams that is', async () => {
    // Nobody is waited for no longer than so: whoever keeps a stream keeps the broker.
    const setTimer: Clock['setTimer'] = (ms, work) => (ms > 500 ? { cancel() {} } : systemClock.setTimer(ms, work))
    const broker = await rig.broker({}, { ...systemClock, setTimer })
    const engine = await rig.engine(broker)
    await declare(engine)
    await declare(engine, { name: 'x.a', kind: 'log' })
    await engine.publish(['1', '2'].map((id) => record(id)))
    const { subscription, sink } = await join(engine, 2)
    await until(() => sink.received.length === 2)
    await Promise.all([join(engine, 1), join(engine, 1), engine.patterns?.watch('x.*', () => {})])
    const stopping = broker.stop()
    const settled = await subscription.settle(sink.received.map(({ tag }) => ({ kind: 'ack', tag })))
    expect(settled).toEqual([{ ok: true }, { ok: true }])
    await stopping
  })

  it('has clients publish to the next one what they could not publish to it', async () => {
    const first = await rig.broker()
    const engine = await rig.engine(first)
    await declare(engine)
    await first.stop()
    const publishing = engine.publish([record('1')])
    await rig.broker({ listen: first.urls[0] })
    expect(await publishing).toEqual([{ ok: true }])
  })
})

describe('a broker that is restarted in order', () => {
  it('confirms what it has, and leaves to the next one what it has not: no publication is uncertain', async () => {
    let broker = await rig.broker()
    const engine = await rig.engine(broker)
    await declare(engine)
    const outcomes: Promise<readonly Outcome[]>[] = []
    let isOver = false
    const publishing = (async () => {
      for (let at = 0; !isOver; at++) {
        outcomes.push(engine.publish([record(`r${at}`, { key: `k${at % 7}` })]))
        await pause(at % 3)
      }
    })()
    for (let restart = 0; restart < 4; restart++) {
      await pause(100)
      const [listen] = broker.urls
      await broker.stop()
      broker = await rig.broker({ listen })
    }
    isOver = true
    await publishing
    const told = (await Promise.all(outcomes)).flat()
    expect(told.filter(({ ok }) => !ok)).toEqual([])
    const { sink } = await join(engine, told.length + 100)
    await until(() => sink.received.length >= told.length)
    await pause(50)
    expect(sink.ids.toSorted()).toEqual(told.map((_, at) => `r${at}`).toSorted())
  })

  it('answers one who is back while it stops and has missed an outcome', async () => {
    const stub = { publish: async (records: readonly unknown[]) => records.map(() => ({ ok: true })) }
    const around = { engine: stub, figures: { published: 0 }, config: { limits: { bodyBytesMax: 100 } } } as never
    const grants = { permissions: { may: () => true }, user: 'x', quota: { took: () => {} } } as never
    const publications = new Publications(grants, around)
    const streams = [1, 2].map(() => {
      const done: string[] = []
      return { done, send: () => done.push('send') > 0, end: () => void done.push('end'), consumed: () => {} }
    })
    const [first, second] = streams as never as [LinkStream, LinkStream]
    publications.attach(first, { session: 's', answered: 0, afresh: false })
    const writer = new Writer()
    const batch = new BatchWriter(writer)
    batch.begin()
    batch.add(record('1'))
    publications.take(batch.take(), first)
    publications.detach(first)
    await publications.finish()
    publications.attach(second, { session: 's', answered: 0, afresh: false })
    // The beginning, the outcome, and that there will be no more.
    expect(streams.map(({ done }) => done)).toEqual([['send'], ['send', 'send', 'end']])
  })
})

describe('a subscription', () => {
  it('of nobody’s group is refused', async () => {
    const engine = await rig.engine(await rig.broker())
    await expect(join(engine, 1)).rejects.toMatchObject({ code: 'NOT_FOUND' })
  })

  it('gets large records as it can take them', async () => {
    const engine = await rig.engine(await rig.broker())
    await declare(engine)
    const body = new Uint8Array(3 * 1024 * 1024).fill(7)
    const { sink } = await join(engine, 100)
    for (let at = 0; at < 12; at++) expect(await engine.publish([record(`${at}`, { body })])).toEqual([{ ok: true }])
    await until(() => sink.received.length === 12)
    expect(
      sink.received.every(
        ({
          record: {
            body: { length },
          },
        }) => length === body.length,
      ),
    ).toBe(true)
    expect(sink).toBeInstanceOf(TestSink)
  })
})
