import { Connection, murmur2, produceV11 } from '@platformatic/kafka'
import { systemClock } from 'posthaste/pipeline'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { howToStart, server } from '../test/installation.ts'
import { declare, Rig, record, records, until, Witness } from '../test/rig.ts'

describe('the Kafka engine', { timeout: 60_000 }, () => {
  if (server === undefined) {
    it('needs a server', (context) => context.skip(howToStart))
    return
  }
  const { url } = server
  let rig: Rig
  beforeEach(() => {
    rig = new Rig(url)
  })
  afterEach(() => rig.end())

  it('names what exists with other settings, in any process', async () => {
    await declare(await rig.open(), { retention: { forMs: 1_000 } })
    const other = await rig.open({ keyRanges: 3 })
    const { created, drift } = await declare(other, { keyed: false, retention: { forMs: 2_000 } })
    expect(created).toEqual([])
    expect(drift).toEqual([
      { name: 'c', setting: 'keyed', wanted: 'false', found: 'true' },
      { name: 'c', setting: 'retention.forMs', wanted: '2000', found: '1000' },
      { name: 'c', setting: 'keyRanges', wanted: '3', found: '4' },
    ])
  })

  it('knows what another process has declared since it was opened', async () => {
    const [one, other] = [await rig.open(), await rig.open()]
    await declare(one)
    expect(await other.publish([record('1')])).toEqual([{ ok: true }])
    const member = await Witness.join(other)
    await until(() => member.ids.length === 1, 'the record')
  })

  it('loses nothing that was confirmed when the connection breaks, and goes on by itself', async () => {
    const engine = await rig.open()
    await declare(engine)
    const member = await Witness.join(engine)
    await engine.publish(records(10))
    await until(() => member.ids.length >= 10, 'the first ten')
    const under = engine.publish(records(20).map((each) => ({ ...each, id: `b${each.id}` })))
    rig.installation.proxy.cut()
    const outcomes = await under
    expect(outcomes.every(({ ok }) => ok)).toBe(true)
    await until(() => new Set(member.ids).size === 30, 'all of them')
    expect(rig.states).toEqual(['connected', 'lost', 'connected'])
    expect(member.closings).toEqual([])
  })

  it('answers publishes within the time limit when there is no server', async () => {
    const engine = await rig.open({ timeoutMs: 2_000 })
    await declare(engine)
    await rig.installation.cut()
    const [outcome] = await engine.publish([record('1')])
    expect(outcome).toMatchObject({ ok: false, error: { code: 'UNAVAILABLE', verdict: 'retryable' } })
  })

  it('divides ranges among members as they come and go, and none is read by two', async () => {
    const [one, other] = [await rig.open(), await rig.open()]
    await declare(one)
    const first = await Witness.join(one)
    await until(() => first.owned.size === 4, 'all ranges')
    const second = await Witness.join(other)
    await until(() => second.owned.size === 2 && first.owned.size === 2, 'two ranges each')
    expect([...first.owned, ...second.owned].toSorted()).toEqual(['0', '1', '2', '3'])
    await one.publish(records(40))
    await until(() => first.ids.length + second.ids.length === 40, 'all records')
    await second.subscription?.stop()
    await until(() => first.owned.size === 4, 'all ranges again')
    await one.publish([record('last')])
    await until(() => [...first.ids, ...second.ids].includes('last'), 'the last')
    expect(new Set([...first.ids, ...second.ids]).size).toBe(41)
    expect(first.ids.length + second.ids.length).toBe(41)
    expect(first.revocations).toEqual([])
  })

  it('gives the ranges of a process that is gone to another, with their notes, and nothing that was settled', async () => {
    const engine = await rig.open()
    await declare(engine)
    const member = await Witness.join(engine, 10)
    member.acknowledges = false
    await engine.publish(records(10).map((each) => ({ ...each, key: 'k' })))
    await until(() => member.ids.length === 10, 'all')
    const range = member.received[0]?.range ?? ''
    // All but the first, out of order.
    const tags = member.received.slice(1).map(({ tag }) => tag)
    await member.subscription?.settle(tags.toReversed().map((tag) => ({ kind: 'ack', tag })))
    const noted = record('noted', { dueAtMs: 1_700_000_000_000, group: 'g' })
    for (const name of ['b', 'a', 'c'])
      expect(await member.subscription?.ranges?.note(range, [{ name, record: noted }])).toEqual({ ok: true })
    await member.subscription?.ranges?.note(range, [{ name: 'a', record: undefined }])
    await rig.installation.cut()
    const next = await Witness.join(await rig.open(), 10)
    await until(() => next.owned.size === 4 && next.ids.length > 0, 'the ranges')
    expect(next.notes.get(range)).toEqual([
      { name: 'b', record: noted },
      { name: 'c', record: noted },
    ])
    expect(next.ids).toEqual(['0'])
    await until(() => member.revocations.length === 4, 'the first to notice')
    const [late] = (await member.subscription?.settle([{ kind: 'ack', tag: member.received[0]?.tag ?? 0 }])) ?? []
    expect(late).toMatchObject({ ok: false, error: { code: 'DELIVERY_LOST' } })
  })

  it('is missed as soon as was asked for when it vanishes right after it joined, though the server learns late of it', async () => {
    const [lenient, strict] = [await rig.open({ sessionTimeoutMs: 45_000 }), await rig.open()]
    await declare(lenient)
    const member = new Witness()
    const joining = strict.subscribe({ channel: 'c', group: 'g', member: 'm' }, member)
    await until(() => member.owned.size === 4, 'all ranges')
    await declare(strict)
    await joining
    await rig.installation.cut()
    const next = await Witness.join(await rig.open())
    await until(() => next.owned.size === 4, 'the ranges')
  })

  it('takes the longest session that a server takes by default', async () => {
    const engine = await rig.open({ sessionTimeoutMs: 60_000 })
    expect((await declare(engine)).created).toEqual(['c', 'c@g'])
  })

  it('says that a group has another session than it asks for', async () => {
    await declare(await rig.open({ sessionTimeoutMs: 45_000 }))
    await Witness.join(await rig.open())
    expect(rig.log.entries.map(({ message }) => message)).toContain(
      'kafka engine: a group has another session timeout than this process asks for',
    )
  })

  it('publishes with a settlement wholly or not at all', async () => {
    const engine = await rig.open()
    await declare(engine)
    const member = await Witness.join(engine, 2)
    member.acknowledges = false
    await engine.publish([record('1')])
    await until(() => member.ids.length === 1, 'the record')
    const tag = member.received[0]?.tag ?? 0
    const settle = (channel: string) =>
      member.subscription?.settle([{ kind: 'ack', tag, publish: [record('2'), record('3', { channel })] }])
    expect(await settle('nowhere')).toMatchObject([{ ok: false, error: { code: 'NOT_FOUND' } }])
    expect((await engine.lag?.lag('c', 'g'))?.ready).toBe(1)
    expect(await settle('c')).toEqual([{ ok: true }])
    expect((await engine.lag?.lag('c', 'g'))?.ready).toBe(2)
  })

  it('counts what was published with a settlement as soon as that is answered', async () => {
    const engine = await rig.open()
    await declare(engine)
    const member = await Witness.join(engine, 20)
    member.acknowledges = false
    await engine.publish(records(20))
    await until(() => member.ids.length === 20, 'all')
    for (const [at, { tag }] of member.received.entries()) {
      const publish = records(20).map((each) => ({ ...each, id: `${at}-${each.id}` }))
      expect(await member.subscription?.settle([{ kind: 'ack', tag, publish }])).toEqual([{ ok: true }])
      expect((await engine.lag?.lag('c', 'g'))?.ready).toBe(19 + at * 19 + 20)
    }
  })

  it('takes records of foreign clients, and puts keys where they do', async () => {
    const engine = await rig.open()
    await declare(engine)
    const topic = `${rig.installation.prefix}c`
    const connection = new Connection('foreign')
    const { hostname, port } = new URL(url)
    await connection.connect(hostname, Number(port))
    const message = { topic, partition: 2, key: Buffer.from('k'), value: Buffer.from('plain'), timestamp: 5n }
    await produceV11.api.async(connection, -1, 1_000, [message], {})
    await connection.close()
    const member = await Witness.join(engine)
    await until(() => member.ids.length === 1, 'the record')
    expect(member.received[0]).toMatchObject({
      position: '2-0000000000000000',
      range: '2',
      storedAtMs: 5,
      record: { id: `${topic}/2-0000000000000000`, key: 'k', headers: {} },
    })
    await engine.publish([record('1', { key: 'some key' })])
    await until(() => member.ids.length === 2, 'the other')
    expect(member.received[1]?.range).toBe(String((murmur2('some key') & 0x7fffffff) % 4))
  })

  it('lets a record that is due in another channel go on when nobody but another process is there', async () => {
    const sender = await rig.open()
    await declare(sender)
    const receiver = await rig.open()
    const dueAtMs = Date.now() + 700
    await sender.publish([record('1', { dueAtMs })])
    await sender.close()
    const member = await Witness.join(receiver)
    await until(() => member.ids.length === 1, 'the record')
    expect(Date.now()).toBeGreaterThanOrEqual(dueAtMs)
    expect(member.received[0]?.record.dueAtMs).toBe(dueAtMs)
  })

  it('tells how far the clock of the server is from its own, at each connect', async () => {
    const minuteMs = 60_000
    rig.clock = { ...systemClock, nowMs: () => systemClock.nowMs() + minuteMs }
    const engine = await rig.open()
    await declare(engine)
    await until(() => rig.skewsMs.length === 1, 'the first time')
    rig.installation.proxy.cut()
    await until(() => rig.skewsMs.length === 2, 'the second time')
    expect(rig.skewsMs.map((each) => Math.round(each / minuteMs))).toEqual([-1, -1])
    rig.clock = systemClock
    await rig.open()
    await until(() => rig.skewsMs.length === 3, 'another engine')
    expect(Math.round((rig.skewsMs[2] ?? minuteMs) / minuteMs)).toBeCloseTo(0)
  })

  it('warns of a server that keeps one replica, or deletes by itself', async () => {
    const engine = await rig.open({ topicConfig: { 'retention.ms': '60000' } })
    await declare(engine)
    await declare(engine)
    const warnings = rig.log.entries.filter(({ level }) => level === 'warn').map(({ message }) => message)
    expect(warnings).toEqual([
      expect.stringContaining('one replica confirms alone'),
      expect.stringContaining('the server deletes records by itself'),
    ])
  })

  it('compresses what it writes', async () => {
    const engine = await rig.open({ compression: 'zstd' })
    await declare(engine)
    const member = await Witness.join(engine)
    const body = Buffer.alloc(100_000, 'x')
    await engine.publish([record('1', { body })])
    await until(() => member.ids.length === 1, 'the record')
    expect(Buffer.from(member.received[0]?.record.body ?? [])).toEqual(body)
  })
})
