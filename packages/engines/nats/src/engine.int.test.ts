import { connect } from '@nats-io/transport-node'
import { TcpProxy } from '@posthaste/conformance'
import { systemClock } from 'posthaste/pipeline'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { channel, Rig, record, servers, TestMember, until, untilTime } from '../test/rig.ts'

const group = { channel: 'c', group: 'g', from: 'earliest' } as const
const keys = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h']

describe.each(servers)('the engine on $name', ({ name, server }) => {
  if (server === undefined) {
    it('needs a server', (context) => context.skip(`start it with: npm run engines -- up ${name}`))
    return
  }
  let rig: Rig
  beforeEach(() => {
    rig = new Rig(server.url)
  })
  afterEach(() => rig.end())

  async function started(change: Parameters<typeof channel>[0] = {}) {
    const engine = await rig.open()
    await engine.declare({ channels: [channel(change)], groups: [group] })
    return engine
  }

  it('tells which setting differs, in another process too', async () => {
    await started({ retention: { forMs: 60_000 } })
    const other = await rig.open()
    const { created, drift } = await other.declare({ channels: [channel({ keyed: true })], groups: [] })
    expect(created).toEqual([])
    expect(drift.map(({ setting }) => setting).sort()).toEqual(['keyed', 'retention.forMs'])
    const ranges = { channels: [channel({ name: 'k', keyed: true })], groups: [] }
    await other.declare(ranges)
    const third = await rig.open({ keyRanges: 5 })
    const found = { name: 'k', setting: 'keyRanges', wanted: '5', found: '3' }
    expect((await third.declare(ranges)).drift).toEqual([found])
  })

  it('delivers what a foreign client publishes, under an id that stays the same', async () => {
    const engine = await started()
    const foreign = await connect({ servers: new URL(server.url).host })
    await foreign.request(`${rig.prefix}.c.all`, 'hello')
    await foreign.close()
    const member = await TestMember.join(engine)
    await until(() => member.received.length === 1)
    const [first] = member.received
    expect(new TextDecoder().decode(first?.record.body)).toBe('hello')
    await member.subscription?.stop()
    const again = await TestMember.join(await rig.open())
    await until(() => again.received.length === 1)
    expect(again.ids()).toEqual([first?.record.id])
    expect(again.received[0]?.attempt).toBe(1)
  })

  it('does not deliver again what a server hands out again while it is in hand', async () => {
    const engine = await started({ kind: 'queue' })
    await engine.publish([record('1')])
    const member = await TestMember.join(engine, 10)
    await until(() => member.received.length === 1)
    const foreign = await connect({ servers: new URL(server.url).host })
    await foreign.request(`$JS.ACK.${rig.prefix}=c.g.1.1.1.0.0`, '-NAK')
    await foreign.close()
    await engine.publish([record('2')])
    await until(() => member.received.length === 2)
    expect(member.ids()).toEqual(['1', '2'])
    expect((await member.ackAll())?.every(({ ok }) => ok)).toBe(true)
    expect(await engine.lag?.lag('c', 'g')).toMatchObject({ ready: 0, waiting: 0, inFlight: 0 })
  })

  it('counts a release and a vanished member, and not a hand-back', async () => {
    const engine = await started({ kind: 'queue' })
    await engine.publish([record('1')])
    const member = await TestMember.join(engine, 3)
    await until(() => member.received.length === 1)
    await member.subscription?.settle([{ kind: 'release', tag: 1, countsAttempt: true }])
    await until(() => member.received.length === 2)
    await member.subscription?.settle([{ kind: 'release', tag: 2, countsAttempt: false }])
    await until(() => member.received.length === 3)
    expect(member.received.map(({ attempt, vanished }) => [attempt, vanished])).toEqual([
      [1, 0],
      [2, 0],
      [2, 0],
    ])
    // Nobody extends the third: its lease ends.
    const other = await TestMember.join(engine, 1)
    await until(() => other.received.length === 1)
    expect([other.received[0]?.attempt, other.received[0]?.vanished]).toEqual([3, 1])
    expect(member.lostTags).toEqual([3])
    const late = await member.subscription?.settle([{ kind: 'ack', tag: 3 }])
    expect(late?.[0]).toMatchObject({ ok: false, error: { code: 'DELIVERY_LOST' } })
  })

  it('counts once what a member of a keyed channel had fetched when it left', async () => {
    const engine = await started({ keyed: true })
    await engine.publish(Array.from({ length: 9 }, (_, at) => record(String(at), { key: 'k' })))
    const member = await TestMember.join(engine, 3)
    await until(() => member.received.length === 3)
    await member.subscription?.settle([{ kind: 'ack', tag: 1 }])
    await engine.close()
    expect(await (await rig.open()).lag?.lag('c', 'g')).toEqual({ ready: 8, waiting: 0, inFlight: 0, noted: 0 })
  })

  it('keeps what no group has settled, and nothing else, in a log without retention', async () => {
    const engine = await started()
    await engine.publish([record('1'), record('2')])
    const member = await TestMember.join(engine)
    await until(() => member.received.length === 2)
    await member.subscription?.settle([{ kind: 'ack', tag: 1 }])
    const page = await engine.browsing?.browse({ channel: 'c', limit: 10 })
    expect(page?.records.map((each) => each.record.id)).toEqual(['2'])
  })

  it('divides the ranges of a keyed channel among members, and gives them on in order with what is noted', async () => {
    const engine = await started({ keyed: true })
    const first = await TestMember.join(engine)
    await until(() => first.assigned.size === 3)
    const noted = await Promise.all(
      ['0', '1', '2'].map((range) =>
        first.subscription?.ranges?.note(range, [
          { name: 'session', record: record('session') },
          { name: `n.${range}`, record: record(`note-${range}`, { group: 'g' }) },
        ]),
      ),
    )
    expect(noted).toEqual([{ ok: true }, { ok: true }, { ok: true }])
    const other = await rig.open()
    const notedBeside = async () =>
      (await Promise.all([engine, other].map((each) => each.lag?.lag('c', 'g')))).map((lag) => lag?.noted)
    expect(await notedBeside()).toEqual([0, 3])
    const second = await TestMember.join(other)
    await until(() => second.assigned.size === 1 && first.assigned.size === 2)
    const [[range = '', [, ...notes] = []] = []] = second.assigned
    expect(notes).toMatchObject([{ name: `n.${range}`, record: { id: `note-${range}`, group: 'g' } }])
    expect(await notedBeside()).toEqual([1, 2])
    await engine.publish(keys.map((key) => record(key, { key })))
    await until(() => first.received.length + second.received.length === keys.length)
    expect(new Set([...first.ids(), ...second.ids()])).toEqual(new Set(keys))
    await second.subscription?.stop()
    await until(() => first.assigned.size === 3)
  })

  it('takes over the ranges of a process that is gone, in order, once its lease has ended', async () => {
    const { hostname: host, port } = new URL(server.url)
    const proxy = new TcpProxy({ host, port: Number(port) })
    await proxy.listen()
    const doomed = await rig.open({ url: proxy.url(server.url), timeoutMs: 1_000 })
    await doomed.declare({ channels: [channel({ keyed: true })], groups: [group] })
    const before = await TestMember.join(doomed)
    await until(() => before.assigned.size === 3)
    const sent = Array.from({ length: 20 }, (_, at) => record(String(at), { key: 'k' }))
    await doomed.publish(sent.slice(0, 10))
    await until(() => before.received.length === 10)
    await before.subscription?.settle([{ kind: 'ack', tag: 4 }])
    await proxy.destroy()
    const engine = await rig.open()
    await engine.publish(sent.slice(10))
    const after = await TestMember.join(engine)
    await until(() => after.received.length === 19)
    expect(after.ids()).toEqual(sent.map(({ id }) => id).filter((id) => id !== '3'))
    expect(before.assigned.size).toBe(0)
    const late = await before.subscription?.settle([{ kind: 'ack', tag: 1 }])
    expect(late?.[0]).toMatchObject({ ok: false })
  })

  it('loses nothing that was confirmed when the connection is cut, and goes on by itself', async () => {
    const { hostname: host, port } = new URL(server.url)
    const proxy = new TcpProxy({ host, port: Number(port) })
    await proxy.listen()
    const engine = await rig.open({ url: proxy.url(server.url), leaseMs: 3_000 })
    await engine.declare({ channels: [channel({ keyed: true })], groups: [group] })
    const member = await TestMember.join(engine, 10_000)
    const confirmed: string[] = []
    for (let round = 0; round < 10; round += 1) {
      const batch = Array.from({ length: 50 }, (_, at) => record(`${round}-${at}`, { key: `k${at % 5}` }))
      const publishing = engine.publish(batch)
      if (round % 3 === 1) proxy.cut()
      const outcomes = await publishing
      confirmed.push(...batch.filter((_, at) => outcomes[at]?.ok).map(({ id }) => id))
    }
    expect(confirmed.length).toBe(500)
    // What a cut connection had fetched comes again when the server's lease is over: one after another, for each cut.
    await until(() => new Set(member.ids()).size === 500, 45_000)
    for (const key of ['k0', 'k1', 'k2', 'k3', 'k4']) {
      const firsts = [
        ...new Set(member.received.filter((each) => each.record.key === key).map((each) => each.record.id)),
      ]
      const rounds = firsts.map((id) => Number(id.split('-')[0]))
      expect(rounds).toEqual([...rounds].sort((a, b) => a - b))
    }
    expect(rig.states.filter((state) => state === 'lost').length).toBeGreaterThan(0)
    expect(rig.states.at(-1)).toBe('connected')
    await engine.close()
    await proxy.destroy()
  })

  it('answers within its time limit when the server cannot be reached', async () => {
    const { hostname: host, port } = new URL(server.url)
    const proxy = new TcpProxy({ host, port: Number(port) })
    await proxy.listen()
    const engine = await rig.open({ url: proxy.url(server.url), timeoutMs: 500 })
    await engine.declare({ channels: [channel()], groups: [group] })
    await proxy.destroy()
    const outcomes = await engine.publish([record('1')])
    expect(outcomes[0]).toMatchObject({ ok: false, error: { code: 'UNAVAILABLE', verdict: 'retryable' } })
    await expect(engine.declare({ channels: [channel({ name: 'x' })], groups: [] })).rejects.toMatchObject({
      code: 'UNAVAILABLE',
    })
    await engine.close()
  })

  it('spares what is noted of records that were addressed to the group when it is moved', async () => {
    const engine = await started({ keyed: true, retention: { forMs: 60_000 } })
    const member = await TestMember.join(engine)
    await until(() => member.assigned.size === 3)
    const outcome = await member.subscription?.ranges?.note('0', [
      { name: 'session', record: record('session') },
      { name: 'n.1', record: record('of-the-log') },
      { name: 'n.2', record: record('addressed', { group: 'g' }) },
    ])
    expect(outcome).toEqual({ ok: true })
    await member.subscription?.stop()
    await engine.seeking?.seek('c', 'g', { to: 'next' })
    const next = await TestMember.join(engine)
    await until(() => next.assigned.size === 3)
    const notes = [...next.assigned.values()].flat()
    expect(notes).toMatchObject([{ name: 'n.2', record: { id: 'addressed', group: 'g' } }])
  })

  it('hands on what is delayed when it is due, also if the process that published it is gone', async () => {
    const publisher = await started()
    const dueAtMs = performance.timeOrigin + performance.now() + 700
    await publisher.publish([record('later', { dueAtMs })])
    await publisher.close()
    const engine = await rig.open()
    const member = await TestMember.join(engine)
    await until(() => member.received.length === 1)
    expect(performance.timeOrigin + performance.now()).toBeGreaterThanOrEqual(dueAtMs)
    expect(member.ids()).toEqual(['later'])
  })

  it('delivers what was scheduled although its id was published again after its window', async () => {
    const engine = await started({ deduplicateForMs: 400 })
    const member = await TestMember.join(engine)
    const beganMs = systemClock.nowMs()
    await engine.publish([record('1', { dueAtMs: beganMs + 800 }), record('1', { dueAtMs: beganMs + 900 })])
    await untilTime(beganMs + 600)
    await engine.publish([record('1')])
    await until(() => member.received.length === 2)
    await untilTime(beganMs + 1_600)
    expect(member.ids()).toEqual(['1', '1'])
    expect(await engine.lag?.lag('c', 'g')).toMatchObject({ ready: 2, waiting: 0 })
  })

  it('knows how far the clock of the server is from its own', async () => {
    await rig.open({}, -60_000)
    await until(() => rig.skewsMs.length > 0)
    expect(rig.skewsMs[0]).toBeGreaterThan(50_000)
    expect(rig.skewsMs[0]).toBeLessThan(70_000)
  })

  it('moves a record once, whoever else does so at the same time', async () => {
    const engine = await started({ kind: 'queue' })
    await engine.declare({ channels: [channel({ name: 'target' })], groups: [{ ...group, channel: 'target' }] })
    await engine.publish([record('1')])
    const page = await engine.browsing?.browse({ channel: 'c', limit: 1 })
    const position = page?.records[0]?.position ?? ''
    const other = await rig.open()
    const move = { position, publish: [record('moved', { channel: 'target' })] }
    const outcomes = await Promise.all([engine, other].map((each) => each.browsing?.move('c', [move])))
    expect(outcomes.flat().filter((outcome) => outcome?.ok).length).toBe(1)
    const target = await engine.browsing?.browse({ channel: 'target', limit: 10 })
    expect(target?.records.length).toBe(1)
  })

  it('trims a log by its age, and not what a group still needs', async () => {
    const engine = await started({ retention: { forMs: 1 } })
    await engine.publish([record('1'), record('2')])
    const member = await TestMember.join(engine)
    await until(() => member.received.length === 2)
    const { retentionOf } = await import('../test/trimming.ts')
    await retentionOf(rig)
    const idsOf = async () =>
      (await engine.browsing?.browse({ channel: 'c', limit: 9 }))?.records.map((each) => each.record.id)
    expect(await idsOf()).toEqual(['1', '2'])
    await member.subscription?.settle([{ kind: 'ack', tag: 1 }])
    await retentionOf(rig)
    expect(await idsOf()).toEqual(['2'])
  })
})
