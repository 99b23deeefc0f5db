import { command, event, PosthasteError, succeeded } from '@posthaste/contracts'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { errorOf, gate, Noted, Ordered, scriptedRig } from '../../../test/bus/rig.ts'

const text = (body: Uint8Array): string => new TextDecoder().decode(body)

const Deduct = command('shop.stock.deduct', { data: z.object({ n: z.number() }) })

/** Checks its data later. */
const Slow = event('shop.slow', {
  data: z.object({ n: z.number() }).refine(async ({ n }) => n > 0, 'must be positive'),
})

async function started(given: Parameters<typeof scriptedRig>[0] = {}) {
  const rig = scriptedRig(given)
  await rig.bus.start()
  return rig
}

describe('publishing', () => {
  it('writes a CloudEvent whose body is the data as it was given', async () => {
    const Defaulted = event('shop.defaulted', {
      data: z.object({ n: z.coerce.number(), unit: z.string().default('kg') }),
    })
    const { bus, engine } = await started()
    const { id } = await bus.publish(Defaulted, { n: '7' })
    const [record] = engine.records
    expect(record).toMatchObject({ id, channel: 'shop.defaulted', key: undefined, dueAtMs: undefined })
    expect(text(record!.body)).toBe('{"n":"7"}')
    expect(record!.headers).toEqual({
      type: 'shop.defaulted',
      source: '/shop',
      time: '2026-01-01T00:00:00.000Z',
      datacontenttype: 'application/json',
    })
  })

  it('refuses data that does not fit before anything leaves, and says what is wrong where', async () => {
    const { bus, engine } = await started()
    const error = await errorOf(bus.publish(Noted, { n: 'seven' } as never))
    expect(error).toMatchObject({ code: 'PAYLOAD_INVALID', issues: [{ path: 'n' }] })
    expect(engine.records).toEqual([])
  })

  it('waits for a schema that takes its time', async () => {
    const { bus, engine } = await started()
    const error = await errorOf(bus.publish(Slow, { n: -1 }))
    expect(error).toMatchObject({ code: 'PAYLOAD_INVALID' })
    await bus.publish(Slow, { n: 1 })
    expect(engine.records).toHaveLength(1)
  })

  it('takes a schema that throws for one that says no', async () => {
    const Broken = event('shop.broken', {
      data: z.any().refine(() => {
        throw new Error('oops')
      }),
    })
    const { bus } = await started()
    expect(await errorOf(bus.publish(Broken, 1))).toMatchObject({ code: 'PAYLOAD_INVALID', cause: { message: 'oops' } })
  })

  it('refuses data that JSON cannot write', async () => {
    const Anything = event('shop.anything', { data: z.any() })
    const { bus } = await started()
    expect(await errorOf(bus.publish(Anything, 1n))).toMatchObject({ code: 'PAYLOAD_INVALID' })
  })

  it('sends no body and no content type where there is no data', async () => {
    const Ping = event('shop.ping', { data: z.undefined() })
    const { bus, engine } = await started()
    await bus.publish(Ping, undefined)
    expect(engine.records[0]!.body).toHaveLength(0)
    expect(engine.records[0]!.headers).not.toHaveProperty('datacontenttype')
  })

  it('hands everything of one turn to the engine in one call, in order', async () => {
    const { bus, engine } = await started()
    await bus.publish(Noted, { n: 0 })
    await Promise.all([1, 2, 3].map((n) => bus.publish(Noted, { n })))
    expect(engine.published.map((batch) => batch.map(({ body }) => text(body)))).toEqual([
      ['{"n":0}'],
      ['{"n":1}', '{"n":2}', '{"n":3}'],
    ])
  })

  it('declares a channel before the first message of it leaves, once, and keeps the order meanwhile', async () => {
    const { bus, engine } = await started()
    const declaring = gate()
    engine.beforeDeclare = () => declaring.promise
    const first = [1, 2].map((n) => bus.publish(Noted, { n }))
    await Promise.resolve()
    expect(engine.records).toEqual([])
    declaring.open()
    await Promise.all(first)
    await bus.publish(Noted, { n: 3 })
    expect(engine.topologies.filter(({ channels }) => channels.some(({ name }) => name === 'shop.noted'))).toHaveLength(
      1,
    )
    expect(engine.records.map(({ body }) => text(body))).toEqual(['{"n":1}', '{"n":2}', '{"n":3}'])
  })

  it('keeps the order of a key where a message comes just as the channel has been declared', async () => {
    const { bus, engine } = await started()
    const published: Promise<unknown>[] = []
    for (let n = 0; n < 20; n++) {
      published.push(bus.publish(Ordered, { key: 'a', n }))
      await Promise.resolve()
    }
    await Promise.all(published)
    expect(engine.records.map(({ body }) => JSON.parse(text(body)).n)).toEqual([...published.keys()])
  })

  it('hands over in one call what has waited for its channel together', async () => {
    const { bus, engine } = await started()
    await Promise.all([1, 2, 3].map((n) => bus.publish(Ordered, { key: 'a', n })))
    expect(engine.published.map((batch) => batch.length)).toEqual([3])
  })

  it('tries to declare again after it failed', async () => {
    const { bus, engine } = await started()
    engine.beforeDeclare = async () => {
      throw new PosthasteError('UNAVAILABLE', 'no connection')
    }
    expect(await errorOf(bus.publish(Noted, { n: 1 }))).toMatchObject({ code: 'UNAVAILABLE' })
    engine.beforeDeclare = async () => {}
    await bus.publish(Noted, { n: 2 })
    expect(engine.records).toHaveLength(1)
  })

  it('lets a command wait for a handler that comes later', async () => {
    const { bus, engine } = await started()
    await bus.send(Deduct, { n: 1 })
    expect(engine.topologies.at(-1)).toMatchObject({
      channels: [{ name: 'shop.stock.deduct', kind: 'queue' }],
      groups: [{ channel: 'shop.stock.deduct', group: 'handler', from: 'earliest' }],
    })
  })

  it('tells each publisher its own outcome', async () => {
    const { bus, engine } = await started()
    engine.outcomeOf = ({ id }) =>
      id === 'b' ? { ok: false, error: new PosthasteError('ENGINE_WRITE_FAILED', 'disk full') } : succeeded
    const results = await Promise.allSettled(['a', 'b', 'c'].map((id) => bus.publish(Noted, { n: 1 }, { id })))
    expect(results).toMatchObject([
      { status: 'fulfilled', value: { id: 'a' } },
      { status: 'rejected', reason: { code: 'ENGINE_WRITE_FAILED' } },
      { status: 'fulfilled', value: { id: 'c' } },
    ])
  })

  it('fails every publisher of a batch that the engine rejects', async () => {
    const { bus, engine } = await started()
    engine.outcomeOf = () => {
      throw new Error('socket closed')
    }
    const results = await Promise.allSettled([1, 2].map((n) => bus.publish(Noted, { n })))
    expect(results.map((result) => result.status === 'rejected' && result.reason.code)).toEqual([
      'UNAVAILABLE',
      'UNAVAILABLE',
    ])
  })

  it('leaves nobody waiting for an outcome that the engine forgot', async () => {
    const { bus, engine } = await started()
    engine.publish = async () => []
    expect(await errorOf(bus.publish(Noted, { n: 1 }))).toMatchObject({ code: 'UNAVAILABLE' })
  })

  it('repeats what was not confirmed under the same id, where that is asked for', async () => {
    const { bus, engine, clock } = await started({ publisher: { retry: { attempts: 2, baseMs: 10 } } })
    engine.outcomeOf = () =>
      engine.records.length === 1 ? { ok: false, error: new PosthasteError('UNAVAILABLE', 'gone') } : succeeded
    const published = bus.publish(Noted, { n: 1 })
    await clock.advance(100)
    const { id } = await published
    expect(engine.records.map((record) => record.id)).toEqual([id, id])
  })

  it('gives messages of a contract with a time to live an end', async () => {
    const Fresh = event('shop.fresh', { data: z.any(), timeToLiveMs: 1_000 })
    const { bus, engine, clock } = await started()
    await bus.publish(Fresh, 1)
    await bus.publish(Fresh, 2, { delayMs: 500 })
    expect(engine.records.map(({ expiresAtMs }) => expiresAtMs! - clock.nowMs())).toEqual([1_000, 1_500])
  })
})

describe('what is said about one message', () => {
  it('stands on the record', async () => {
    const { bus, engine, clock } = await started()
    await bus.publish(
      Ordered,
      { key: 'a', n: 1 },
      { id: 'x', key: 'b', headers: { tenant: 't1' }, correlationId: 'c', source: '/pos/7', delayMs: 100 },
    )
    expect(engine.records[0]).toMatchObject({
      id: 'x',
      key: 'b',
      dueAtMs: clock.nowMs() + 100,
      headers: { tenant: 't1', correlationid: 'c', source: '/pos/7' },
    })
  })

  it('takes the key from the contract where none is given', async () => {
    const { bus, engine } = await started()
    await bus.publish(Ordered, { key: 'a', n: 1 })
    expect(engine.records[0]!.key).toBe('a')
  })

  it('is refused with every mistake at once', async () => {
    const { bus, engine } = await started()
    const options = {
      id: '',
      headers: { Tenant: 't', type: 'x', note: 'a\nb' },
      delayMs: -1,
      source: 'no uri',
      timeToLiveMs: 0,
      priority: -1,
      retries: 3,
    } as never
    const error = await errorOf(bus.publish(Noted, { n: 1 }, options))
    expect(error.code).toBe('CONFIG_INVALID')
    expect(error.issues.map(({ path }) => path)).toEqual([
      'id',
      'headers.Tenant',
      'headers.type',
      'headers.note',
      'delayMs',
      'source',
      'timeToLiveMs',
      'priority',
      'retries',
    ])
    expect(engine.records).toEqual([])
  })

  it('cannot ask for two times', async () => {
    const { bus } = await started()
    const error = await errorOf(bus.publish(Noted, { n: 1 }, { delayMs: 1, atMs: 1 }))
    expect(error.issues).toEqual([{ path: 'atMs', message: 'excludes delayMs' }])
  })

  it.each([-1, 1e20, Number.NaN, Number.POSITIVE_INFINITY])('cannot ask for a time that is none (%d)', async (atMs) => {
    const { bus } = await started()
    for (const options of [{ atMs }, { delayMs: atMs }]) {
      expect(await errorOf(bus.publish(Noted, { n: 1 }, options))).toMatchObject({ code: 'CONFIG_INVALID' })
    }
  })

  it('cannot give a key to a contract without one', async () => {
    const { bus } = await started()
    expect(await errorOf(bus.publish(Noted, { n: 1 }, { key: 'a' }))).toMatchObject({ code: 'CONFIG_INVALID' })
  })

  it.each([
    ['', 'empty'],
    ['x'.repeat(1_025), 'too long'],
    ['ä'.repeat(513), 'too long as UTF-8'],
  ])('cannot have a key that is bad (%#)', async (key) => {
    const { bus } = await started()
    expect(await errorOf(bus.publish(Ordered, { key, n: 1 }))).toMatchObject({
      code: 'PAYLOAD_INVALID',
      issues: [{ path: 'key' }],
    })
  })

  it('blames the data where the key function throws, or names no text', async () => {
    const Poisoned = event('shop.poisoned', { data: z.any(), key: (data: { order: { no: string } }) => data.order.no })
    const { bus } = await started()
    expect(await errorOf(bus.publish(Poisoned, {}))).toMatchObject({
      code: 'PAYLOAD_INVALID',
      cause: expect.any(TypeError),
    })
    expect(await errorOf(bus.publish(Poisoned, { order: { no: 5 } }))).toMatchObject({ code: 'PAYLOAD_INVALID' })
  })

  it('cannot be larger than the engine takes', async () => {
    const { bus } = await started({ can: { bodyBytesMax: 100, headerBytesMax: 400 } })
    const Anything = event('shop.anything', { data: z.any() })
    expect(await errorOf(bus.publish(Anything, 'x'.repeat(99)))).toMatchObject({ code: 'BODY_TOO_LARGE' })
    await bus.publish(Anything, 'x'.repeat(98))
    const headers = { note: 'ä'.repeat(150) }
    expect(await errorOf(bus.publish(Anything, 1, { headers }))).toMatchObject({ code: 'BODY_TOO_LARGE' })
    await bus.publish(Anything, 1, { headers: { note: 'a'.repeat(150) } })
  })

  it('shares its headers with others of its contract and millisecond, unless something is said about it', async () => {
    const { bus, engine, clock } = await started()
    await Promise.all([1, 2].map((n) => bus.publish(Noted, { n })))
    await bus.publish(Noted, { n: 3 }, { correlationId: 'c' })
    await clock.advance(1)
    await bus.publish(Noted, { n: 4 })
    const [first, second, third, fourth] = engine.records.map(({ headers }) => headers)
    expect(second).toBe(first)
    expect(Object.isFrozen(first)).toBe(true)
    expect(third).toEqual({ ...first, correlationid: 'c' })
    expect(fourth).toEqual({ ...first, time: '2026-01-01T00:00:00.001Z' })
  })

  it('leaves room in its headers for what a dead letter adds', async () => {
    const { bus } = await started({ can: { headerBytesMax: 20_000 } })
    const many = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, n) => [`x${n}`, '']))
    // Four are Posthaste's own.
    await bus.publish(Noted, { n: 1 }, { headers: many(236) })
    expect(await errorOf(bus.publish(Noted, { n: 1 }, { headers: many(237) }))).toMatchObject({
      code: 'BODY_TOO_LARGE',
      message: expect.stringContaining('241 headers'),
    })
    await bus.publish(Noted, { n: 1 }, { headers: { note: 'x'.repeat(15_000) } })
    const tooLong = { note: 'x'.repeat(16_000) }
    expect(await errorOf(bus.publish(Noted, { n: 1 }, { headers: tooLong }))).toMatchObject({ code: 'BODY_TOO_LARGE' })
  })

  it('cannot ask for a later time of an engine that has none', async () => {
    const { bus } = await started({ can: { delay: 'none' } })
    expect(await errorOf(bus.publish(Noted, { n: 1 }, { delayMs: 1 }))).toMatchObject({
      code: 'CAPABILITY_UNSUPPORTED',
    })
  })
})

describe('publishAll', () => {
  it('refuses what does not fit, record by record, and publishes the rest', async () => {
    const { bus, engine } = await started()
    const results = await bus.publishAll(Noted, [{ n: 1 }, { n: 'x' } as never, { n: 3 }], { correlationId: 'c' })
    expect(results).toMatchObject([{ ok: true }, { ok: false, error: { code: 'PAYLOAD_INVALID' } }, { ok: true }])
    expect(engine.published).toHaveLength(1)
    expect(engine.records.map(({ headers }) => headers.correlationid)).toEqual(['c', 'c'])
  })

  it('takes commands as well, and nothing at all', async () => {
    const { bus } = await started()
    expect(await bus.publishAll(Deduct, [{ n: 1 }])).toMatchObject([{ ok: true }])
    expect(await bus.publishAll(Deduct, [])).toEqual([])
  })

  it('refuses an id or a key, which are of one message', async () => {
    const { bus, engine } = await started()
    const options = { id: 'same', key: 'k' }
    expect(await errorOf(bus.publishAll(Noted, [{ n: 1 }, { n: 2 }], options as never))).toMatchObject({
      code: 'CONFIG_INVALID',
      issues: [{ path: 'id' }, { path: 'key' }],
    })
    expect(engine.records).toEqual([])
  })

  it('tells mistakes of the options once', async () => {
    const { bus } = await started()
    expect(await errorOf(bus.publishAll(Noted, [{ n: 1 }], { nope: 1 } as never))).toMatchObject({
      code: 'CONFIG_INVALID',
    })
  })
})

describe('schedule and cancel', () => {
  it('publishes for later, and needs to know when', async () => {
    const { bus, engine, clock } = await started()
    await bus.schedule(Deduct, { n: 1 }, { atMs: clock.nowMs() + 86_400_000 })
    expect(engine.records[0]!.dueAtMs).toBe(clock.nowMs() + 86_400_000)
    expect(await errorOf(bus.schedule(Deduct, { n: 1 }, {} as never))).toMatchObject({ code: 'CONFIG_INVALID' })
  })

  it('takes back through the engine, or says that it cannot', async () => {
    const { bus, engine } = await started()
    expect(await errorOf(bus.cancel(Deduct, 'x'))).toMatchObject({ code: 'CAPABILITY_UNSUPPORTED' })
    Object.assign(engine, {
      scheduling: { cancel: async (channel: string, id: string) => `${channel}/${id}` === 'shop.stock.deduct/x' },
    })
    expect(await bus.cancel(Deduct, 'x')).toBe(true)
    expect(await bus.cancel(Deduct, 'y')).toBe(false)
  })
})

describe('contracts', () => {
  it('are refused where their names are reserved', async () => {
    const { bus } = await started()
    const Reserved = event('posthaste.dead.points.shop', { data: z.any() })
    expect(await errorOf(bus.publish(Reserved, 1))).toMatchObject({ code: 'CONTRACT_INVALID' })
    expect(() => bus.on(Reserved, { group: 'g' }, () => {})).toThrow(
      expect.objectContaining({ code: 'CONTRACT_INVALID' }),
    )
  })

  it('may come twice if they agree, and not if they do not', async () => {
    const { bus } = await started()
    await bus.publish(Noted, { n: 1 })
    await bus.publish(event('shop.noted', { data: z.any() }), { n: 1 })
    for (const other of [
      event('shop.noted', { data: z.any(), key: () => 'k' }),
      event('shop.noted', { data: z.any(), retention: { forMs: 1 } }),
    ]) {
      expect(await errorOf(bus.publish(other, 1))).toMatchObject({ code: 'CONTRACT_DUPLICATE' })
    }
    expect(await errorOf(bus.send(command('shop.noted', { data: z.any() }), 1))).toMatchObject({
      code: 'CONTRACT_DUPLICATE',
    })
  })

  it('go the way of their kind', async () => {
    const { bus } = await started()
    expect(await errorOf(bus.publish(Deduct as never, { n: 1 } as never))).toMatchObject({ code: 'CONTRACT_INVALID' })
    expect(await errorOf(bus.send(Noted as never, { n: 1 } as never))).toMatchObject({ code: 'CONTRACT_INVALID' })
  })

  it('with a key need an engine that keeps order', async () => {
    const { bus } = await started({ can: { keyOrder: 'none' } })
    expect(await errorOf(bus.publish(Ordered, { key: 'a', n: 1 }))).toMatchObject({ code: 'CAPABILITY_UNSUPPORTED' })
  })

  it('that the engine holds with other settings are named with both values', async () => {
    const { bus, engine } = await started()
    engine.drift = [{ name: 'shop.noted', setting: 'keyed', wanted: 'false', found: 'true' }]
    const error = await errorOf(bus.publish(Noted, { n: 1 }))
    expect(error.code).toBe('TOPOLOGY_DRIFT')
    expect(error.message).toMatch(/shop\.noted.*keyed.*false.*true/)
  })
})

describe('the life of a publisher', () => {
  it('begins with start and ends with close', async () => {
    const { bus } = scriptedRig()
    expect(await errorOf(bus.publish(Noted, { n: 1 }))).toMatchObject({ code: 'FAILED_PRECONDITION' })
    await bus.start()
    await bus.publish(Noted, { n: 1 })
    await bus.close()
    expect(await errorOf(bus.publish(Noted, { n: 1 }))).toMatchObject({ code: 'ENGINE_CLOSED' })
    expect(await errorOf(bus.publishAll(Noted, [{ n: 1 }]))).toMatchObject({ code: 'ENGINE_CLOSED' })
    expect(await errorOf(bus.cancel(Deduct, 'x'))).toMatchObject({ code: 'ENGINE_CLOSED' })
  })

  it('answers what was published before the end', async () => {
    const { bus, engine } = await started()
    await bus.publish(Noted, { n: 0 })
    const slow = gate()
    const publish = engine.publish.bind(engine)
    engine.publish = async (records) => {
      await slow.promise
      return publish(records)
    }
    const published = bus.publish(Noted, { n: 1 }, { id: 'x' })
    let closed = false
    const closing = bus.close().then(() => {
      closed = true
    })
    await new Promise((resolve) => setImmediate(resolve))
    expect(closed).toBe(false)
    slow.open()
    expect(await published).toEqual({ id: 'x' })
    await closing
  })

  it('cannot start twice', async () => {
    const { bus } = await started()
    expect(await errorOf(bus.start())).toMatchObject({ code: 'FAILED_PRECONDITION' })
  })
})

describe('what JavaScript may give', () => {
  it('is refused with a code, wherever a contract belongs', async () => {
    const { bus, engine } = await started()
    const service = { kind: 'service', name: 'stock', methods: {} }
    for (const wrong of [null, undefined, 'shop.noted', {}, { kind: 'event' }, service] as never[]) {
      for (const refused of [
        () => bus.publish(wrong, { n: 1 } as never),
        () => bus.send(wrong, { n: 1 } as never),
        () => bus.publishAll(wrong, []),
        () => bus.schedule(wrong, { n: 1 } as never, { delayMs: 1 }),
        () => bus.cancel(wrong, 'id'),
        async () => bus.on(wrong, { group: 'points' }, (() => {}) as never),
        async () => bus.handle(wrong, (() => {}) as never),
        async () => bus.deadLetters(wrong, { group: 'points' }),
      ]) {
        expect(await errorOf(refused())).toMatchObject({ code: 'CONTRACT_INVALID' })
      }
    }
    expect(engine.records).toEqual([])
  })

  it('is refused with a code where options, data and ids belong', async () => {
    const { bus, engine } = await started()
    for (const wrong of [null, 5, 'text'] as never[]) {
      expect(await errorOf(bus.publish(Noted, { n: 1 }, wrong))).toMatchObject({ code: 'CONFIG_INVALID' })
      expect(await errorOf(bus.publishAll(Noted, [{ n: 1 }], wrong))).toMatchObject({ code: 'CONFIG_INVALID' })
      expect(await errorOf(bus.schedule(Noted, { n: 1 }, wrong))).toMatchObject({ code: 'CONFIG_INVALID' })
      expect(await errorOf(bus.publishAll(Noted, wrong))).toMatchObject({ code: 'INVALID_ARGUMENT' })
      expect(() => bus.on(Noted, wrong, () => {})).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID' }))
    }
    for (const id of [undefined, null, '', 5, 'x'.repeat(5_000)] as never[]) {
      expect(await errorOf(bus.cancel(Noted, id))).toMatchObject({ code: 'INVALID_ARGUMENT', issues: [{ path: 'id' }] })
    }
    expect(engine.records).toEqual([])
  })
})
