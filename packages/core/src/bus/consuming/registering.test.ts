import { command, event, type Filter, PosthasteError } from '@posthaste/contracts'
import { describe, expect, it, vi } from 'vitest'
import { z } from 'zod'
import { Noted, Ordered, ordered, scriptedRig } from '../../../test/bus/rig.ts'
import { filterSlot } from '../../pipeline/stack.ts'

const Deduct = command('shop.stock.deduct', { data: z.object({ n: z.number() }) })
const gone = new PosthasteError('UNAVAILABLE', 'connection lost')

describe('registering', () => {
  it('declares channels, groups and dead letters, and joins as this process', async () => {
    const { bus, engine } = scriptedRig()
    bus.on(Ordered, { group: 'points', from: 'earliest' }, () => {})
    bus.on(Ordered, { group: 'mail' }, () => {})
    bus.handle(Deduct, () => {})
    await bus.start()
    expect(engine.topologies).toHaveLength(1)
    expect(engine.topologies[0]!.channels).toEqual([
      { name: 'shop.ordered', kind: 'log', keyed: true, retention: undefined },
      { name: 'shop.stock.deduct', kind: 'queue', keyed: false },
      { name: 'posthaste.dead.points.shop.ordered', kind: 'queue', keyed: false },
      { name: 'posthaste.dead.mail.shop.ordered', kind: 'queue', keyed: false },
      { name: 'posthaste.dead.handler.shop.stock.deduct', kind: 'queue', keyed: false },
    ])
    expect(engine.topologies[0]!.groups).toEqual([
      { channel: 'shop.ordered', group: 'points', from: 'earliest' },
      { channel: 'shop.ordered', group: 'mail', from: 'next' },
      { channel: 'shop.stock.deduct', group: 'handler', from: 'earliest' },
    ])
    expect(engine.subscriptions.map(({ spec }) => spec)).toEqual([
      { channel: 'shop.ordered', group: 'points', member: 'shop-1' },
      { channel: 'shop.ordered', group: 'mail', member: 'shop-1' },
      { channel: 'shop.stock.deduct', group: 'handler', member: 'shop-1' },
    ])
  })

  it('refuses a second handler of one group', () => {
    const { bus } = scriptedRig()
    bus.on(Ordered, { group: 'points' }, () => {})
    expect(() => bus.on(Ordered, { group: 'points' }, () => {})).toThrow(
      expect.objectContaining({ code: 'CONTRACT_DUPLICATE' }),
    )
    bus.handle(Deduct, () => {})
    expect(() => bus.handle(Deduct, {}, () => {})).toThrow(expect.objectContaining({ code: 'CONTRACT_DUPLICATE' }))
  })

  it('refuses options with every mistake at once', () => {
    const { bus } = scriptedRig()
    const options = { group: 'a.b', concurrency: 0, prefetch: 1.5, retry: { delayed: -1, often: true }, colour: 'red' }
    let error: PosthasteError | undefined
    try {
      bus.on(Ordered, options as never, () => {})
    } catch (thrown) {
      error = thrown as PosthasteError
    }
    expect(error?.code).toBe('CONFIG_INVALID')
    expect(error?.issues.map(({ path }) => path).sort()).toEqual([
      'shop.ordered.colour',
      'shop.ordered.concurrency',
      'shop.ordered.group',
      'shop.ordered.prefetch',
      'shop.ordered.retry.delayed',
      'shop.ordered.retry.often',
    ])
  })

  it.each([
    ['no options', undefined],
    ['no group', {}],
    ['a ladder that shrinks', { group: 'g', retry: { baseMs: 10, maxMs: 5 } }],
    ['a breaker that is none', { group: 'g', breaker: { nope: 1 } }],
    ['a retry that is none', { group: 'g', retry: true }],
    ['no time at all', { group: 'g', timeoutMs: 0 }],
  ])('refuses %s', (_, options) => {
    const { bus } = scriptedRig()
    expect(() => bus.on(Ordered, options as never, () => {})).toThrow(
      expect.objectContaining({ code: 'CONFIG_INVALID' }),
    )
  })

  it('refuses what is not a handler, and contracts of the other kind', () => {
    const { bus } = scriptedRig()
    expect(() => bus.on(Ordered, { group: 'g' }, undefined as never)).toThrow(
      expect.objectContaining({ code: 'CONFIG_INVALID' }),
    )
    expect(() => bus.on(Deduct as never, { group: 'g' }, (() => {}) as never)).toThrow(
      expect.objectContaining({ code: 'CONTRACT_INVALID' }),
    )
    expect(() => bus.handle(Ordered as never, (() => {}) as never)).toThrow(
      expect.objectContaining({ code: 'CONTRACT_INVALID' }),
    )
  })

  it('after the start joins at once', async () => {
    const { bus, engine, clock } = scriptedRig()
    await bus.start()
    const handler = vi.fn()
    bus.on(Noted, { group: 'late' }, handler)
    await clock.advance(0)
    expect(engine.topologies.at(-1)!.groups).toEqual([{ channel: 'shop.noted', group: 'late', from: 'next' }])
    engine.subscription.deliver({ n: 1 })
    await clock.advance(0)
    expect(handler).toHaveBeenCalledOnce()
  })

  it('after the start goes on trying to join', async () => {
    const { bus, engine, clock, log } = scriptedRig()
    await bus.start()
    engine.beforeDeclare = () => Promise.reject(gone)
    bus.on(Noted, { group: 'late' }, () => {})
    await clock.advance(1_000)
    expect(bus.stats()[0]).toMatchObject({ state: 'waiting' })
    expect(log.entries.some(({ level, fields }) => level === 'error' && fields.error === gone)).toBe(true)
    engine.beforeDeclare = async () => {}
    await clock.advance(5_000)
    expect(bus.stats()[0]).toMatchObject({ state: 'running' })
  })

  it('after the end is refused', async () => {
    const { bus } = await ordered(() => {})
    await bus.close()
    expect(() => bus.on(Noted, { group: 'late' }, () => {})).toThrow(expect.objectContaining({ code: 'ENGINE_CLOSED' }))
  })

  it('shows how each subscription is set', async () => {
    const { bus } = scriptedRig()
    bus.on(Ordered, { group: 'points', timeoutMs: 1_000, breaker: {}, concurrency: 4 }, () => {})
    expect(bus.describe()).toMatchObject([
      {
        channel: 'shop.ordered',
        group: 'points',
        concurrency: 4,
        prefetch: 256,
        retry: { immediate: 2, delayed: 5, baseMs: 500, maxMs: 600_000 },
        filters: [{ role: 'retry', attempts: 3 }, { role: 'breaker' }, { role: 'timeout', timeoutMs: 1_000 }],
      },
    ])
  })

  it('lets the stack be edited by role', async () => {
    const seen: unknown[] = []
    const spy: Filter = {
      role: 'spy',
      describe: () => ({ role: 'spy' }),
      apply: (call, next) => {
        seen.push([call.kind, call.target, call.id, call.payload])
        return next(call)
      },
    }
    const { clock, subscription } = await ordered(() => {}, {
      stack: (editor) => editor.insertAfter('retry', filterSlot(spy)),
    })
    subscription.deliver({ key: 'a', n: 1 })
    await clock.advance(0)
    expect(seen).toEqual([
      [
        'handle',
        'shop.ordered@points',
        'm1',
        expect.objectContaining({ data: { key: 'a', n: 1 }, delivery: expect.anything() }),
      ],
    ])
  })
})

describe('events of other applications', () => {
  it('share a channel by name', async () => {
    const Elsewhere = event('shop.noted', { data: z.object({ n: z.number() }) })
    const { bus, engine } = scriptedRig()
    bus.on(Noted, { group: 'a' }, () => {})
    bus.on(Elsewhere, { group: 'b' }, () => {})
    await bus.start()
    expect(engine.subscriptions.map(({ spec }) => spec.group)).toEqual(['a', 'b'])
  })
})
