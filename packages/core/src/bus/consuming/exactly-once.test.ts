import {
  command,
  type InboxEntry,
  type InboxStore,
  type OutgoingRecord,
  PosthasteError,
  succeeded,
} from '@posthaste/contracts'
import { memory, memoryStore } from '@posthaste/memory'
import { describe, expect, it, vi } from 'vitest'
import { z } from 'zod'
import { errorOf, kinds, memoryRig, Noted, Ordered, ordered, recordOf, scriptedRig } from '../../../test/bus/rig.ts'
import { manualClock } from '../../testing/manual-clock.ts'
import type { MessageContext } from './context.ts'
import { memoryInbox } from './memory-inbox.ts'
import type { SubscribeOptions } from './options.ts'

const gone = new PosthasteError('UNAVAILABLE', 'connection lost')

type Handler = (data: { key: string; n: number }, context: MessageContext) => unknown

/** A store of rows with transactions: what a handler writes stands only with the entry that says so. */
function database() {
  const rows: string[] = []
  const entries = new Set<string>()
  const asked: InboxEntry[] = []
  const store: InboxStore & { failCommit: Error | undefined } = {
    name: 'rows',
    failCommit: undefined,
    async once(entry, work) {
      asked.push(entry)
      if (entries.has(entry.id)) return { done: false }
      const written: string[] = []
      const result = await work({ write: (row: string) => written.push(row) })
      if (this.failCommit !== undefined) throw this.failCommit
      // Two transactions at a time: the second to commit finds the entry there.
      if (entries.has(entry.id)) throw new Error('duplicate key')
      rows.push(...written)
      entries.add(entry.id)
      return { done: true, result }
    },
  }
  return { rows, entries, asked, store }
}

const write = ({ transaction }: MessageContext, row: string) => (transaction as { write(row: string): void }).write(row)

const withInbox = (store: InboxStore, handler: Handler, more: Partial<SubscribeOptions> = {}) =>
  ordered(handler, { delivery: 'exactly-once', inbox: { store, windowMs: 5_000 }, ...more })

describe('exactly once with an inbox', () => {
  it('handles in the transaction of the store, which remembers the message in it', async () => {
    const { rows, asked, store } = database()
    const { subscription, clock } = await withInbox(store, ({ n }, context) => write(context, `row ${n}`))
    subscription.deliver({ key: 'a', n: 1 })
    await clock.advance(0)
    expect(rows).toEqual(['row 1'])
    expect(asked).toEqual([{ channel: 'shop.ordered', group: 'points', id: 'm1', windowMs: 5_000 }])
    expect(kinds(subscription.settlements)).toEqual(['1 ack'])
  })

  it('acknowledges what it has seen without a handler, and counts it', async () => {
    const handler = vi.fn()
    const { subscription, clock, bus } = await withInbox(memoryInbox(), handler)
    subscription.deliver({ key: 'a', n: 1 })
    await clock.advance(0)
    const record = recordOf({ id: 'm1', channel: 'shop.ordered', body: new TextEncoder().encode('{"key":"a","n":1}') })
    subscription.deliver({ record, attempt: 2 })
    await clock.advance(0)
    expect(handler).toHaveBeenCalledOnce()
    expect(kinds(subscription.settlements)).toEqual(['1 ack', '2 ack'])
    expect(bus.stats()[0]).toMatchObject({ acked: 1, duplicates: 1 })
  })

  it('remembers nothing of what failed, and handles it when it comes again', async () => {
    const { rows, store } = database()
    let failures = 1
    const { subscription, clock } = await withInbox(store, ({ n }, context) => {
      write(context, `row ${n}`)
      if (failures-- > 0) throw new Error('no')
    })
    const record = recordOf({ channel: 'shop.ordered', body: new TextEncoder().encode('{"key":"a","n":1}') })
    subscription.deliver({ record })
    await clock.advance(0)
    expect(rows).toEqual([])
    subscription.deliver({ record, attempt: 2 })
    await clock.advance(0)
    expect(rows).toEqual(['row 1'])
    expect(kinds(subscription.settlements)).toEqual(['1 retry', '2 ack'])
  })

  it('tries again when the store fails, before the handler or after it', async () => {
    const { rows, store } = database()
    const handler: Handler = ({ n }, context) => write(context, `row ${n}`)
    const { subscription, clock, bus } = await withInbox(store, handler)
    store.failCommit = new Error('deadlock')
    subscription.deliver({ key: 'a', n: 1 })
    await clock.advance(0)
    expect(rows).toEqual([])
    store.failCommit = undefined
    const once = vi.spyOn(store, 'once').mockRejectedValue(new Error('connection refused'))
    subscription.deliver({ key: 'b', n: 2 })
    await clock.advance(0)
    once.mockRestore()
    expect(kinds(subscription.settlements)).toEqual(['1 retry', '2 retry'])
    expect(bus.stats()[0]).toMatchObject({ retried: 2, acked: 0, duplicates: 0 })
  })

  it('ends in the dead letters, with what the store said, when that fails for good', async () => {
    const { store } = database()
    store.failCommit = new Error('table is missing')
    const { subscription, clock } = await withInbox(store, () => {}, { retry: false })
    subscription.deliver({ key: 'a', n: 1 })
    await clock.advance(0)
    expect(subscription.settlements).toMatchObject([
      { kind: 'ack', publish: [{ headers: { dlmessage: expect.stringMatching(/rows failed.*table is missing/) } }] },
    ])
  })

  it('has what the handler publishes confirmed before it is remembered, and then acknowledges alone', async () => {
    const { entries, store } = database()
    const { subscription, clock, engine } = await withInbox(store, async ({ n }, context) => {
      await context.publish(Noted, { n })
    })
    let remembered: boolean | undefined
    const publish = engine.publish.bind(engine)
    engine.publish = async (records: readonly OutgoingRecord[]) => {
      remembered = entries.has('m1')
      return publish(records)
    }
    subscription.deliver({ key: 'a', n: 1 })
    await clock.advance(0)
    expect(remembered).toBe(false)
    expect(entries.has('m1')).toBe(true)
    expect(engine.records).toMatchObject([{ channel: 'shop.noted', headers: { causationid: 'm1' } }])
    expect(kinds(subscription.settlements)).toEqual(['1 ack'])
  })

  it('remembers nothing when what the handler publishes cannot be stored, and publishes it again under its id', async () => {
    const { entries, store } = database()
    const { subscription, clock, engine } = await withInbox(store, ({ n }, context) => context.publish(Noted, { n }))
    engine.outcomeOf = () => ({ ok: false, error: gone })
    const record = recordOf({ channel: 'shop.ordered', body: new TextEncoder().encode('{"key":"a","n":1}') })
    subscription.deliver({ record })
    await clock.advance(0)
    expect(entries.size).toBe(0)
    expect(kinds(subscription.settlements)).toEqual(['1 retry'])
    engine.outcomeOf = () => succeeded
    engine.publish = (
      (original) => async (records) =>
        (await original(records)).slice(0, 0)
    )(engine.publish.bind(engine))
    subscription.deliver({ record, attempt: 2 })
    await clock.advance(0)
    expect(kinds(subscription.settlements)).toEqual(['1 retry', '2 retry'])
    const [first, second] = engine.records
    expect(second!.id).toBe(first!.id)
  })

  it('answers requests before they are remembered, and lets a reply that cannot be stored be', async () => {
    const Quote = command('shop.quote', { data: z.object({ n: z.number() }), reply: z.object({ price: z.number() }) })
    const { bus, engine, clock } = scriptedRig()
    const { entries, store } = database()
    bus.handle(Quote, { delivery: 'exactly-once', inbox: { store } }, ({ n }) => ({ price: n }))
    await bus.start()
    engine.outcomeOf = () => ({ ok: false, error: new PosthasteError('NOT_FOUND', 'nobody there') })
    const headers = { datacontenttype: 'application/json', replyto: 'posthaste.reply.shop/desk' }
    engine.subscription.deliver({ record: recordOf({ channel: 'shop.quote', headers }) })
    await clock.advance(0)
    expect(engine.records).toMatchObject([{ channel: 'posthaste.reply.shop' }])
    expect(entries.has('m1')).toBe(true)
    expect(kinds(engine.subscription.settlements)).toEqual(['1 ack'])
  })

  it('writes each row once over crashes, repeated publishing and failing settlements on a real engine', async () => {
    const store = memoryStore()
    const clock = manualClock()
    const { rows, store: inboxStore } = database()
    let duplicates = 0
    for (let life = 0; life < 6; life++) {
      const engine = memory({ clock, store })
      const { bus } = await memoryRig({ engine, clock })
      const inbox = { store: inboxStore }
      const options = { group: 'points', from: 'earliest', delivery: 'exactly-once', inbox, concurrency: 4 } as const
      bus.on(Noted, options, async ({ n }, context) => {
        await new Promise<void>((resolve) => void clock.setTimer(2, resolve))
        write(context, `row ${n}`)
        if (n % 7 === 0 && context.attempt === 1) throw new Error('first time')
      })
      await bus.start()
      for (let n = 0; n < 30; n++) await bus.publish(Noted, { n }, { id: `note-${n}` })
      await clock.advance(7 + life)
      duplicates += bus.stats()[0]!.duplicates
      await engine.close()
    }
    const { bus } = await memoryRig({ engine: memory({ clock, store }), clock })
    const inbox = { store: inboxStore }
    bus.on(Noted, { group: 'points', delivery: 'exactly-once', inbox }, ({ n }, context) => write(context, `row ${n}`))
    await bus.start()
    await clock.advance(3_600_000)
    expect([...rows].sort()).toEqual(Array.from({ length: 30 }, (_, n) => `row ${n}`).sort())
    expect(duplicates).toBeGreaterThan(0)
    expect(bus.stats()[0]!.unsettled).toBe(0)
    await bus.close()
  })
})

describe('exactly once without an inbox', () => {
  it('is what an engine gives that settles and publishes in one step', async () => {
    const { subscription, clock } = await ordered(({ n }, context) => context.publish(Noted, { n }), {
      delivery: 'exactly-once',
    })
    subscription.deliver({ key: 'a', n: 1 })
    await clock.advance(0)
    expect(subscription.settlements).toMatchObject([{ kind: 'ack', publish: [{ channel: 'shop.noted' }] }])
  })

  it('is refused on any other, with what to do about it', async () => {
    const { bus } = scriptedRig({ can: { atomicSettle: 'none' } })
    bus.on(Ordered, { group: 'points', delivery: 'exactly-once' }, () => {})
    expect(await errorOf(bus.start())).toMatchObject({
      code: 'CAPABILITY_UNSUPPORTED',
      message: expect.stringContaining('an inbox does without'),
    })
  })
})

describe('an inbox', () => {
  it.each<[string, object, string]>([
    ['without exactly-once', { inbox: { store: memoryInbox() } }, 'inbox'],
    ['without a store', { delivery: 'exactly-once', inbox: {} }, 'inbox.store'],
    ['with a store that is none', { delivery: 'exactly-once', inbox: { store: {} } }, 'inbox.store'],
    ['with no window', { delivery: 'exactly-once', inbox: { store: memoryInbox(), windowMs: 0 } }, 'inbox.windowMs'],
  ])('%s is refused', (_, options, path) => {
    const { bus } = scriptedRig()
    expect(() => bus.on(Noted, { group: 'g', ...options } as never, () => {})).toThrow(
      expect.objectContaining({
        code: 'CONFIG_INVALID',
        issues: [expect.objectContaining({ path: `shop.noted.${path}` })],
      }),
    )
  })

  it('of a handler of batches is refused', () => {
    const { bus } = scriptedRig()
    const options = { group: 'g', delivery: 'exactly-once', inbox: { store: memoryInbox() } }
    expect(() => bus.onBatch(Noted, options as never, () => {})).toThrow(
      expect.objectContaining({ code: 'CONFIG_INVALID' }),
    )
  })
})
