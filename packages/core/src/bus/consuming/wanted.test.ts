import { command, event, PosthasteError, type RecordFilter } from '@posthaste/contracts'
import { describe, expect, it, vi } from 'vitest'
import { z } from 'zod'
import { gate, kinds, memoryRig, Noted, Ordered, ordered, recordOf, scriptedRig } from '../../../test/bus/rig.ts'
import { readyOf } from './ready.ts'
import { Work } from './work.ts'

const tagged = (tag: string, more: object = {}) => {
  const { key = 'a', ...rest } = more as { key?: string }
  const body = new TextEncoder().encode(JSON.stringify({ key, n: 1 }))
  const headers = { type: 'shop.ordered', datacontenttype: 'application/json', tag }
  return { record: recordOf({ channel: 'shop.ordered', key, headers, body, ...rest }) }
}

describe('a filter', () => {
  it('has the consumer settle what is not wanted: unread, unhandled, uncounted as an attempt', async () => {
    const handler = vi.fn()
    const { subscription, clock, bus } = await ordered(handler, { filter: { tag: 'vip' } })
    const unread = { record: recordOf({ channel: 'shop.ordered', body: new TextEncoder().encode('{') }), attempt: 99 }
    subscription.deliver(tagged('vip'), tagged('other'), unread)
    await clock.advance(0)
    expect(handler).toHaveBeenCalledOnce()
    expect(kinds(subscription.settlements).sort()).toEqual(['1 ack', '2 ack', '3 ack'])
    expect(bus.stats()[0]).toMatchObject({ acked: 1, filtered: 2, filterErrors: 0, deadLettered: 0, unsettled: 0 })
    expect(subscription.credit).toBe(256 + 3)
  })

  it('lets what is not wanted neither wait for its key nor block it', async () => {
    const end = gate()
    const handler = vi.fn(() => end.promise)
    const { subscription, clock, bus } = await ordered(handler, { filter: { tag: 'vip' } })
    subscription.deliver(tagged('vip'), tagged('other'), tagged('vip'))
    await clock.advance(0)
    expect(kinds(subscription.settlements)).toEqual(['2 ack'])
    end.open()
    await clock.advance(0)
    expect(handler).toHaveBeenCalledTimes(2)
    expect(bus.stats()[0]).toMatchObject({ acked: 2, filtered: 1 })
  })

  it('does not hand back what is not wanted behind a failed message of its key', async () => {
    const { subscription, clock } = await ordered(
      () => {
        throw new Error('no')
      },
      { filter: { tag: 'vip' } },
    )
    subscription.deliver(tagged('vip'), tagged('other'), tagged('vip'))
    await clock.advance(0)
    expect(kinds(subscription.settlements).sort()).toEqual(['1 retry', '2 ack', '3 hand back'])
  })

  it('settles again what the engine did not settle, and lets go of what is lost', async () => {
    const { subscription, clock, bus } = await ordered(() => {}, { filter: { tag: 'vip' } })
    const answers = [new PosthasteError('UNAVAILABLE', 'x'), new PosthasteError('DELIVERY_LOST', 'x')]
    subscription.outcomeOf = () => {
      const error = answers.shift()
      return error === undefined ? { ok: true } : { ok: false, error }
    }
    subscription.deliver(tagged('other'), tagged('other'))
    await clock.advance(10_000)
    expect(bus.stats()[0]).toMatchObject({ filtered: 1, lost: 1, unsettled: 0 })
    expect(subscription.credit).toBe(256 + 2)
  })

  it('counts what an expression cannot be evaluated for, and takes it as not wanted', async () => {
    const { subscription, clock, bus, log } = await ordered(() => {}, { filter: { sql: 'INT(tag) > 5' } })
    subscription.deliver(tagged('6'), tagged('5'), tagged('many'))
    await clock.advance(0)
    expect(bus.stats()[0]).toMatchObject({ acked: 1, filtered: 2, filterErrors: 1 })
    expect(log.entries.some(({ fields }) => String(fields.reason).includes("'many' is no Integer"))).toBe(true)
  })

  it('goes to an engine that filters, which then delivers what is wanted alone', async () => {
    const { bus, engine } = scriptedRig({ can: { filter: 'native' } })
    bus.on(Ordered, { group: 'vips', filter: { tag: 'vip', headers: { any: { a: 'b' } }, sql: "x = 'y'" } }, () => {})
    bus.on(Ordered, { group: 'all' }, () => {})
    await bus.start()
    const [first, second] = engine.subscriptions
    const filter = first!.spec.filter as RecordFilter
    expect(filter).toMatchObject({ tags: ['vip'], headers: { match: 'any', values: { a: 'b' } }, sql: "x = 'y'" })
    expect(filter.accepts(recordOf({ headers: { tag: 'vip', a: 'b', x: 'y' } }))).toBe(true)
    expect(filter.accepts(recordOf({ headers: { tag: 'vip', a: 'b' } }))).toBe(false)
    expect('filter' in second!.spec).toBe(false)
    expect(bus.stats()[0]).toMatchObject({ filterErrors: 1, filtered: 0 })
  })

  it('on a real engine has each group handle its own share of all', async () => {
    const { bus, clock } = await memoryRig()
    const seen: Record<string, number[]> = { low: [], high: [] }
    bus.on(Noted, { group: 'low', filter: { sql: 'EXISTS size AND size < 5' } }, ({ n }) => void seen.low!.push(n))
    bus.on(Noted, { group: 'high', filter: { sql: 'EXISTS size AND size >= 5' } }, ({ n }) => void seen.high!.push(n))
    await bus.start()
    for (let n = 0; n < 10; n++) await bus.publish(Noted, { n }, { headers: { size: String(n) } })
    await bus.publish(Noted, { n: 99 })
    await clock.advance(100)
    expect(seen).toEqual({ low: [0, 1, 2, 3, 4], high: [5, 6, 7, 8, 9] })
  })
})

describe('what has expired', () => {
  const late = (atMs: number) => ({ record: recordOf({ channel: 'shop.ordered', expiresAtMs: atMs }) })

  it('goes to the dead letters, and is counted', async () => {
    const handler = vi.fn()
    const { subscription, clock, bus } = await ordered(handler)
    subscription.deliver(late(clock.nowMs()))
    await clock.advance(0)
    expect(subscription.settlements).toMatchObject([{ publish: [{ headers: { dlcode: 'MESSAGE_EXPIRED' } }] }])
    expect(handler).not.toHaveBeenCalled()
    expect(bus.stats()[0]).toMatchObject({ expired: 1, deadLettered: 1 })
  })

  it('is dropped where that is asked for', async () => {
    const { subscription, clock, bus } = await ordered(() => {}, { expired: 'drop' })
    subscription.deliver(late(clock.nowMs() - 1), late(clock.nowMs() + 1))
    await clock.advance(0)
    expect(kinds(subscription.settlements).sort()).toEqual(['1 ack', '2 publish'])
    expect(bus.stats()[0]).toMatchObject({ expired: 1, deadLettered: 1 })
  })

  it('is settled as a rule for it says', async () => {
    const { subscription, clock, bus } = await ordered(() => {}, {
      errors: [{ when: 'MESSAGE_EXPIRED', action: 'ignore' }],
    })
    subscription.deliver(late(clock.nowMs()))
    await clock.advance(0)
    expect(bus.stats()[0]).toMatchObject({ expired: 1, ignored: 1, deadLettered: 0 })
  })

  it('is never tried again, whatever a rule says', async () => {
    const { subscription, clock } = await ordered(() => {}, { errors: [{ when: 'MESSAGE_EXPIRED', action: 'retry' }] })
    subscription.deliver(late(clock.nowMs()))
    await clock.advance(0)
    expect(kinds(subscription.settlements)).toEqual(['1 publish'])
  })
})

describe('priority', () => {
  const Job = command('shop.job', { data: z.object({ n: z.number() }), priorities: 3 })

  it('begins the highest among what is ready first, each level in its order', async () => {
    const { bus, engine, clock } = scriptedRig({ can: { priorityLevels: 10 } })
    const order: number[] = []
    bus.handle(Job, { concurrency: 1 }, async ({ n }) => void order.push(n))
    await bus.start()
    const job = (n: number, priority?: number) => ({
      record: recordOf({ channel: 'shop.job', body: new TextEncoder().encode(`{"n":${n}}`), priority }),
    })
    engine.subscription.deliver(job(1), job(2, 2), job(3, 1), job(4, 2), job(5, 99), job(6, -1), job(7, 0.5))
    await clock.advance(0)
    expect(order).toEqual([2, 4, 5, 3, 1, 6, 7])
  })

  it('is declared with the channel, and refused where the engine has fewer levels', async () => {
    const { bus, engine } = scriptedRig({ can: { priorityLevels: 3 } })
    bus.handle(Job, () => {})
    await bus.start()
    expect(engine.topologies[0]!.channels[0]).toMatchObject({ name: 'shop.job', priorities: 3 })
    const poor = scriptedRig({ can: { priorityLevels: 2 } })
    poor.bus.handle(Job, () => {})
    await expect(poor.bus.start()).rejects.toMatchObject({ code: 'CAPABILITY_UNSUPPORTED' })
  })

  it('keeps count of what is ready over all levels', () => {
    const ready = readyOf(3)
    const works = [0, 2, 1].map((priority) => {
      return new Work({ tag: priority, attempt: 1, storedAtMs: 0, position: '', record: recordOf({ priority }) })
    })
    for (const work of works) ready.push(work)
    expect(ready.length).toBe(3)
    expect([ready.shift(), ready.shift(), ready.shift(), ready.shift()]).toEqual([
      works[1],
      works[2],
      works[0],
      undefined,
    ])
    expect(ready.length).toBe(0)
  })

  it('on a real engine has urgent messages overtake', async () => {
    const Alarm = event('shop.alarm', { data: z.object({ n: z.number() }), priorities: 2 })
    const { bus, clock } = await memoryRig()
    const order: number[] = []
    bus.on(Alarm, { group: 'desk', from: 'earliest', concurrency: 1 }, async ({ n }) => void order.push(n))
    await bus.start()
    const all = [1, 2, 3, 4].map((n) => bus.publish(Alarm, { n }, { priority: n > 2 ? 1 : 0 }))
    await Promise.all(all)
    await clock.advance(100)
    expect(order).toEqual([3, 4, 1, 2])
  })
})
