import { systemClock } from 'posthaste/pipeline'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { declare, join, type Rig, Rig as RigOn, record, remedy, server, TestHost, TestSink } from '../test/rig.ts'

let rig: Rig

const until = (check: () => unknown) => vi.waitFor(check, { timeout: 15_000, interval: 10 })

describe.skipIf(server === undefined)(`an engine on a server (${remedy})`, () => {
  beforeEach(() => {
    if (server !== undefined) rig = new RigOn(server)
  })
  afterEach(() => rig.close())

  // ── The database ──────────────────────────────────────────────────────────────────────────────────────────────────

  it('uses the database of the url, and no other', async () => {
    await declare(await rig.engine({ url: rig.urlOf('/3') }))
    expect(await rig.client.keys(`{${rig.prefix}}:*`)).toEqual([])
    await rig.client.select(3)
    const keys = await rig.client.keys(`{${rig.prefix}}:*`)
    expect(keys).not.toEqual([])
    await rig.client.unlink(...keys)
  })

  it('is not opened where the server has no such database, or the user may not select one', async () => {
    const refused = { code: 'FAILED_PRECONDITION', cause: { message: 'ERR DB index is out of range' } }
    await expect(rig.engine({ url: rig.urlOf('/99') })).rejects.toMatchObject(refused)
    const user = { username: rig.prefix, password: 'test' }
    await rig.client.call('ACL', 'SETUSER', user.username, 'on', `>${user.password}`, '~*', '&*', '+@all', '-select')
    const opening = rig.engine({ url: rig.urlOf('/3'), ...user })
    await expect(opening).rejects.toMatchObject({
      code: 'FAILED_PRECONDITION',
      message: expect.stringMatching(/NOPERM/),
    })
    await rig.client.call('ACL', 'DELUSER', user.username)
  })

  // ── Other processes, other clients ────────────────────────────────────────────────────────────────────────────────

  it('finds what another process has declared otherwise', async () => {
    await declare(await rig.engine(), { keyed: false, deduplicateForMs: 1_000 })
    const { created, drift } = await declare(await rig.engine(), { keyed: true, deduplicateForMs: 2_000 })
    expect(created).toEqual([])
    expect(drift).toEqual([
      { name: 'c', setting: 'keyed', wanted: 'true', found: 'false' },
      { name: 'c', setting: 'deduplicateForMs', wanted: '2000', found: '1000' },
    ])
  })

  it('delivers what other clients add to the stream', async () => {
    const engine = await rig.engine()
    await declare(engine)
    const { sink, subscription } = await join(engine, 10)
    const stream = `{${rig.prefix}}:stream:c`
    await rig.client.xadd(stream, '*', 'type', 'a.b', 'data', 'hello', 'partitionkey', 'k')
    await until(() => expect(sink.received).toHaveLength(1))
    const [delivery] = sink.received
    expect(delivery?.record).toMatchObject({ channel: 'c', key: 'k', headers: { type: 'a.b' } })
    expect(delivery?.record.id).toMatch(/^\d+-\d+$/)
    expect(Buffer.from(delivery?.record.body ?? []).toString()).toBe('hello')
    expect(await subscription.settle([{ kind: 'ack', tag: delivery?.tag ?? 0 }])).toEqual([{ ok: true }])
    expect(await rig.client.xlen(stream)).toBe(0)
  })

  it('stores what is due already behind what was due before, though nobody has moved that yet', async () => {
    const engine = await rig.engine()
    await declare(engine)
    const nowMs = systemClock.nowMs()
    await engine.publish([record('waiting', { dueAtMs: nowMs + 3_600_000 })])
    // As on a server that stood still when it was time.
    const due = `{${rig.prefix}}:due:c`
    const [place = ''] = await rig.client.zrange(due, '0', '0')
    await rig.client.zadd(due, 'XX', String(nowMs - 2_000), place)
    await engine.publish([record('earlier', { dueAtMs: nowMs - 3_000 }), record('later', { dueAtMs: nowMs - 1_000 })])
    const stored = await rig.client.xrange(`{${rig.prefix}}:stream:c`, '-', '+')
    expect(stored.map(([, fields]) => fields[1])).toEqual(['earlier', 'waiting', 'later'])
  })

  it('writes fields with the names of CloudEvents for other clients to read', async () => {
    const engine = await rig.engine()
    await declare(engine)
    await engine.publish([record('1', { key: 'k', expiresAtMs: 1_763_745_600_000 })])
    const [entry] = await rig.client.xrange(`{${rig.prefix}}:stream:c`, '-', '+')
    expect(entry?.[1]).toEqual([
      ...['id', '1', 'partitionkey', 'k', 'expirytime', '2025-11-21T17:20:00.000Z'],
      ...['type', 'a.b', 'source', '/x', 'data', '1'],
    ])
  })

  it('keeps all of an installation in one slot of a cluster', async () => {
    const engine = await rig.engine()
    await declare(engine, { kind: 'log', keyed: true, retention: { forMs: 60_000 } })
    await engine.publish([record('1', { key: 'k' }), record('2', { dueAtMs: Date.now() + 60_000 })])
    const { sink } = await join(engine, 10)
    await until(() => expect(sink.received).toHaveLength(1))
    const keys = await rig.client.keys(`*${rig.prefix}*`)
    expect(keys.length).toBeGreaterThan(8)
    expect(keys.filter((key) => !key.startsWith(`{${rig.prefix}}:`))).toEqual([])
  })

  it('goes on when the server has forgotten its script', async () => {
    const engine = await rig.engine()
    await declare(engine)
    await rig.client.script('FLUSH')
    expect(await engine.publish([record('1')])).toEqual([{ ok: true }])
  })

  // ── Vanished and cut off ──────────────────────────────────────────────────────────────────────────────────────────

  it('takes over what a vanished process had in hand, in the order of the key, and counts the attempt', async () => {
    const { engine: first, proxy } = await rig.proxied()
    await declare(first)
    await first.publish([1, 2, 3].map((id) => record(String(id), { key: 'k' })))
    const before = await join(first, 2)
    await until(() => expect(before.sink.received).toHaveLength(2))
    const second = await rig.engine()
    const after = await join(second, 10)
    proxy.blackHole()
    await until(() => expect(after.sink.received).toHaveLength(3))
    expect(after.sink.received.map(({ record: { id }, attempt, vanished }) => [id, attempt, vanished])).toEqual([
      ['1', 2, 1],
      ['2', 2, 1],
      ['3', 1, 0],
    ])
    await until(() => expect(before.sink.lostTags).toHaveLength(2))
    proxy.heal()
  })

  it('takes over from a process whose connection is gone long before its session ends', async () => {
    const { engine: first, proxy } = await rig.proxied({ sessionMs: 600_000, reconnectMs: 500 })
    await declare(first)
    await first.publish([record('1', { key: 'k' })])
    const before = await join(first, 1)
    await until(() => expect(before.sink.received).toHaveLength(1))
    const after = await join(await rig.engine({ sessionMs: 600_000, reconnectMs: 500 }), 1)
    proxy.refuse()
    proxy.cut()
    await until(() => expect(after.sink.received.map(({ attempt, vanished }) => [attempt, vanished])).toEqual([[2, 1]]))
    await until(() => expect(before.sink.lostTags).toHaveLength(1))
  })

  it('leaves a process that is quiet and connected alone as long as its session lasts', async () => {
    const { engine: first, proxy } = await rig.proxied({ sessionMs: 600_000, reconnectMs: 300 })
    await declare(first)
    await first.publish([record('1', { key: 'k' })])
    const busy = await join(first, 1)
    await until(() => expect(busy.sink.received).toHaveLength(1))
    const sessions = `{${rig.prefix}}:sessions`
    const [busyId = ''] = await rig.client.zrange(sessions, '0', '-1')
    proxy.delay(60_000)
    // It has been quiet for longer than it would have to come back in, and a newcomer has looked.
    const signs = `{${rig.prefix}}:signs`
    await until(async () => expect(Date.now() - Number(await rig.client.zscore(signs, busyId))).toBeGreaterThan(1_000))
    const second = await rig.engine({ sessionMs: 600_000, reconnectMs: 300 })
    const other = await join(second, 1)
    await second.publish([record('2', { key: 'other' })])
    await until(() => expect(other.sink.ids).toEqual(['2']))
    expect(await rig.client.zscore(sessions, busyId)).not.toBeNull()
    expect(await rig.client.hget(`{${rig.prefix}}:connections`, busyId)).not.toBe('')
    proxy.cut()
  })

  it('keeps what it has in hand over a short cut, and its subscriptions go on', async () => {
    const { engine, proxy, host } = await rig.proxied({ sessionMs: 10_000 })
    await declare(engine)
    await engine.publish([record('1', { key: 'k' })])
    const { sink, subscription } = await join(engine, 10)
    await until(() => expect(sink.received).toHaveLength(1))
    proxy.cut()
    await until(() => expect(host.states.map(([state]) => state)).toContain('lost'))
    expect(await subscription.settle([{ kind: 'ack', tag: sink.received[0]?.tag ?? 0 }])).toEqual([{ ok: true }])
    await engine.publish([record('2', { key: 'k' })])
    await until(() => expect(sink.ids).toEqual(['1', '2']))
    expect(host.states.at(-1)?.[0]).toMatch(/connected|degraded/)
    expect(sink.lostTags).toEqual([])
  })

  it('gets again what was handed to it by an answer that never arrived', async () => {
    const { engine, proxy } = await rig.proxied({ sessionMs: 5_000 })
    await declare(engine)
    const { sink, subscription } = await join(engine, 0)
    const other = await rig.engine()
    await other.publish([1, 2].map((id) => record(String(id), { key: 'k' })))
    // The server hears the claim, and its answer is lost.
    proxy.blackHole('server')
    subscription.grant(10)
    await until(async () => expect((await other.lag?.lag('c', 'g'))?.inFlight).toBe(2))
    proxy.heal()
    proxy.cut()
    await until(() => expect(sink.ids).toEqual(['1', '2']))
    expect(sink.received.map(({ attempt }) => attempt)).toEqual([1, 1])
  })

  it('answers what is published during an outage within its time limit', async () => {
    const { engine, proxy, host } = await rig.proxied({ timeoutMs: 300 })
    await declare(engine)
    proxy.refuse()
    proxy.cut()
    await until(() => expect(host.states.at(-1)?.[0]).toBe('lost'))
    const [outcome] = await engine.publish([record('1')])
    expect(outcome).toMatchObject({ ok: false, error: { code: 'UNAVAILABLE', notSent: true } })
    await engine.close()
  })

  it('makes a temporary group again that went while it was cut off', async () => {
    const { engine, proxy } = await rig.proxied()
    await declare(engine, { kind: 'log' }, { lifetime: 'temporary' })
    const { sink } = await join(engine, 10)
    const other = await rig.engine()
    proxy.refuse()
    proxy.cut()
    await until(async () => expect(await other.lag?.lag('c', 'g').catch(() => 'gone')).toBe('gone'))
    proxy.heal()
    await until(async () => {
      await other.publish([record('1')])
      expect(sink.ids).toContain('1')
    })
    expect(sink.causes).toEqual([])
  })

  it('tells a member whose group is gone that it cannot go on', async () => {
    const { engine, proxy } = await rig.proxied()
    await declare(engine)
    const { sink } = await join(engine, 10)
    proxy.refuse()
    proxy.cut()
    const other = await rig.engine()
    await until(async () => expect(await rig.client.zcard(`{${rig.prefix}}:sessions`)).toBe(1))
    await rig.client.del(`{${rig.prefix}}:groups:c`)
    await other.close()
    proxy.heal()
    await until(() => expect(sink.causes).toEqual(['NOT_FOUND']))
  })

  it('gives back what a member has in hand, however much and of however many keys that is', async () => {
    const engine = await rig.engine()
    await declare(engine)
    const count = 4_500
    await engine.publish(Array.from({ length: count }, (_, at) => record(String(at), { key: `k${at}` })))
    const first = await join(engine, count)
    await until(() => expect(first.sink.received).toHaveLength(count))
    await first.subscription.stop()
    const second = await join(engine, count)
    await until(() => expect(second.sink.received).toHaveLength(count))
    expect(new Set(second.sink.ids).size).toBe(count)
    expect(second.sink.received.every(({ attempt }) => attempt === 1)).toBe(true)
  })

  it('is told at once of what is new, also when another member of the channel has just left', async () => {
    const engine = await rig.engine({ pollMs: 60_000 })
    await declare(engine, { kind: 'log', keyed: false })
    const leaving = await join(engine, 1)
    const [, { sink }] = await Promise.all([leaving.subscription.stop(), join(engine, 10)])
    await engine.publish([record('1')])
    await until(() => expect(sink.ids).toEqual(['1']))
  })

  // ── What is reported ──────────────────────────────────────────────────────────────────────────────────────────────

  it('tells how far the clock of the server is off', async () => {
    const host = new TestHost()
    await rig.engine({}, host)
    expect(host.skews).toHaveLength(1)
    expect(Math.abs(host.skews[0] ?? Number.NaN)).toBeLessThan(60_000)
  })

  it('cannot be opened where nobody listens, and can be closed then', async () => {
    await expect(rig.engine({ url: 'redis://127.0.0.1:1' })).rejects.toMatchObject({ code: 'UNAVAILABLE' })
  })

  it('refuses a filter, which the core has', async () => {
    const engine = await rig.engine()
    await declare(engine)
    const filter = { tags: ['a'], accepts: () => true }
    const joining = engine.subscribe({ channel: 'c', group: 'g', member: 'm', filter }, new TestSink())
    await expect(joining).rejects.toMatchObject({ code: 'CAPABILITY_UNSUPPORTED' })
  })

  // ── Space ─────────────────────────────────────────────────────────────────────────────────────────────────────────

  it('leaves nothing of what all groups of a log have settled, and drops nothing that one needs', async () => {
    const engine = await rig.engine()
    await declare(engine, { kind: 'log' })
    await declare(engine, { kind: 'log' }, { group: 'slow' })
    await engine.publish(Array.from({ length: 50 }, (_, at) => record(String(at))))
    const { sink, subscription } = await join(engine, 50)
    await until(() => expect(sink.received).toHaveLength(50))
    await subscription.settle(sink.received.map(({ tag }) => ({ kind: 'ack', tag })))
    const stream = `{${rig.prefix}}:stream:c`
    expect(await rig.client.xlen(stream)).toBe(50)
    const slow = new TestSink()
    const other = await engine.subscribe({ channel: 'c', group: 'slow', member: 'm' }, slow)
    other.grant(100)
    await until(() => expect(slow.received).toHaveLength(50))
    await other.settle(slow.received.map(({ tag }) => ({ kind: 'ack', tag })))
    expect(await rig.client.xlen(stream)).toBe(0)
  })

  it('keeps at most as many bytes as retention says, of what is settled', async () => {
    const engine = await rig.engine()
    await declare(engine, { kind: 'log', retention: { bytesMax: 1_000 } })
    const body = new Uint8Array(100)
    const publish = (count: number) =>
      engine.publish(Array.from({ length: count }, (_, at) => record(String(at), { body })))
    await publish(30)
    const stream = `{${rig.prefix}}:stream:c`
    expect(await rig.client.xlen(stream)).toBe(30)
    const { sink, subscription } = await join(engine, 100)
    await until(() => expect(sink.received).toHaveLength(30))
    await subscription.settle(sink.received.map(({ tag }) => ({ kind: 'ack', tag })))
    expect(await rig.client.xlen(stream)).toBe(10)
  })

  it('leaves nothing behind of a key, a member or a temporary group', async () => {
    const engine = await rig.engine()
    await declare(engine, { kind: 'log' }, { lifetime: 'temporary' })
    await engine.publish([1, 2, 3].map((id) => record(String(id), { key: `k${id % 2}` })))
    const { sink, subscription } = await join(engine, 10)
    await until(() => expect(sink.received).toHaveLength(3))
    await subscription.settle(
      sink.received.map(({ tag }) => ({
        kind: 'release',
        tag,
        countsAttempt: true,
        holdKey: true,
        visibleAtMs: Date.now() + 60_000,
      })),
    )
    await subscription.stop()
    const keys = await rig.client.keys(`{${rig.prefix}}:group:*`)
    expect(keys).toEqual([])
  })
})
