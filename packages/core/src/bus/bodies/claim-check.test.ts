import { type BlobStore, event, PosthasteError } from '@posthaste/contracts'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { errorOf, gate, memoryRig, scriptedRig } from '../../../test/bus/rig.ts'
import { until } from '../../../test/bus/until.ts'

const Scanned = event('shop.scanned', { data: z.string() })
const Paged = event('shop.paged', { data: z.string(), key: () => 'book' })

/** Blobs in a map. */
function blobs() {
  const kept = new Map<string, Uint8Array>()
  const store: BlobStore = {
    name: 'map',
    async put(id, bytes) {
      kept.set(`blob:${id}`, bytes)
      return `blob:${id}`
    },
    async get(ref) {
      const bytes = kept.get(ref)
      if (bytes === undefined) throw new PosthasteError('NOT_FOUND', `${ref} is gone`)
      return bytes
    },
  }
  return { kept, store }
}

const big = 'x'.repeat(2_000)

/** A bus on a real engine that leaves bodies over 1 KiB in a store, and a handler that lists what it gets. */
async function listening(store: BlobStore = blobs().store, retry: { delayed: number } | false = false) {
  const rig = await memoryRig({ claimCheck: { store, overBytes: 1_024 } })
  const seen: string[] = []
  rig.bus.on(Scanned, { group: 'archive', retry: retry && { immediate: 0, ...retry } }, (data) => {
    seen.push(data)
  })
  await rig.bus.start()
  const letters = async () => (await rig.bus.deadLetters(Scanned, { group: 'archive' }).browse()).letters
  return { ...rig, seen, letters }
}

describe('the claim check', () => {
  it('leaves big bodies in the store, has small ones travel, and hands over both', async () => {
    const { kept, store } = blobs()
    const { bus, clock, seen } = await listening(store)
    const { id } = await bus.publish(Scanned, big)
    await bus.publish(Scanned, 'small')
    await clock.advance(1)
    await until(() => seen.length === 2)
    expect([...seen].sort()).toEqual(['small', big])
    expect([...kept.keys()]).toEqual([expect.stringContaining(`blob:${id}-`)])
  })

  it('keeps a body for each that comes under one id', async () => {
    const { bus, clock, seen } = await listening()
    await bus.publish(Scanned, big, { id: 'same' })
    await bus.publish(Paged, `${big} of another contract`, { id: 'same' })
    await bus.publish(Scanned, `${big} again`, { id: 'same' })
    await clock.advance(1)
    await until(() => seen.length === 2)
    expect(seen.sort()).toEqual([big, `${big} again`])
  })

  it('sends a reference and a hash in place of the body', async () => {
    const { bus, engine } = scriptedRig({ claimCheck: { store: blobs().store, overBytes: 1_024 } })
    await bus.start()
    const { id } = await bus.publish(Scanned, big)
    const [{ body, headers }] = engine.records as [(typeof engine.records)[0]]
    expect(body).toHaveLength(0)
    expect(headers).toMatchObject({
      dataref: expect.stringMatching(`^blob:${id}-`),
      datahash: expect.stringMatching(/^[0-9a-f]{64}$/),
    })
    expect(headers.datacontenttype).toBe('application/json')
  })

  it('takes what the engine would not, and no body is too large any more', async () => {
    const { store } = blobs()
    const can = { bodyBytesMax: 100 }
    const { bus, engine } = scriptedRig({ can, claimCheck: { store } })
    await bus.start()
    await bus.publish(Scanned, big)
    expect(engine.records[0]!.headers.dataref).toBeDefined()
    const without = scriptedRig({ can })
    await without.bus.start()
    expect(await errorOf(without.bus.publish(Scanned, big))).toMatchObject({
      code: 'BODY_TOO_LARGE',
      remedy: expect.stringContaining('claimCheck'),
    })
  })

  it('keeps the order of a key while the store takes its time', async () => {
    const { store } = blobs()
    const slow = gate()
    const put: BlobStore['put'] = async (id, bytes) => {
      await slow.promise
      return store.put(id, bytes)
    }
    const { bus, engine } = scriptedRig({ claimCheck: { store: { ...store, put }, overBytes: 1_024 } })
    await bus.start()
    const sent = [bus.publish(Paged, big, { id: '1' }), bus.publish(Paged, 'small', { id: '2' })]
    await bus.publish(Scanned, 'another')
    expect(engine.records.map(({ channel }) => channel)).toEqual(['shop.scanned'])
    slow.open()
    await Promise.all(sent)
    expect(engine.records.slice(1).map(({ id }) => id)).toEqual(['1', '2'])
  })

  it('publishes nothing when the store cannot keep the body', async () => {
    const failing: BlobStore = {
      name: 'broken',
      put: () => {
        throw new Error('disk full')
      },
      get: async () => new Uint8Array(0),
    }
    const { bus, engine } = scriptedRig({ claimCheck: { store: failing, overBytes: 1_024 } })
    await bus.start()
    expect(await errorOf(bus.publish(Scanned, big))).toMatchObject({
      code: 'UNAVAILABLE',
      message: expect.stringMatching(/broken.*disk full/),
    })
    expect(engine.records).toEqual([])
  })

  it('refuses references that no header carries', async () => {
    for (const ref of ['', 'x'.repeat(1_025), 7 as never]) {
      const store: BlobStore = { ...blobs().store, put: async () => ref }
      const { bus } = scriptedRig({ claimCheck: { store, overBytes: 1_024 } })
      await bus.start()
      expect(await errorOf(bus.publish(Scanned, big))).toMatchObject({ code: 'INTERNAL' })
    }
  })

  it('does not wait for a store for ever, neither when it leaves a body nor when it fetches one', async () => {
    const { store } = blobs()
    const never = new Promise<never>(() => {})
    let asked = 0
    const put: BlobStore['put'] = (id, bytes) => (++asked === 1 ? store.put(id, bytes) : never)
    const { bus, clock, seen, letters } = await listening({ name: 'sticky', put, get: () => never })
    await bus.publish(Scanned, big, { id: 'm1' })
    const late = errorOf(bus.publish(Scanned, big, { id: 'm2' }))
    await until(() => asked === 2)
    await clock.advance(30_010)
    expect(await late).toMatchObject({ code: 'UNAVAILABLE', message: expect.stringContaining('30000 ms') })
    expect(seen).toEqual([])
    expect(await letters()).toMatchObject([{ id: 'm1', reason: expect.stringContaining('sticky') }])
  })

  it('tries again when the store cannot be reached', async () => {
    const { store } = blobs()
    let failures = 1
    const get: BlobStore['get'] = async (ref) => {
      if (failures-- > 0) throw new Error('connection refused')
      return store.get(ref)
    }
    const { bus, clock, seen } = await listening({ ...store, get }, { delayed: 3 })
    await bus.publish(Scanned, big)
    await clock.advance(10_000)
    await until(() => bus.stats()[0]?.acked === 1)
    expect(seen).toEqual([big])
    expect(bus.stats()[0]).toMatchObject({ retried: 1 })
  })

  it('gives up at once what the store no longer has, and keeps the reference', async () => {
    const { kept, store } = blobs()
    const put: BlobStore['put'] = async (id, bytes) => {
      const ref = await store.put(id, bytes)
      kept.clear()
      return ref
    }
    const { bus, clock, seen, letters } = await listening({ ...store, put }, { delayed: 3 })
    const { id } = await bus.publish(Scanned, big)
    await clock.advance(1)
    expect(seen).toEqual([])
    expect(await letters()).toMatchObject([
      { code: 'NOT_FOUND', attempts: 1, headers: { dataref: expect.stringContaining(id) } },
    ])
  })

  it.each([
    ['other bytes', new TextEncoder().encode('"y"'), 'BODY_MALFORMED'],
    ['fewer bytes', new Uint8Array(0), 'BODY_MALFORMED'],
    ['no bytes', 'y' as never, 'INTERNAL'],
  ])('never hands over %s', async (_, wrong, code) => {
    const { bus, clock, seen, letters } = await listening({ ...blobs().store, get: async () => wrong })
    await bus.publish(Scanned, big)
    await clock.advance(1)
    await until(async () => (await letters()).length > 0)
    expect(seen).toEqual([])
    expect(await letters()).toMatchObject([{ code }])
  })

  it('says what is missing where there is no store', async () => {
    const { bus, engine, clock, log } = await memoryRig()
    bus.on(Scanned, { group: 'archive' }, () => {})
    await bus.start()
    const headers = { type: 'shop.scanned', source: '/', datacontenttype: 'application/json', dataref: 'blob:1' }
    await engine.publish([{ id: 'm1', channel: 'shop.scanned', headers, body: new Uint8Array(0) }])
    await clock.advance(1)
    const { letters } = await bus.deadLetters(Scanned, { group: 'archive' }).browse()
    expect(letters).toMatchObject([{ code: 'FAILED_PRECONDITION', attempts: 1 }])
    expect(log.entries.some(({ level }) => level === 'warn')).toBe(true)
  })

  it('is refused with every wrong option at once', () => {
    const wrong = { store: { name: 'half', put: async () => '' }, overBytes: 1, timeoutMs: 0, ttlMs: 1 } as never
    expect(() => scriptedRig({ claimCheck: wrong })).toThrow(
      expect.objectContaining({
        code: 'CONFIG_INVALID',
        issues: ['ttlMs', 'store', 'overBytes', 'timeoutMs'].map((name) =>
          expect.objectContaining({ path: `claimCheck.${name}` }),
        ),
      }),
    )
    expect(() => scriptedRig({ claimCheck: null as never })).toThrow(
      expect.objectContaining({ code: 'CONFIG_INVALID' }),
    )
  })
})
