import { command, PosthasteError, succeeded } from '@posthaste/contracts'
import { memory, memoryStore } from '@posthaste/memory'
import { describe, expect, it, vi } from 'vitest'
import { z } from 'zod'
import {
  gate,
  gated,
  half,
  kinds,
  memoryRig,
  Noted,
  Ordered,
  ordered,
  recordOf,
  scriptedRig,
} from '../../../test/bus/rig.ts'
import { manualClock } from '../../testing/manual-clock.ts'
import type { SubscribeOptions } from './options.ts'

const once: Partial<SubscribeOptions> = { delivery: 'at-most-once', retry: false }
const gone = new PosthasteError('UNAVAILABLE', 'connection lost')

describe('at most once', () => {
  it('enters the handler only when the engine has the acknowledgement', async () => {
    const handler = vi.fn()
    const { subscription, clock, bus } = await ordered(handler, once)
    const acked = gate()
    subscription.settle = async (batch) => {
      subscription.batches.push(batch)
      await acked.promise
      return batch.map(() => succeeded)
    }
    subscription.deliver({ key: 'a', n: 1 })
    await clock.advance(100)
    expect(kinds(subscription.settlements)).toEqual(['1 ack'])
    expect(handler).not.toHaveBeenCalled()
    acked.open()
    await clock.advance(0)
    expect(handler).toHaveBeenCalledOnce()
    expect(bus.stats()[0]).toMatchObject({ acked: 1, failed: 0, running: 0, unsettled: 0 })
  })

  it('tries the acknowledgement again until it is answered, and only then the handler, once', async () => {
    const handler = vi.fn()
    const { subscription, clock } = await ordered(handler, once)
    let failures = 3
    subscription.outcomeOf = () => (failures-- > 0 ? { ok: false, error: gone } : succeeded)
    subscription.deliver({ key: 'a', n: 1 })
    await clock.advance(60_000)
    expect(handler).toHaveBeenCalledOnce()
  })

  it('never enters the handler for what it could not acknowledge', async () => {
    const handler = vi.fn()
    const { subscription, clock, bus } = await ordered(handler, once)
    const lost = new PosthasteError('DELIVERY_LOST', 'somebody else has it')
    subscription.outcomeOf = () => ({ ok: false, error: lost })
    subscription.deliver({ key: 'a', n: 1 }, { key: 'a', n: 2 })
    await clock.advance(1_000)
    expect(handler).not.toHaveBeenCalled()
    expect(bus.stats()[0]).toMatchObject({ lost: 2, running: 0, unsettled: 0 })
  })

  it('goes on with the next when one could not be acknowledged', async () => {
    const { runs, handler } = gated()
    const { subscription, clock } = await ordered(handler, { ...once, concurrency: 1 })
    const lost = new PosthasteError('DELIVERY_LOST', 'somebody else has it')
    subscription.outcomeOf = ({ tag }) => (tag < 3 ? { ok: false, error: lost } : succeeded)
    subscription.deliver({ key: 'a', n: 1 }, { key: 'b', n: 2 }, { key: 'c', n: 3 })
    await clock.advance(0)
    expect(runs.map(({ n }) => n)).toEqual([3])
  })

  it('never enters the handler for what is lost while it is being acknowledged', async () => {
    const handler = vi.fn()
    const { subscription, clock, bus } = await ordered(handler, once)
    const acked = gate()
    subscription.settle = async (batch) => {
      await acked.promise
      return batch.map(() => succeeded)
    }
    const tags = subscription.deliver({ key: 'a', n: 1 })
    await clock.advance(0)
    subscription.sink.lost(tags, gone)
    acked.open()
    await clock.advance(0)
    expect(handler).not.toHaveBeenCalled()
    expect(bus.stats()[0]).toMatchObject({ lost: 1, running: 0 })
  })

  it('never enters the handler when the membership ends before the answer, and begins again at once', async () => {
    const handler = vi.fn()
    const { subscription, clock, bus, engine } = await ordered(handler, once)
    subscription.settle = () => new Promise(() => {})
    subscription.deliver({ key: 'a', n: 1 })
    await clock.advance(0)
    subscription.sink.closed(gone)
    await clock.advance(1_000)
    expect(handler).not.toHaveBeenCalled()
    expect(engine.subscriptions).toHaveLength(2)
    expect(bus.stats()[0]).toMatchObject({ running: 0, state: 'running' })
  })

  it('counts and logs what fails, and handles it not again', async () => {
    const handler = vi.fn(() => {
      throw new Error('disk full')
    })
    const { subscription, clock, bus, log } = await ordered(handler, once)
    subscription.deliver({ key: 'a', n: 1 }, { key: 'a', n: 2 })
    await clock.advance(60_000)
    expect(handler).toHaveBeenCalledTimes(2)
    expect(kinds(subscription.settlements)).toEqual(['1 ack', '2 ack'])
    expect(bus.stats()[0]).toMatchObject({ acked: 2, failed: 2, deadLettered: 0, retried: 0 })
    expect(log.entries.filter(({ message }) => message === 'failed, and is not handled again')).toHaveLength(2)
  })

  it('dead-letters what cannot be read or has expired: the handler was not entered', async () => {
    const handler = vi.fn()
    const { subscription, clock, bus } = await ordered(handler, once)
    const record = recordOf({ channel: 'shop.ordered', expiresAtMs: clock.nowMs() })
    subscription.deliver({ body: '{' }, { body: '{"n":1}' }, { record })
    await clock.advance(0)
    expect(handler).not.toHaveBeenCalled()
    expect(kinds(subscription.settlements)).toEqual(['1 publish', '2 publish', '3 publish'])
    expect(bus.stats()[0]).toMatchObject({ deadLettered: 3, expired: 1, running: 0 })
  })

  it('keeps the order of a key and the bound on handlers', async () => {
    const { runs, handler, order } = gated()
    const { subscription, clock } = await ordered(handler, { ...once, concurrency: 2 })
    subscription.deliver({ key: 'a', n: 1 }, { key: 'a', n: 2 }, { key: 'b', n: 1 }, { key: 'c', n: 1 })
    await clock.advance(0)
    expect(order()).toEqual(['a1', 'b1'])
    runs[0]!.end.open()
    await clock.advance(0)
    expect(order()).toEqual(['a1', 'b1', 'c1'])
    runs[1]!.end.open()
    await clock.advance(0)
    expect(order()).toEqual(['a1', 'b1', 'c1', 'a2'])
  })

  it('lets what was acknowledged run to its end on close, then cancels it, and hands back the rest', async () => {
    const { runs, handler } = gated()
    const { subscription, clock, bus } = await ordered(handler, { ...once, concurrency: 1 })
    subscription.deliver({ key: 'a', n: 1 }, { key: 'b', n: 2 })
    await clock.advance(0)
    const closing = bus.close({ graceMs: 500 })
    await clock.advance(499)
    expect(runs[0]!.signal.aborted).toBe(false)
    await clock.advance(10)
    expect(runs[0]!.signal.reason).toMatchObject({ code: 'CANCELLED' })
    await closing
    expect(kinds(subscription.settlements)).toEqual(['1 ack', '2 hand back'])
    runs[0]!.end.fail(new Error('stopped'))
    await clock.advance(0)
    expect(bus.stats()[0]).toMatchObject({ running: 0, failed: 1 })
  })

  it('publishes what the handler published after it has succeeded, and nothing of what failed', async () => {
    const { subscription, clock, engine, bus } = await ordered(async ({ n }, context) => {
      void context.publish(Noted, { n })
      if (n === 2) throw new Error('no')
    }, once)
    subscription.deliver({ key: 'a', n: 1 }, { key: 'a', n: 2 })
    await clock.advance(0)
    expect(engine.records.map(({ channel }) => channel)).toEqual(['shop.noted'])
    expect(engine.records[0]!.headers.causationid).toBe('m1')
    expect(bus.stats()[0]).toMatchObject({ acked: 2, failed: 1 })
  })

  it('counts what was published and not stored', async () => {
    const { subscription, clock, engine, bus, log } = await ordered(
      (_, context) => void context.publish(Noted, { n: 1 }),
      once,
    )
    engine.outcomeOf = () => ({ ok: false, error: gone })
    subscription.deliver({ key: 'a', n: 1 })
    await clock.advance(0)
    engine.publish = () => Promise.reject(new Error('bug'))
    subscription.deliver({ key: 'a', n: 2 })
    await clock.advance(0)
    expect(bus.stats()[0]).toMatchObject({ failed: 2, running: 0 })
    expect(log.entries.filter(({ message }) => message.includes('was not stored'))).toHaveLength(2)
  })

  it('answers requests after the handler, too', async () => {
    const Quote = command('shop.quote', { data: z.object({ n: z.number() }), reply: z.object({ price: z.number() }) })
    const { bus, engine, clock } = scriptedRig()
    bus.handle(Quote, { delivery: 'at-most-once' }, ({ n }) => {
      if (n === 2) throw new PosthasteError('NOT_FOUND', 'no price')
      return { price: n }
    })
    await bus.start()
    const headers = { datacontenttype: 'application/json', replyto: 'posthaste.reply.shop/desk' }
    const ask = (id: string, n: number) => ({
      record: recordOf({ id, channel: 'shop.quote', headers, body: new TextEncoder().encode(JSON.stringify({ n })) }),
    })
    engine.subscription.deliver(ask('r1', 1), ask('r2', 2))
    await clock.advance(0)
    expect(kinds(engine.subscription.settlements)).toEqual(['1 ack', '2 ack'])
    expect(engine.records.map(({ channel, headers: { replycode } }) => [channel, replycode])).toEqual([
      ['posthaste.reply.shop', undefined],
      ['posthaste.reply.shop', 'NOT_FOUND'],
    ])
  })

  it('is never handled twice on a real engine whose process ends in the middle, again and again', async () => {
    const store = memoryStore()
    const clock = manualClock()
    const handled = new Map<number, number>()
    for (let life = 0; life < 8; life++) {
      const engine = memory({ clock, store })
      const { bus } = await memoryRig({ engine, clock })
      bus.on(Noted, { group: 'points', concurrency: 3, delivery: 'at-most-once', from: 'earliest' }, async ({ n }) => {
        handled.set(n, (handled.get(n) ?? 0) + 1)
        await new Promise<void>((resolve) => void clock.setTimer(2, resolve))
      })
      await bus.start()
      await bus.publishAll(
        Noted,
        Array.from({ length: 50 }, (_, at) => ({ n: life * 50 + at })),
      )
      await clock.advance(half() * 10 + life)
      // The process is gone: nothing is drained, nothing settled any more.
      await engine.close()
    }
    const { bus } = await memoryRig({ engine: memory({ clock, store }), clock })
    bus.on(Noted, { group: 'points', delivery: 'at-most-once' }, ({ n }) => {
      handled.set(n, (handled.get(n) ?? 0) + 1)
    })
    await bus.start()
    await clock.advance(60_000)
    expect([...handled.values()].filter((times) => times > 1)).toEqual([])
    expect(handled.size).toBeGreaterThan(350)
    await bus.close()
  })

  it.each<[string, object, string]>([
    ['a ladder', { retry: {} }, 'retry'],
    ['rules for errors', { errors: [{ when: 'CONFLICT', action: 'ignore' }] }, 'errors'],
    ['an inbox', { inbox: { store: { once: () => {} } } }, 'inbox'],
  ])('refuses %s', (_, options, path) => {
    const { bus } = scriptedRig()
    expect(() => bus.on(Ordered, { group: 'g', delivery: 'at-most-once', ...options } as never, () => {})).toThrow(
      expect.objectContaining({
        code: 'CONFIG_INVALID',
        issues: [expect.objectContaining({ path: `shop.ordered.${path}` })],
      }),
    )
  })

  it('refuses batches', () => {
    const { bus } = scriptedRig()
    expect(() => bus.onBatch(Ordered, { group: 'g', delivery: 'at-most-once' }, () => {})).toThrow(
      expect.objectContaining({ code: 'CONFIG_INVALID' }),
    )
  })
})
