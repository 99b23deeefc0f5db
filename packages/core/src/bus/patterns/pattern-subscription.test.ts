import { event, events, type Patterns, PosthasteError } from '@posthaste/contracts'
import { describe, expect, expectTypeOf, it } from 'vitest'
import { z } from 'zod'
import { errorOf, gate, gated, memoryRig, scriptedRig } from '../../../test/bus/rig.ts'
import { recordingLog } from '../../testing/recording-log.ts'
import { createBus } from '../bus.ts'
import type { SubscribeOptions } from '../consuming/options.ts'
import { instanceGroup } from '../instance-group.ts'

const data = z.object({ n: z.number() })
const Created = event('shop.order.created', { data })
const Paid = event('shop.order.paid', { data, key: ({ n }) => String(n % 2) })
const Shipped = event('shop.order.item.shipped', { data })
const OrderEvents = events('shop.order.*', { data })
const of = { group: 'audit' }

describe('a pattern', () => {
  it('brings every event that matches, and tells which it is', async () => {
    const { bus, clock } = await memoryRig()
    const seen: string[] = []
    bus.on(OrderEvents, of, (event, context) => {
      expectTypeOf(event).toEqualTypeOf<{ n: number }>()
      seen.push(`${context.type} ${event.n}`)
    })
    await bus.start()
    await bus.publish(Created, { n: 1 })
    await bus.publish(Paid, { n: 2 })
    await bus.publish(Shipped, { n: 3 })
    await clock.advance(0)
    expect(seen).toEqual(['shop.order.created 1', 'shop.order.paid 2'])
  })

  it('misses nothing of an event that appears after the start, not even the first', async () => {
    const { bus, engine, clock } = await memoryRig()
    const seen: number[] = []
    bus.on(OrderEvents, of, ({ n }) => {
      seen.push(n)
    })
    await bus.start()
    const publisher = createBus({ name: 'orders', engine, clock, log: recordingLog(), instance: 'orders-1' })
    await publisher.start()
    const Late = event('shop.order.refunded', { data })
    await publisher.publishAll(
      Late,
      Array.from({ length: 100 }, (_, n) => ({ n })),
    )
    await clock.advance(0)
    expect(seen).toEqual(Array.from({ length: 100 }, (_, n) => n))
    expect(bus.stats()).toMatchObject([{ channel: 'shop.order.refunded', group: 'audit', acked: 100 }])
  })

  it('misses nothing that came while nobody was there', async () => {
    const { bus, engine, clock } = await memoryRig()
    bus.on(OrderEvents, of, () => {})
    await bus.start()
    await bus.publish(Created, { n: 1 })
    await clock.advance(0)
    await bus.close()
    const second = createBus({ name: 'shop', engine, clock, log: recordingLog(), instance: 'shop-2' })
    const seen: string[] = []
    second.on(OrderEvents, of, ({ n }, { type }) => {
      seen.push(`${type} ${n}`)
    })
    const publisher = createBus({ name: 'orders', engine, clock, log: recordingLog(), instance: 'orders-1' })
    await publisher.start()
    await publisher.publish(Created, { n: 2 })
    await publisher.publish(Paid, { n: 3 })
    await second.start()
    await clock.advance(0)
    expect(seen.sort()).toEqual(['shop.order.created 2', 'shop.order.paid 3'])
  })

  it('keeps the order of keys that its events have, over retries', async () => {
    const { bus, clock } = await memoryRig()
    const order: number[] = []
    let failures = 1
    bus.on(OrderEvents, { ...of, retry: { immediate: 0, baseMs: 1_000 } }, ({ n }) => {
      if (n === 0 && failures-- > 0) throw new Error('not yet')
      order.push(n)
    })
    await bus.start()
    for (const n of [0, 1, 2, 4]) await bus.publish(Paid, { n })
    await clock.advance(60_000)
    expect(order).toEqual([1, 0, 2, 4])
  })

  it('has the dead letters of each event apart, and gives them back', async () => {
    const { bus, clock } = await memoryRig()
    const state = { broken: true, seen: [] as string[] }
    bus.on(OrderEvents, { ...of, retry: false }, ({ n }, { type }) => {
      if (state.broken) throw new Error('no')
      state.seen.push(`${type} ${n}`)
    })
    await bus.start()
    await bus.publish(Created, { n: 1 })
    await bus.publish(Paid, { n: 2 })
    await clock.advance(0)
    state.broken = false
    const letters = bus.deadLetters(Created, of)
    expect((await letters.browse()).letters).toHaveLength(1)
    expect(await letters.redrive({ all: true })).toMatchObject({ moved: 1 })
    await clock.advance(0)
    expect(state.seen).toEqual(['shop.order.created 1'])
  })

  it('is looked after event by event', async () => {
    const { bus, clock } = await memoryRig()
    const seen: number[] = []
    bus.on(OrderEvents, of, ({ n }) => {
      seen.push(n)
    })
    await bus.start()
    await bus.publish(Created, { n: 1 })
    await clock.advance(0)
    await bus.group(Created, of).pause()
    await bus.publish(Created, { n: 2 })
    await bus.publish(Paid, { n: 3 })
    await clock.advance(0)
    expect(seen).toEqual([1, 3])
    expect(await bus.group(Created, of).lag()).toMatchObject({ ready: 1 })
    await bus.group(Created, of).resume()
    await clock.advance(0)
    expect(seen).toEqual([1, 3, 2])
  })

  it('has joined what there is when the start resolves', async () => {
    const { bus, engine, clock } = await memoryRig()
    const publisher = createBus({ name: 'orders', engine, clock, log: recordingLog(), instance: 'orders-1' })
    await publisher.start()
    await publisher.publish(Created, { n: 1 })
    bus.on(OrderEvents, of, () => {})
    await bus.start()
    expect(bus.stats()).toMatchObject([{ channel: 'shop.order.created', state: 'running' }])
  })

  it('may be broadcast to, and leaves nothing behind', async () => {
    const { engine, clock } = await memoryRig()
    const buses = ['shop-1', 'shop-2'].map((instance) => {
      const seen: number[] = []
      const bus = createBus({ name: 'shop', engine, clock, log: recordingLog(), instance })
      bus.on(OrderEvents, { ...of, broadcast: true }, ({ n }) => {
        seen.push(n)
      })
      return { bus, seen }
    })
    for (const { bus } of buses) await bus.start()
    await buses[0]!.bus.publish(Created, { n: 1 })
    await clock.advance(0)
    expect(buses.map(({ seen }) => seen)).toEqual([[1], [1]])
    for (const { bus } of buses) await bus.close()
    const gone = engine.lag!.lag(Created.type, instanceGroup('audit', 'shop-1'))
    expect(await errorOf(gone)).toMatchObject({ code: 'NOT_FOUND' })
  })

  it('may be followed by a handler that comes after the start', async () => {
    const { bus, clock } = await memoryRig()
    await bus.start()
    await bus.publish(Created, { n: 1 })
    const seen: number[] = []
    bus.on(OrderEvents, of, ({ n }) => {
      seen.push(n)
    })
    await clock.advance(0)
    await bus.publish(Created, { n: 2 })
    await bus.publish(Paid, { n: 3 })
    await clock.advance(0)
    expect(seen).toEqual([2, 3])
  })

  it('goes on where its stack cannot be built for one of its events, and says so', async () => {
    const { bus, clock, log } = await memoryRig()
    const seen: string[] = []
    let built = 0
    const stack: SubscribeOptions['stack'] = (editor) => {
      built += 1
      if (built === 2) throw new Error('not this one')
      return editor
    }
    bus.on(OrderEvents, { ...of, stack }, (_, { type }) => {
      seen.push(type)
    })
    await bus.start()
    await bus.publish(Created, { n: 1 })
    await bus.publish(Paid, { n: 2 })
    await clock.advance(0)
    expect(seen).toEqual(['shop.order.paid'])
    expect(log.entries.filter(({ level }) => level === 'error')).toMatchObject([
      { fields: { target: 'shop.order.*@audit', channel: 'shop.order.created' } },
    ])
  })

  it('follows nothing new once the bus closes, and lets its handlers end', async () => {
    const { bus, engine, clock } = await memoryRig()
    const { runs, handler } = gated()
    bus.on(OrderEvents, of, handler)
    await bus.start()
    await bus.publish(Created, { n: 1 })
    await clock.advance(0)
    const closing = bus.close()
    const publisher = createBus({ name: 'orders', engine, clock, log: recordingLog(), instance: 'orders-1' })
    await publisher.start()
    await publisher.publish(Paid, { n: 2 })
    await clock.advance(0)
    runs[0]!.end.open()
    await clock.advance(0)
    await closing
    expect(runs.map(({ n }) => n)).toEqual([1])
    expect(bus.stats()).toMatchObject([{ channel: 'shop.order.created', state: 'stopped', acked: 1 }])
  })
})

describe('a pattern on an engine', () => {
  /** An engine whose patterns a test drives. */
  function driven(patterns: Partial<Patterns> = {}) {
    const rig = scriptedRig({ can: { patterns: 'native' } })
    const tells: ((channel: string) => void)[] = []
    const state = { ended: 0 }
    const own: Patterns = {
      declare: async () => {},
      watch: async (_, tell) => {
        tells.push(tell)
        return () => {
          state.ended += 1
        }
      },
      ...patterns,
    }
    Object.assign(rig.engine, { patterns: own })
    return { ...rig, tells, state }
  }

  it('that has none is refused before anything starts', async () => {
    const { bus, engine } = scriptedRig()
    bus.on(OrderEvents, of, () => {})
    const error = await errorOf(bus.start())
    expect(error).toMatchObject({ code: 'CAPABILITY_UNSUPPORTED', issues: [{ path: 'shop.order.*@audit' }] })
    expect(engine.subscriptions).toEqual([])
  })

  it('that has keys and cannot hold them back is refused what is retried later', async () => {
    const { bus } = scriptedRig({ can: { patterns: 'native', holdKey: 'none' } })
    bus.on(OrderEvents, of, () => {})
    const { code, issues } = await errorOf(bus.start())
    expect(code).toBe('CAPABILITY_UNSUPPORTED')
    expect(issues).toMatchObject([{ message: expect.stringContaining('holdKey') }])
  })

  it('that begins to watch when the bus is closed already is told to end', async () => {
    const watching = gate()
    const ended: string[] = []
    const { bus, clock } = driven({
      watch: async (pattern) => {
        await watching.promise
        return () => {
          ended.push(pattern)
        }
      },
    })
    await bus.start()
    bus.on(OrderEvents, of, () => {})
    await clock.advance(0)
    await bus.close()
    watching.open()
    await clock.advance(0)
    expect(ended).toEqual(['shop.order.*'])
  })

  it('that tells of a channel twice is joined once', async () => {
    const { bus, engine, tells, clock } = driven()
    bus.on(OrderEvents, of, () => {})
    await bus.start()
    tells[0]?.('shop.order.created')
    tells[0]?.('shop.order.created')
    await clock.advance(0)
    expect(engine.subscriptions.map(({ spec }) => spec.channel)).toEqual(['shop.order.created'])
  })

  it('that fails at the start fails the start', async () => {
    const { bus } = driven({ declare: () => Promise.reject(new PosthasteError('UNAVAILABLE', 'no line')) })
    bus.on(OrderEvents, of, () => {})
    expect(await errorOf(bus.start())).toMatchObject({ code: 'UNAVAILABLE' })
  })

  it('that fails later is tried again, and ends with the bus', async () => {
    let failures = 2
    const { bus, clock, log, tells, state } = driven({
      declare: async () => {
        if (failures-- > 0) throw new PosthasteError('UNAVAILABLE', 'no line')
      },
    })
    await bus.start()
    bus.on(OrderEvents, of, () => {})
    await clock.advance(10_000)
    expect(tells).toHaveLength(1)
    expect(log.entries.filter(({ level }) => level === 'error')).toHaveLength(2)
    await bus.close()
    expect(state.ended).toBe(1)
    tells[0]?.('shop.order.created')
    expect(bus.stats()).toEqual([])
  })

  it('that is still failing when the bus closes is not asked again', async () => {
    let asked = 0
    const { bus, clock } = driven({
      declare: async () => {
        asked += 1
        throw new PosthasteError('UNAVAILABLE', 'no line')
      },
    })
    await bus.start()
    bus.on(OrderEvents, of, () => {})
    await clock.advance(0)
    await bus.close()
    const before = asked
    await clock.advance(100_000)
    expect(asked).toBe(before)
  })
})

describe('registering a pattern', () => {
  it('is refused where another handler of the group sees some of the same events', () => {
    const { bus } = scriptedRig()
    bus.on(OrderEvents, of, () => {})
    const duplicate = expect.objectContaining({ code: 'CONTRACT_DUPLICATE' })
    expect(() => bus.on(Created, of, () => {})).toThrow(duplicate)
    expect(() => bus.on(events('shop.**', { data }), of, () => {})).toThrow(duplicate)
    expect(() => bus.on(OrderEvents, of, () => {})).toThrow(duplicate)
    bus.on(Shipped, of, () => {})
    bus.on(Created, { group: 'points' }, () => {})
    bus.on(events('shop.payment.*', { data }), of, () => {})
    expect(() => bus.on(events('shop.**', { data }), { group: 'points' }, () => {})).toThrow(duplicate)
  })

  it('tells mistakes at once, not when the first event comes', () => {
    const { bus } = scriptedRig()
    const invalid = expect.objectContaining({ code: 'CONFIG_INVALID' })
    expect(() => bus.on(OrderEvents, { group: 'a.b' }, () => {})).toThrow(invalid)
    expect(() => bus.on(OrderEvents, of, 'handler' as never)).toThrow(invalid)
    expect(() => bus.on(OrderEvents, { ...of, breaker: { failureRate: 7 } as never }, () => {})).toThrow(invalid)
    expect(bus.describe()).toEqual([])
  })

  it('is refused once the bus is closed', async () => {
    const { bus } = scriptedRig()
    await bus.start()
    await bus.close()
    expect(() => bus.on(OrderEvents, of, () => {})).toThrow(expect.objectContaining({ code: 'ENGINE_CLOSED' }))
  })
})
