import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join as pathOf } from 'node:path'
import { streams } from '@posthaste/broker/protocol'
import type { Outcome } from '@posthaste/contracts'
import { dial } from '@posthaste/link/connection'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { certificatesIn } from '../../test/certificates.ts'
import { declare, join, Rig, record, TestHost, until } from '../../test/rig.ts'

let rig: Rig
beforeEach(() => {
  rig = new Rig()
})
afterEach(() => rig.close())

const hashOf = (token: string) => `sha256:${createHash('sha256').update(token).digest('hex')}`

const users = {
  admin: { tokens: hashOf('root'), rights: { publish: '**', consume: '**', manage: '**' } },
  shop: { tokens: hashOf('shop'), rights: { publish: ['c', 'shop.*'], consume: ['c'] } },
  guest: { tokens: hashOf('guest'), limits: { connectionsMax: 1, channelsMax: 1 }, rights: { manage: 'guest.**' } },
}

describe('who has users', () => {
  it('lets in nobody else, and tells no secrets', async () => {
    const broker = await rig.broker({ users })
    for (const token of [undefined, 'wrong', hashOf('root')])
      await expect(rig.engine(broker, { token })).rejects.toMatchObject({ code: 'UNAUTHENTICATED' })
    const admin = await rig.engine(broker, { token: async () => 'root' })
    expect(await admin.topology()).toEqual({ channels: [], groups: [] })
    expect(rig.host.logged.join('\n')).not.toMatch(/root|wrong|sha256/)
  })

  it('has each do what they may: record by record, channel by channel', async () => {
    const broker = await rig.broker({ users })
    const admin = await rig.engine(broker, { token: 'root' })
    const shop = await rig.engine(broker, { token: 'shop' })
    await declare(admin)
    await declare(admin, { name: 'secret' })
    const outcomes = await shop.publish([record('1'), record('2', { channel: 'secret' }), record('3')])
    expect(outcomes.map((outcome) => (outcome.ok ? 'ok' : outcome.error.code))).toEqual([
      'ok',
      'PERMISSION_DENIED',
      'ok',
    ])
    const { subscription, sink } = await join(shop, 2)
    await until(() => sink.received.length === 2)
    const [first, second] = sink.received
    const settled = await subscription.settle([
      { kind: 'ack', tag: first!.tag, publish: [record('4', { channel: 'secret' })] },
      { kind: 'ack', tag: second!.tag },
    ])
    expect(settled.map(({ ok }) => ok)).toEqual([false, true])
    const forbidden = [
      () => shop.subscribe({ channel: 'secret', group: 'g', member: 'm' }, sink),
      () => shop.browsing?.browse({ channel: 'c', limit: 1 }),
      () => shop.seeking?.seek('c', 'g', { to: 'earliest' }),
      () => shop.lag?.lag('secret', 'g'),
      () => shop.clients(),
      () => shop.snapshot('copy'),
      () => declare(shop, { name: 'new' }),
      () => shop.patterns?.declare({ pattern: 'shop.*', group: 'g', from: 'next' }),
      () => shop.patterns?.watch('**', () => {}),
      () => shop.preparing?.prepare(record('5', { channel: 'secret' }), 1),
    ]
    for (const attempt of forbidden)
      await expect(Promise.resolve(attempt())).rejects.toMatchObject({ code: 'PERMISSION_DENIED' })
    expect((await shop.topology()).channels.map(({ name }) => name)).toEqual(['c'])
    // What there is may be declared by whoever may use it.
    expect(await declare(shop)).toEqual({ created: [], drift: [] })
  })

  it('lists what each has a right to, with who takes part', async () => {
    const broker = await rig.broker({ users })
    const admin = await rig.engine(broker, { token: 'root' })
    const shop = await rig.engine(broker, { token: 'shop' })
    await declare(admin)
    await declare(admin, { name: 'secret' })
    await declare(admin, { name: 'b', kind: 'log' }, { group: 'z', lifetime: 'temporary' })
    await declare(admin, { name: 'b', kind: 'log' }, { group: 'a' })
    await join(shop, 1)
    const names = async (engine: typeof shop) => (await engine.listing!.channels()).map(({ name }) => name)
    expect([await names(admin), await names(shop)]).toEqual([['b', 'c', 'secret'], ['c']])
    expect(await shop.listing?.groups('c')).toEqual([{ group: 'g', lifetime: 'durable', members: 1 }])
    expect(await admin.listing?.groups('b')).toEqual([
      { group: 'a', lifetime: 'durable', members: 0 },
      { group: 'z', lifetime: 'temporary', members: 0 },
    ])
    await expect(shop.listing?.groups('secret')).rejects.toMatchObject({ code: 'PERMISSION_DENIED' })
    await expect(admin.listing?.groups('none')).rejects.toMatchObject({ code: 'NOT_FOUND' })
  })

  it('has nobody move records where they may not publish, to whichever group', async () => {
    const broker = await rig.broker({ users })
    const admin = await rig.engine(broker, { token: 'root' })
    const guest = await rig.engine(broker, { token: 'guest' })
    const own = { name: 'guest.a', kind: 'queue', keyed: false } as const
    await declare(admin)
    await guest.declare({ channels: [own], groups: [] })
    await admin.publish([record('1', { channel: 'guest.a' })])
    const page = await guest.browsing?.browse({ channel: 'guest.a', limit: 1 })
    const { position } = page!.records[0]!
    for (const group of [undefined, 'g']) {
      const moving = guest.browsing?.move('guest.a', [{ position, publish: [record('2', { group })] }])
      await expect(moving).rejects.toMatchObject({ code: 'PERMISSION_DENIED' })
    }
  })

  it('has none of them use more than they may', async () => {
    const broker = await rig.broker({ users })
    const guest = await rig.engine(broker, { token: 'guest' })
    await guest.declare({ channels: [{ name: 'guest.a', kind: 'queue', keyed: false }], groups: [] })
    const another = { channels: [{ name: 'guest.b', kind: 'queue', keyed: false } as const], groups: [] }
    await expect(guest.declare(another)).rejects.toMatchObject({ code: 'OVERLOADED', verdict: 'permanent' })
    await expect(rig.engine(broker, { token: 'guest', timeoutMs: 300 })).rejects.toMatchObject({ code: 'OVERLOADED' })
    await guest.close()
    await rig.engine(broker, { token: 'guest' })
  })

  it('has none of them make more channels than they may by asking for many at once, and counts none twice', async () => {
    const maker = { tokens: hashOf('maker'), limits: { channelsMax: 3 }, rights: { manage: '**' } }
    const broker = await rig.broker({ users: { ...users, maker }, limits: { channelsMax: 4 } })
    const engine = await rig.engine(broker, { token: 'maker' })
    const make = (name: string) =>
      engine.declare({ channels: [{ name, kind: 'queue', keyed: false }], groups: [] }).then(
        () => 'made',
        ({ code }) => code,
      )
    // What is no channel counts for none.
    expect(await make('no channel')).toBe('CONFIG_INVALID')
    const same = await Promise.all(Array.from({ length: 5 }, () => make('a')))
    expect(new Set(same)).toEqual(new Set(['made']))
    const others = await Promise.all(Array.from({ length: 8 }, (_, at) => make(`b${at}`)))
    expect(others.filter((outcome) => outcome === 'made')).toHaveLength(2)
    expect(await engine.listing?.channels()).toHaveLength(3)
    const admin = await rig.engine(broker, { token: 'root' })
    const all = await Promise.allSettled(['x', 'y'].map((name) => declare(admin, { name })))
    expect(all.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected'])
  })

  it('slows down who is too fast, and loses nothing', async () => {
    const shop = { ...users.shop, limits: { recordsPerSecondMax: 2_000, bytesInFlightMax: 65_536 } }
    const broker = await rig.broker({ users: { ...users, shop } })
    await declare(await rig.engine(broker, { token: 'root' }))
    const engine = await rig.engine(broker, { token: 'shop' })
    const records = Array.from({ length: 600 }, (_, at) => record(`${at}`, { body: new Uint8Array(10_000) }))
    const began = performance.now()
    const outcomes = await Promise.all(records.map((each) => engine.publish([each])))
    expect(outcomes.flat().every(({ ok }) => ok)).toBe(true)
    expect(performance.now() - began).toBeGreaterThan(100)
    expect(broker.figures().published).toBe(600)
  })

  it('slows down who is too fast by whatever else publishes: calls, moves and settlements', async () => {
    const all = { publish: '**', consume: '**', manage: '**' }
    const limited = (token: string) => ({
      ...{ tokens: hashOf(token), rights: all, limits: { recordsPerSecondMax: 400, bytesInFlightMax: 65_536 } },
    })
    const slow = { prepares: limited('prepares'), moves: limited('moves'), settles: limited('settles') }
    const broker = await rig.broker({ users: { admin: users.admin, ...slow } })
    const root = await rig.engine(broker, { token: 'root' })
    await declare(root)
    await declare(root, { name: 'd' })
    const took = async (work: () => Promise<readonly { readonly ok: boolean }[]>) => {
      const began = performance.now()
      const outcomes = await work()
      expect(outcomes.every(({ ok }) => ok)).toBe(true)
      return performance.now() - began
    }

    const prepares = await rig.engine(broker, { token: 'prepares' })
    const ids = Array.from({ length: 300 }, (_, at) => `p${at}`)
    const preparing = () => Promise.all(ids.map((id) => prepares.preparing!.prepare(record(id), 9e15)))
    expect(await took(preparing)).toBeGreaterThan(500)

    await root.publish(['1', '2'].map((id) => record(id)))
    const moves = await rig.engine(broker, { token: 'moves' })
    const page = await moves.browsing!.browse({ channel: 'c', limit: 2 })
    const moving = async () => {
      const outcomes = []
      for (const { position } of page.records) {
        const publish = Array.from({ length: 300 }, (_, at) => record(`${position}.${at}`, { channel: 'd' }))
        outcomes.push(...(await moves.browsing!.move('c', [{ position, publish }])))
      }
      return outcomes
    }
    expect(await took(moving)).toBeGreaterThan(500)

    await root.publish(Array.from({ length: 6 }, (_, at) => record(`s${at}`)))
    const settles = await rig.engine(broker, { token: 'settles' })
    const { subscription, sink } = await join(settles, 6)
    await until(() => sink.received.length === 6)
    const body = new Uint8Array(10_000)
    const settling = async () => {
      const each = sink.received.map(({ tag }) => {
        const publish = Array.from({ length: 100 }, (_, at) => record(`${tag}.${at}`, { channel: 'd', body }))
        return subscription.settle([{ kind: 'ack', tag, publish }])
      })
      return (await Promise.all(each)).flat()
    }
    expect(await took(settling)).toBeGreaterThan(500)
    expect(await root.lag?.lag('d', 'g')).toMatchObject({ ready: 1_200 })
  })

  it('never makes a call whose client did not wait for its turn', async () => {
    const admin = { ...users.admin, limits: { recordsPerSecondMax: 2 } }
    const broker = await rig.broker({ users: { admin } })
    const hasty = await rig.engine(broker, { token: 'root', timeoutMs: 150 })
    const patient = await rig.engine(broker, { token: 'root' })
    await declare(patient)
    expect(await patient.preparing?.prepare(record('1'), 9e15)).toEqual({ ok: true })
    await expect(hasty.preparing?.prepare(record('2'), 9e15)).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    expect(await patient.preparing?.prepare(record('3'), 9e15)).toEqual({ ok: true })
    const prepared = (await patient.preparing?.prepared('c', 10)) ?? []
    expect(prepared.map(({ record: { id } }) => id).toSorted()).toEqual(['1', '3'])
  })

  it('refuses what is too large, of clients that ask before and of others', async () => {
    const broker = await rig.broker({ limits: { bodyBytesMax: 2_048 } })
    const engine = await rig.engine(broker)
    expect(engine.capabilities.bodyBytesMax).toBe(2_048)
    await declare(engine)
    const large = record('1', { body: new Uint8Array(2_049) })
    expect(await engine.publish([large])).toMatchObject([{ ok: false, error: { code: 'BODY_TOO_LARGE' } }])
    expect(await engine.preparing?.prepare(large, 1)).toMatchObject({ ok: false, error: { code: 'BODY_TOO_LARGE' } })
  })
})

describe('a record with too many headers', () => {
  it('fails alone, published or published along with a settlement', async () => {
    const engine = await rig.engine(await rig.broker({ limits: { bodyBytesMax: 1_024 } }))
    await declare(engine)
    const headers = { type: 'a.b', source: '/x', long: 'x'.repeat(2 * 1024 * 1024) }
    const many = Array.from({ length: 100 }, (_, at) =>
      record(`${at}`, { headers: { ...headers, long: 'x'.repeat(30_000) } }),
    )
    const codes = (outcomes: readonly Outcome[]) => outcomes.map((each) => (each.ok ? 'ok' : each.error.code))
    const [name, body] = ['x'.repeat(2 * 1024 * 1024), new Uint8Array(0)]
    const named = [record(name, { body }), record('5', { key: name })]
    const records = [record('1'), record('2', { headers }), ...named, record('3')]
    const published = await Promise.all([engine.publish(records), engine.publish([record('4')])])
    const one = 'INVALID_ARGUMENT'
    expect(published.map(codes)).toEqual([['ok', 'BODY_TOO_LARGE', one, one, 'ok'], ['ok']])
    const { subscription, sink } = await join(engine, 3)
    await until(() => sink.received.length === 3)
    const [first, second, third] = sink.received.map(({ tag }) => tag)
    const settled = await subscription.settle([
      { kind: 'ack', tag: first!, publish: [record('5', { headers })] },
      { kind: 'ack', tag: second!, publish: many },
      { kind: 'ack', tag: third!, publish: [record('6')] },
    ])
    expect(codes(settled)).toEqual(['BODY_TOO_LARGE', 'BODY_TOO_LARGE', 'ok'])
    expect(sink.causes).toEqual([])
  })
})

describe('over TLS', () => {
  const pem = (name: string) => pathOf(certificatesIn(rig.dir), name)
  const read = (name: string) => readFileSync(pem(name), 'utf8')

  it('clients know the broker by its certificate, and it knows them by theirs', async () => {
    const tls = { certFile: pem('server.pem'), keyFile: pem('server.key'), caFile: pem('ca.pem'), clients: 'accepted' }
    const known = { tokens: [], certificates: ['client'], rights: { publish: '**', consume: '**', manage: '**' } }
    const broker = await rig.broker({ listen: 'links://127.0.0.1:0', tls, users: { known, ...users } })
    const ca = read('ca.pem')
    await declare(await rig.engine(broker, { tls: { ca, cert: read('client.pem'), key: read('client.key') } }))
    expect(
      (await (await rig.engine(broker, { tls: { ca }, token: 'root' })).clients()).map(({ user }) => user),
    ).toEqual(['known', 'admin'])
    await expect(rig.engine(broker, { tls: { ca } })).rejects.toMatchObject({ code: 'UNAUTHENTICATED' })
    await expect(rig.engine(broker, { timeoutMs: 300, token: 'root' })).rejects.toMatchObject({
      remedy: expect.stringContaining('tls.ca'),
    })
  })

  it('is refused before it starts where a file is missing', async () => {
    const tls = { certFile: '/nowhere.pem', keyFile: pem('server.key') }
    await expect(rig.broker({ listen: 'links://127.0.0.1:0', tls })).rejects.toMatchObject({ code: 'CONFIG_INVALID' })
    // Nothing of it is left.
    await rig.broker()
  })
})

describe('a stranger', () => {
  it('who speaks nonsense loses a stream, and nobody notices', async () => {
    const broker = await rig.broker()
    const engine = await rig.engine(broker)
    await declare(engine)
    const host = new TestHost()
    const dialer = dial({ url: broker.urls[0] ?? '' }, host)
    const nonsense = [...Object.values(streams), 'posthaste.broker/declare', 'posthaste.broker/nothing']
    const bodies = ['', '{', '\x02{}', '\x04null', '\x02[]\x00\xff\xff\xff', 'x'.repeat(500)]
    let failed = 0
    for (const method of nonsense)
      for (const text of bodies) {
        const sink = { message() {}, ended() {}, failed: () => void failed++, writable() {} }
        dialer.open(
          { method, metadata: {}, codec: 'application/octet-stream', body: Buffer.from(text, 'latin1') },
          sink,
        )
      }
    await until(() => failed === nonsense.length * bodies.length)
    await dialer.close()
    expect(await engine.publish([record('1')])).toEqual([{ ok: true }])
    expect(broker.figures()).toMatchObject({ sessions: 1, state: 'ready' })
  })
})

describe('an endpoint for health', () => {
  it('tells whether the broker lives, takes clients, and what it does', async () => {
    const broker = await rig.broker({ health: { port: 0 } })
    const engine = await rig.engine(broker)
    await declare(engine)
    await engine.publish([record('1')])
    const get = async (path: string, method = 'GET') => {
      const response = await fetch(`${broker.healthUrl}${path}`, { method })
      return [response.status, method === 'GET' ? await response.json() : undefined]
    }
    expect(await get('/health')).toEqual([200, { state: 'ready' }])
    expect(await get('/ready')).toEqual([200, { state: 'ready' }])
    expect(await get('/figures')).toEqual([200, expect.objectContaining({ sessions: 1, published: 1, connections: 1 })])
    expect((await get('/ready', 'HEAD'))[0]).toBe(200)
    expect((await get('/ready', 'POST').catch(() => [405]))[0]).toBe(405)
    expect((await get('/nothing'))[0]).toBe(404)
    await expect(
      rig.broker({ dataDir: pathOf(rig.dir, 'other'), health: { port: Number(new URL(broker.healthUrl ?? '').port) } }),
    ).rejects.toMatchObject({ code: 'UNAVAILABLE' })
  })
})

describe('what an operator asks for', () => {
  it('is a copy of everything, under a name', async () => {
    const broker = await rig.broker()
    const engine = await rig.engine(broker)
    await declare(engine)
    await engine.publish([record('1')])
    const dir = await engine.snapshot('monday')
    expect(dir).toBe(pathOf(rig.dir, 'data.snapshots/monday'))
    await expect(engine.snapshot('monday')).rejects.toMatchObject({ code: 'FAILED_PRECONDITION' })
    for (const name of ['../x', '', '/tmp/x', '.'])
      await expect(engine.snapshot(name)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
    const copy = await rig.engine(await rig.broker({ dataDir: dir }))
    expect((await copy.lag?.lag('c', 'g'))?.ready).toBe(1)
  })

  it('may come over a socket of this machine', async () => {
    const url = `link+unix://${pathOf(rig.dir, 'broker.sock')}`
    await rig.broker({ listen: url })
    const engine = await rig.engine(url)
    expect(await declare(engine)).toMatchObject({ drift: [] })
  })
})
