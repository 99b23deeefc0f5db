import { type AckSettlement, PosthasteError } from '@posthaste/contracts'
import { describe, expect, it, vi } from 'vitest'
import { gate, gated, kinds, Noted, ordered, recordOf, scriptedRig } from '../../../test/bus/rig.ts'
import type { MessageContext } from './context.ts'
import { noCounts } from './stats.ts'

const unavailable = new PosthasteError('UNAVAILABLE', 'not now')

describe('order', () => {
  it('lets one of a key run at a time, and other keys meanwhile', async () => {
    const { runs, handler, order } = gated()
    const { subscription, clock } = await ordered(handler)
    subscription.deliver({ key: 'a', n: 1 }, { key: 'a', n: 2 }, { key: 'b', n: 1 })
    await clock.advance(0)
    expect(order()).toEqual(['a1', 'b1'])
    runs[0]!.end.open()
    await clock.advance(0)
    expect(order()).toEqual(['a1', 'b1', 'a2'])
  })

  it('runs at most as many handlers as it may', async () => {
    const { runs, handler, order } = gated()
    const { subscription, clock, bus } = await ordered(handler, { concurrency: 2 })
    subscription.deliver({ key: 'a', n: 1 }, { key: 'b', n: 1 }, { key: 'c', n: 1 }, { key: 'd', n: 1 })
    await clock.advance(0)
    expect(order()).toEqual(['a1', 'b1'])
    expect(bus.stats()[0]).toMatchObject({ running: 2, unsettled: 4 })
    runs[1]!.end.open()
    await clock.advance(0)
    expect(order()).toEqual(['a1', 'b1', 'c1'])
  })

  it('sends what waits behind a failure back with it, in the same batch and uncounted', async () => {
    const { runs, handler, order } = gated()
    const { subscription, clock, bus } = await ordered(handler)
    subscription.deliver({ key: 'a', n: 1 }, { key: 'a', n: 2 }, { key: 'a', n: 3 }, { key: 'b', n: 1 })
    await clock.advance(0)
    runs[0]!.end.fail(new Error('no'))
    await clock.advance(0)
    expect(subscription.batches.map(kinds)).toEqual([['1 retry', '2 hand back', '3 hand back']])
    expect(subscription.settlements).toMatchObject([{ holdKey: true }, { holdKey: false }, { holdKey: false }])
    expect(order()).toEqual(['a1', 'b1'])
    expect(bus.stats()[0]).toMatchObject({ retried: 1, handedBack: 2, unsettled: 1 })
  })

  it('sends back too what arrives before the engine holds the key, and goes on holding for the message itself', async () => {
    const { runs, handler, order } = gated()
    const { subscription, clock } = await ordered(handler)
    const held = gate()
    const settle = subscription.settle.bind(subscription)
    subscription.settle = async (batch) => {
      await held.promise
      return settle(batch)
    }
    subscription.deliver({ key: 'a', n: 1 })
    await clock.advance(0)
    runs[0]!.end.fail(new Error('no'))
    await clock.advance(0)
    const again = recordOf({ id: 'm1', channel: 'shop.ordered', key: 'a' })
    subscription.deliver({ key: 'a', n: 2 }, { record: again, attempt: 2 })
    held.open()
    await clock.advance(0)
    expect(order()).toEqual(['a1'])
    expect(kinds(subscription.settlements)).toEqual(['1 retry', '2 hand back', '3 hand back'])
    expect(subscription.settlements.map((settlement) => 'holdKey' in settlement && settlement.holdKey)).toEqual([
      true,
      false,
      true,
    ])
    subscription.deliver({ key: 'a', n: 1, attempt: 2 })
    await clock.advance(0)
    expect(order()).toEqual(['a1', 'a1'])
  })

  it('waits for the engine before the next of a key where the message is a dead letter', async () => {
    const { runs, handler, order } = gated()
    const { subscription, clock } = await ordered(handler, { retry: false })
    subscription.outcomeOf = () => ({ ok: false, error: unavailable })
    subscription.deliver({ key: 'a', n: 1 }, { key: 'a', n: 2 }, { key: 'b', n: 1 })
    await clock.advance(0)
    runs[0]!.end.fail(new Error('no'))
    await clock.advance(0)
    expect(kinds(subscription.settlements)).toEqual(['1 publish'])
    expect(order()).toEqual(['a1', 'b1'])
    subscription.outcomeOf = () => ({ ok: true })
    await clock.advance(1_000)
    expect(order()).toEqual(['a1', 'b1', 'a2'])
  })

  it('waits for the engine before the next of a key where the handler has published', async () => {
    const handled: number[] = []
    const { subscription, clock } = await ordered((data, context: MessageContext) => {
      handled.push(data.n)
      void context.publish(Noted, { n: 1 })
    })
    subscription.outcomeOf = () => ({ ok: false, error: unavailable })
    subscription.deliver({ key: 'a', n: 1 }, { key: 'a', n: 2 })
    await clock.advance(50)
    expect(handled).toEqual([1])
    subscription.outcomeOf = () => ({ ok: true })
    await clock.advance(1_000)
    expect(subscription.batches.map(kinds)).toEqual([['1 publish'], ['1 publish'], ['2 publish']])
  })

  it('does not wait for the engine after a plain acknowledgement', async () => {
    const { subscription, clock } = await ordered(() => {})
    subscription.deliver({ key: 'a', n: 1 }, { key: 'a', n: 2 }, { key: 'a', n: 3 })
    await clock.advance(0)
    expect(subscription.batches.map(kinds)).toEqual([['1 ack', '2 ack', '3 ack']])
  })
})

describe('credit', () => {
  it('is the prefetch, and again what was settled', async () => {
    const { subscription, clock } = await ordered(() => {}, { prefetch: 10 })
    expect(subscription.grants).toEqual([10])
    subscription.deliver({ key: 'a', n: 1 }, { key: 'b', n: 1 })
    await clock.advance(0)
    expect(subscription.grants).toEqual([10, 2])
  })

  it('defaults to 256, to 8 for each handler, or to what the engine takes', async () => {
    const grants = []
    for (const [options, can] of [
      [{}, {}],
      [{ concurrency: 100 }, {}],
      [{}, { unsettledMax: 50 }],
    ] as const) {
      const { bus, engine } = scriptedRig({ can })
      bus.on(Noted, { group: 'points', ...options }, () => {})
      await bus.start()
      grants.push(...engine.subscription.grants)
    }
    expect(grants).toEqual([256, 800, 50])
  })

  it('is not granted for what is not settled', async () => {
    const { handler } = gated()
    const { subscription, clock } = await ordered(handler, { prefetch: 4 })
    subscription.deliver({ key: 'a', n: 1 }, { key: 'b', n: 1 })
    await clock.advance(1_000)
    expect(subscription.credit).toBe(4)
  })
})

describe('a settlement that fails', () => {
  it('is made again after growing waits until it succeeds, and nothing is handled twice', async () => {
    const handler = vi.fn()
    const { subscription, clock, log, bus } = await ordered(handler)
    subscription.outcomeOf = () => {
      throw new Error('connection reset')
    }
    subscription.deliver({ key: 'a', n: 1 })
    await clock.advance(10_000)
    const tries = subscription.batches.length
    // 75, 150, 300, 600, 1,200, 2,400 and 4,800 ms: never a tight loop.
    expect(tries).toBeGreaterThan(5)
    expect(tries).toBeLessThan(10)
    expect(bus.stats()[0]).toMatchObject({ acked: 0, unsettled: 1 })
    subscription.outcomeOf = () => ({ ok: true })
    await clock.advance(60_000)
    expect(subscription.batches).toHaveLength(tries + 1)
    expect(handler).toHaveBeenCalledOnce()
    expect(bus.stats()[0]).toMatchObject({ acked: 1, unsettled: 0 })
    expect(log.entries.filter(({ level }) => level === 'warn')).toHaveLength(tries)
  })

  it('does not hold up a close once it has succeeded', async () => {
    const { subscription, clock, bus } = await ordered(() => {})
    subscription.outcomeOf = () => ({ ok: false, error: unavailable })
    subscription.deliver({ key: 'a', n: 1 })
    await clock.advance(0)
    subscription.outcomeOf = () => ({ ok: true })
    await clock.advance(1_000)
    await bus.close()
    expect(bus.stats()[0]).toMatchObject({ state: 'stopped', acked: 1 })
  })

  it('concerns itself alone, not its batch', async () => {
    const { subscription, clock, bus } = await ordered(() => {})
    subscription.outcomeOf = ({ tag }) => (tag === 2 ? { ok: false, error: unavailable } : { ok: true })
    subscription.deliver({ key: 'a', n: 1 }, { key: 'b', n: 1 }, { key: 'c', n: 1 })
    await clock.advance(0)
    expect(bus.stats()[0]).toMatchObject({ acked: 2, unsettled: 1 })
    expect(subscription.grants.slice(1)).toEqual([2])
    await clock.advance(200)
    expect(kinds(subscription.batches[1]!)).toEqual(['2 ack'])
  })

  it('holds a dead letter until it stands, also where the engine says never, and does not acknowledge', async () => {
    const { subscription, clock, bus } = await ordered(() => Promise.reject(new Error('no')), { retry: false })
    subscription.outcomeOf = () => ({ ok: false, error: new PosthasteError('NOT_FOUND', 'no such channel') })
    subscription.deliver({ key: 'a', n: 1 })
    await clock.advance(60_000)
    const letters = (subscription.settlements as AckSettlement[]).map(({ publish }) => publish?.length)
    expect(letters.length).toBeGreaterThan(5)
    expect(letters.length).toBeLessThan(14)
    expect(new Set(letters)).toEqual(new Set([1]))
    expect(bus.stats()[0]).toMatchObject({ deadLettered: 0, acked: 0, unsettled: 1 })
    subscription.outcomeOf = () => ({ ok: true })
    await clock.advance(60_000)
    expect(bus.stats()[0]).toMatchObject({ deadLettered: 1, unsettled: 0 })
  })

  it('is over where the delivery belongs to somebody else', async () => {
    const { subscription, clock, bus } = await ordered(() => {})
    subscription.outcomeOf = () => ({ ok: false, error: new PosthasteError('DELIVERY_LOST', 'gone') })
    subscription.deliver({ key: 'a', n: 1 })
    await clock.advance(60_000)
    expect(subscription.batches).toHaveLength(1)
    expect(bus.stats()[0]).toMatchObject({ acked: 0, lost: 1, unsettled: 0 })
    expect(subscription.credit).toBe(257)
  })

  it('is made again where the engine forgot to answer', async () => {
    const { subscription, clock, bus } = await ordered(() => {})
    subscription.settle = async (batch) => {
      subscription.batches.push(batch)
      return subscription.batches.length === 1 ? [] : [{ ok: true }]
    }
    subscription.deliver({ key: 'a', n: 1 })
    await clock.advance(1_000)
    expect(bus.stats()[0]).toMatchObject({ acked: 1 })
  })
})

describe('a delivery that is lost', () => {
  const lost = new PosthasteError('DELIVERY_LOST', 'rebalanced')

  it('aborts its handler with the reason, and drops the result', async () => {
    const { runs, handler } = gated()
    const { subscription, clock, bus } = await ordered(handler)
    const [tag] = subscription.deliver({ key: 'a', n: 1 })
    await clock.advance(0)
    subscription.sink.lost([tag!], lost)
    expect(runs[0]!.signal.aborted).toBe(true)
    expect(runs[0]!.signal.reason).toBe(lost)
    runs[0]!.end.open()
    await clock.advance(0)
    expect(subscription.settlements).toEqual([])
    expect(bus.stats()[0]).toMatchObject({ lost: 1, acked: 0, running: 0, unsettled: 0 })
  })

  it('is paid for again: at once if it waited, when its handler ends if it ran', async () => {
    const { runs, handler } = gated()
    const { subscription, clock } = await ordered(handler, { concurrency: 1, prefetch: 10 })
    const tags = subscription.deliver({ key: 'a', n: 1 }, { key: 'b', n: 1 })
    await clock.advance(0)
    subscription.sink.lost(tags, lost)
    expect(subscription.grants).toEqual([10, 1])
    runs[0]!.end.open()
    await clock.advance(0)
    expect(subscription.grants).toEqual([10, 1, 1])
    expect(runs).toHaveLength(1)
  })

  it('keeps its key busy while its handler runs, and sends back what came after it', async () => {
    const { runs, handler, order } = gated()
    const { subscription, clock } = await ordered(handler)
    const [first] = subscription.deliver({ key: 'a', n: 1 }, { key: 'a', n: 2 })
    await clock.advance(0)
    subscription.sink.lost([first!], lost)
    await clock.advance(0)
    expect(order()).toEqual(['a1'])
    runs[0]!.end.open()
    await clock.advance(0)
    expect(kinds(subscription.settlements)).toEqual(['2 hand back'])
    subscription.deliver({ key: 'a', n: 1, attempt: 2 }, { key: 'a', n: 2 })
    await clock.advance(0)
    expect(order()).toEqual(['a1', 'a1'])
  })

  it('keeps its key busy until the engine has back what came after it', async () => {
    const { runs, handler, order } = gated()
    const { subscription, clock } = await ordered(handler)
    const held = gate()
    const settle = subscription.settle.bind(subscription)
    subscription.settle = async (batch) => {
      await held.promise
      return settle(batch)
    }
    const [first] = subscription.deliver({ key: 'a', n: 1 }, { key: 'a', n: 2 }, { key: 'a', n: 3 })
    await clock.advance(0)
    subscription.sink.lost([first!], lost)
    runs[0]!.end.open()
    await clock.advance(0)
    // It was on its way when the others went back.
    subscription.deliver({ key: 'a', n: 4 })
    await clock.advance(0)
    expect(order()).toEqual(['a1'])
    held.open()
    await clock.advance(0)
    expect(subscription.batches.map(kinds)).toEqual([['2 hand back', '3 hand back'], ['4 hand back']])
    subscription.deliver({ key: 'a', n: 1, attempt: 2 })
    await clock.advance(0)
    expect(order()).toEqual(['a1', 'a1'])
  })

  it('is skipped where it waited behind another, and what came after it goes back', async () => {
    const { runs, handler, order } = gated()
    const { subscription, clock } = await ordered(handler)
    const tags = subscription.deliver({ key: 'a', n: 1 }, { key: 'a', n: 2 }, { key: 'a', n: 3 })
    await clock.advance(0)
    subscription.sink.lost([tags[1]!], lost)
    runs[0]!.end.open()
    await clock.advance(0)
    expect(order()).toEqual(['a1'])
    expect(kinds(subscription.settlements)).toEqual(['1 ack', '3 hand back'])
  })

  it('may be one that nobody knows', async () => {
    const { subscription, clock, bus } = await ordered(() => {})
    subscription.sink.lost([77], lost)
    await clock.advance(0)
    expect(bus.stats()[0]).toMatchObject({ lost: 0 })
  })
})

describe('leases', () => {
  it('of what is unsettled are extended three times as often as they run out', async () => {
    const { handler, runs } = gated()
    const { bus, engine, clock } = scriptedRig({ can: { leaseMs: 30_000 } })
    bus.on(Noted, { group: 'points' }, handler as never)
    await bus.start()
    const { subscription } = engine
    await clock.advance(15_000)
    expect(subscription.extended).toEqual([])
    subscription.deliver({ n: 1 }, { n: 2 })
    await clock.advance(6_000)
    expect(subscription.extended).toEqual([[1, 2]])
    runs[0]!.end.open()
    await clock.advance(10_000)
    expect(subscription.extended).toEqual([[1, 2], [2]])
  })

  it('that cannot be extended are told of, and tried again', async () => {
    const { handler } = gated()
    const { bus, engine, clock, log } = scriptedRig({ can: { leaseMs: 3_000 } })
    bus.on(Noted, { group: 'points' }, handler as never)
    await bus.start()
    engine.subscription.extend = () => Promise.reject(new Error('timeout'))
    engine.subscription.deliver({ n: 1 })
    await clock.advance(2_500)
    expect(log.entries.filter(({ message }) => message === 'leases were not extended')).toHaveLength(2)
  })
})

describe('counters', () => {
  it('tell deliveries that came again', async () => {
    const { subscription, clock, bus } = await ordered(() => {})
    subscription.deliver({ key: 'a', n: 1 }, { key: 'b', n: 1, attempt: 2 })
    await clock.advance(0)
    expect(bus.stats()).toEqual([
      {
        channel: 'shop.ordered',
        group: 'points',
        state: 'running',
        ...noCounts(),
        delivered: 2,
        redelivered: 1,
        acked: 2,
        running: 0,
        unsettled: 0,
      },
    ])
  })
})
