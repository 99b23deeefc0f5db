import { type BrowseQuery, event, PosthasteError } from '@posthaste/contracts'
import { describe, expect, expectTypeOf, it } from 'vitest'
import { z } from 'zod'
import { errorOf, memoryRig, Noted, Ordered, recordOf, scriptedRig } from '../../../test/bus/rig.ts'

describe('browsing', () => {
  /** Messages that a group will need some day. */
  async function waiting() {
    const rig = await memoryRig()
    await rig.engine.declare({
      channels: [{ name: Ordered.type, kind: 'log', keyed: true }],
      groups: [{ channel: Ordered.type, group: 'later', from: 'next' }],
    })
    await rig.bus.start()
    for (const n of [1, 2, 3, 4]) {
      const key = n % 2 === 0 ? 'even' : 'odd'
      await rig.bus.publish(Ordered, { key, n }, { id: `m${n}`, correlationId: `c${n > 2}` })
      await rig.clock.advance(1_000)
    }
    return rig
  }

  it('shows messages as handlers would be given them, oldest first', async () => {
    const { bus, clock } = await waiting()
    const { messages, next } = await bus.browse(Ordered)
    expectTypeOf(messages[0]?.data).toEqualTypeOf<{ key: string; n: number } | undefined>()
    expect(next).toBeUndefined()
    expect(messages.map(({ data }) => data?.n)).toEqual([1, 2, 3, 4])
    expect(messages[0]).toMatchObject({
      id: 'm1',
      key: 'odd',
      type: 'shop.ordered',
      storedAtMs: clock.nowMs() - 4_000,
      headers: { correlationid: 'cfalse' },
      error: undefined,
      bytes: 19,
    })
  })

  it('finds by id, key, correlation and time', async () => {
    const { bus, clock } = await waiting()
    const found = async (options: object) => (await bus.browse(Ordered, options)).messages.map(({ id }) => id)
    const thirdMs = clock.nowMs() - 2_000
    expect(await found({ id: 'm2' })).toEqual(['m2'])
    expect(await found({ key: 'even' })).toEqual(['m2', 'm4'])
    expect(await found({ correlationId: 'ctrue' })).toEqual(['m3', 'm4'])
    expect(await found({ sinceMs: thirdMs })).toEqual(['m3', 'm4'])
    expect(await found({ untilMs: thirdMs })).toEqual(['m1', 'm2'])
    expect(await found({ key: 'even', sinceMs: thirdMs })).toEqual(['m4'])
  })

  it('goes on where a page ended', async () => {
    const { bus } = await waiting()
    const first = await bus.browse(Ordered, { limit: 3 })
    const second = await bus.browse(Ordered, { limit: 3, after: first.next })
    expect([...first.messages, ...second.messages].map(({ id }) => id)).toEqual(['m1', 'm2', 'm3', 'm4'])
    expect(second.next).toBeUndefined()
  })

  it('takes nothing from those who consume', async () => {
    const { bus, clock } = await waiting()
    await bus.browse(Ordered)
    const seen: number[] = []
    bus.on(Ordered, { group: 'later' }, ({ n }) => {
      seen.push(n)
    })
    await clock.advance(0)
    expect(seen.sort()).toEqual([1, 2, 3, 4])
  })

  it('tells of what cannot be read', async () => {
    const { bus, engine } = await waiting()
    const body = new TextEncoder().encode('{"key":"odd"')
    await engine.publish([recordOf({ id: 'bad', channel: Ordered.type, key: 'odd', body })])
    const misfit = new TextEncoder().encode('{"key":"odd","n":"one"}')
    await engine.publish([recordOf({ id: 'misfit', channel: Ordered.type, key: 'odd', body: misfit })])
    const { messages } = await bus.browse(Ordered, { sinceMs: 0 })
    expect(messages.slice(-2)).toMatchObject([
      { id: 'bad', data: undefined, error: { code: 'BODY_MALFORMED' }, bytes: 12 },
      { id: 'misfit', data: undefined, error: { code: 'PAYLOAD_INVALID' } },
    ])
  })

  it('finds nothing where nobody has declared anything, and declares nothing', async () => {
    const { bus, engine } = await waiting()
    const Unknown = event('shop.unknown', { data: z.any() })
    expect(await bus.browse(Unknown)).toEqual({ messages: [], next: undefined })
    const query: BrowseQuery = { channel: 'shop.unknown', limit: 1 }
    expect(await errorOf(engine.browsing!.browse(query))).toMatchObject({ code: 'NOT_FOUND' })
  })

  it('goes on over empty pages, and gives up for now after many of them', async () => {
    const { bus, engine } = scriptedRig()
    await bus.start()
    let pages = 0
    const found = { position: '7', storedAtMs: 0, record: recordOf({ id: 'needle' }) }
    const browse = async () => {
      pages += 1
      return { records: pages === 150 ? [found] : [], next: String(pages) }
    }
    Object.assign(engine, { browsing: { browse } })
    const first = await bus.browse(Noted, { id: 'needle', limit: 1 })
    expect(first).toEqual({ messages: [], next: '100' })
    const second = await bus.browse(Noted, { id: 'needle', limit: 1, after: first.next })
    expect(second.messages).toMatchObject([{ id: 'needle' }])
    expect(second.next).toBe('150')
  })

  it('is refused before the start, without an engine that can, and with options that are none', async () => {
    const { bus, engine } = scriptedRig()
    expect(await errorOf(bus.browse(Noted))).toMatchObject({ code: 'FAILED_PRECONDITION' })
    await bus.start()
    expect(await errorOf(bus.browse(Noted))).toMatchObject({ code: 'CAPABILITY_UNSUPPORTED' })
    Object.assign(engine, { browsing: { browse: () => Promise.reject(new PosthasteError('UNAVAILABLE', 'no line')) } })
    expect(await errorOf(bus.browse(Noted))).toMatchObject({ code: 'UNAVAILABLE' })
    const wrong = { limit: 0, keys: 'a', sinceMs: -1 }
    const { code, issues } = await errorOf(bus.browse(Noted, wrong as never))
    expect(code).toBe('CONFIG_INVALID')
    expect(issues).toHaveLength(3)
    expect(await errorOf(bus.browse({} as never))).toMatchObject({ code: 'CONTRACT_INVALID' })
  })
})
