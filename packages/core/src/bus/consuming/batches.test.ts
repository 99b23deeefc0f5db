import { command, events, PosthasteError, reject, retryLater, succeeded } from '@posthaste/contracts'
import fc from 'fast-check'
import { describe, expect, it, vi } from 'vitest'
import { z } from 'zod'
import { gate, half, kinds, memoryRig, Noted, Ordered, recordOf, scriptedRig } from '../../../test/bus/rig.ts'
import { filterSlot } from '../../pipeline/stack.ts'
import type { BatchContext, BatchHandler, BatchMessage } from './batch-message.ts'
import type { BatchSubscribeOptions } from './options.ts'

type Messages = readonly BatchMessage<{ key: string; n: number }>[]
type Handler = (messages: Messages, context: BatchContext) => unknown

const gone = new PosthasteError('UNAVAILABLE', 'connection lost')

async function batched(handler: Handler, options: Partial<BatchSubscribeOptions> = {}) {
  const rig = scriptedRig()
  const given = { group: 'points', retry: { immediate: 0 }, ...options }
  rig.bus.onBatch(Ordered, given, handler as BatchHandler<typeof Ordered>)
  await rig.bus.start()
  return { ...rig, subscription: rig.engine.subscription }
}

const keyed = (count: number) => Array.from({ length: count }, (_, n) => ({ key: `k${n}`, n }))
const ns = (messages: Messages): number[] => messages.map(({ data }) => data.n)

describe('a handler of batches', () => {
  it('is given what is ready at once, as data and context of each message, and all of it is acknowledged', async () => {
    const seen: unknown[] = []
    const { subscription, clock, bus } = await batched((messages, { group }) => {
      seen.push(group, ...messages.map(({ id, key, data, attempt, type }) => ({ id, key, data, attempt, type })))
    })
    subscription.deliver(...keyed(2))
    await clock.advance(0)
    expect(seen).toEqual([
      'points',
      { id: 'm1', key: 'k0', data: { key: 'k0', n: 0 }, attempt: 1, type: 'shop.ordered' },
      { id: 'm2', key: 'k1', data: { key: 'k1', n: 1 }, attempt: 1, type: 'shop.ordered' },
    ])
    expect(kinds(subscription.settlements)).toEqual(['1 ack', '2 ack'])
    expect(bus.stats()[0]).toMatchObject({ acked: 2, running: 0, unsettled: 0 })
  })

  it('is given as many as it asks for, and what gathers while it runs is the next batch', async () => {
    const ends = [gate(), gate(), gate()]
    const batches: number[][] = []
    const { subscription, clock } = await batched(
      async (messages) => {
        batches.push(ns(messages))
        await ends[batches.length - 1]!.promise
      },
      { batch: { max: 3 } },
    )
    subscription.deliver(...keyed(1))
    await clock.advance(0)
    subscription.deliver(...keyed(6).slice(1))
    await clock.advance(0)
    expect(batches).toEqual([[0]])
    ends[0]!.open()
    await clock.advance(0)
    expect(batches).toEqual([[0], [1, 2, 3]])
    ends[1]!.open()
    await clock.advance(0)
    expect(batches).toEqual([[0], [1, 2, 3], [4, 5]])
  })

  it('has at most one message of a key in a batch, and those of a key in their order', async () => {
    const batches: string[][] = []
    const { subscription, clock } = await batched((messages) => {
      batches.push(messages.map(({ data }) => `${data.key}${data.n}`))
    })
    subscription.deliver({ key: 'a', n: 1 }, { key: 'a', n: 2 }, { key: 'b', n: 1 }, { key: 'a', n: 3 })
    await clock.advance(0)
    expect(batches).toEqual([['a1', 'b1'], ['a2'], ['a3']])
  })

  it('runs as many at a time as the concurrency says', async () => {
    const end = gate()
    const handler = vi.fn(() => end.promise)
    const { subscription, clock, bus } = await batched(handler, { batch: { max: 2 }, concurrency: 3 })
    subscription.deliver(...keyed(10))
    await clock.advance(0)
    expect(handler).toHaveBeenCalledTimes(3)
    expect(bus.stats()[0]!.running).toBe(3)
    end.open()
    await clock.advance(0)
    expect(handler).toHaveBeenCalledTimes(5)
  })

  it('waits for more where it is told to, and no longer than that', async () => {
    const batches: number[][] = []
    const { subscription, clock } = await batched((messages) => void batches.push(ns(messages)), {
      batch: { max: 4, waitMs: 100 },
    })
    subscription.deliver(...keyed(1))
    await clock.advance(50)
    subscription.deliver(...keyed(2).slice(1))
    await clock.advance(49)
    expect(batches).toEqual([])
    await clock.advance(20)
    expect(batches).toEqual([[0, 1]])
    subscription.deliver(...keyed(6).slice(2))
    await clock.advance(0)
    expect(batches).toEqual([
      [0, 1],
      [2, 3, 4, 5],
    ])
    await clock.advance(1_000)
    expect(batches).toHaveLength(2)
  })

  it('prefetches two batches for each that runs', () => {
    const { bus } = scriptedRig()
    bus.onBatch(Ordered, { group: 'a', batch: { max: 1_000 }, concurrency: 2 }, () => {})
    bus.onBatch(Ordered, { group: 'b' }, () => {})
    expect(bus.describe()).toMatchObject([
      { prefetch: 4_000, batch: { max: 1_000, waitMs: 0 } },
      { prefetch: 256, concurrency: 1, batch: { max: 100, waitMs: 0 } },
    ])
  })

  it('never sees what cannot be read, which is dead-lettered by itself', async () => {
    const handler = vi.fn((_: Messages) => {})
    const { subscription, clock } = await batched(handler)
    subscription.deliver({ key: 'a', n: 1 }, { body: '{' }, { key: 'b', n: 2 }, { body: '{"key":1}' })
    await clock.advance(0)
    expect(handler.mock.calls.map(([messages]) => ns(messages))).toEqual([[1, 2]])
    expect(kinds(subscription.settlements).sort()).toEqual(['1 ack', '2 publish', '3 ack', '4 publish'])
    subscription.deliver({ body: '{' })
    await clock.advance(0)
    expect(handler).toHaveBeenCalledOnce()
  })

  it('waits for schemas that take their time', async () => {
    const data = z.object({ n: z.number() }).refine(async ({ n }) => n > 0)
    const Checked = command('shop.checked', { data })
    const { bus, engine, clock } = scriptedRig()
    const seen: number[] = []
    bus.handleBatch(Checked, { retry: false }, (messages) => void seen.push(...messages.map((one) => one.data.n)))
    await bus.start()
    engine.subscription.deliver({ n: 1 }, { n: 0 }, { n: 2 })
    await vi.waitFor(() => expect(engine.subscription.settlements).toHaveLength(3))
    await clock.advance(0)
    expect(seen).toEqual([1, 2])
    expect(kinds(engine.subscription.settlements).sort()).toEqual(['1 ack', '2 publish', '3 ack'])
  })

  it('does not see what is lost, expired or exhausted before its turn', async () => {
    const end = gate()
    const handler = vi.fn((_: Messages) => end.promise)
    const { subscription, clock, bus } = await batched(handler, { batch: { max: 10 } })
    subscription.deliver({ key: 'x', n: 0 })
    await clock.advance(0)
    const expired = recordOf({ id: 'e', channel: 'shop.ordered', expiresAtMs: clock.nowMs() })
    const [lost] = subscription.deliver(
      { key: 'a', n: 1 },
      { key: 'b', n: 2 },
      { record: expired },
      { key: 'c', n: 3, attempt: 99 },
    )
    subscription.sink.lost([lost!], gone)
    end.open()
    await clock.advance(0)
    expect(handler.mock.calls.map(([messages]) => ns(messages))).toEqual([[0], [2]])
    expect(bus.stats()[0]).toMatchObject({ lost: 1, expired: 1, deadLettered: 2, acked: 2 })
  })
})

describe('the outcome of a batch', () => {
  it('is one for each message: those that failed go their own ways', async () => {
    const { subscription, clock, bus } = await batched((messages) =>
      messages.map(({ data }) => {
        return [undefined, reject('no'), retryLater('later'), new PosthasteError('UNAVAILABLE', 'x')][data.n]
      }),
    )
    subscription.deliver(...keyed(4))
    await clock.advance(0)
    expect(kinds(subscription.settlements)).toEqual(['1 ack', '2 publish', '3 retry', '4 retry'])
    expect(bus.stats()[0]).toMatchObject({ acked: 1, deadLettered: 1, retried: 2 })
  })

  it.each<[string, Handler]>([
    [
      'throws',
      () => {
        throw new Error('no')
      },
    ],
    [
      'rejects',
      async () => {
        throw new Error('no')
      },
    ],
    ['returns a verdict', () => new PosthasteError('UNAVAILABLE', 'no')],
  ])('is the failure of all when the handler %s', async (_, handler) => {
    const { subscription, clock } = await batched(handler)
    subscription.deliver(...keyed(3))
    await clock.advance(0)
    expect(kinds(subscription.settlements)).toEqual(['1 retry', '2 retry', '3 retry'])
  })

  it.each<[string, unknown, RegExp]>([
    ['too few', [undefined], /1 outcomes for 2 messages/],
    ['rows of a database', [{ id: 1 }, { id: 2 }], /a object as an outcome/],
  ])('that is %s is the failure of all: nothing is acknowledged by mistake', async (_, answer, reason) => {
    const { subscription, clock } = await batched(() => answer, { retry: false })
    subscription.deliver(...keyed(2))
    await clock.advance(0)
    for (const settlement of subscription.settlements) {
      expect(settlement).toMatchObject({ publish: [{ headers: { dlmessage: expect.stringMatching(reason) } }] })
    }
    expect(subscription.settlements).toHaveLength(2)
  })

  it('may be any error, and anything that is no array is none', async () => {
    const { subscription, clock } = await batched((messages) => (ns(messages)[0] === 0 ? [new Error('x')] : 'fine'))
    subscription.deliver({ key: 'a', n: 0 })
    await clock.advance(0)
    subscription.deliver({ key: 'b', n: 1 })
    await clock.advance(0)
    expect(kinds(subscription.settlements)).toEqual(['1 retry', '2 ack'])
  })

  it('has the successors of a failed message go back with it', async () => {
    const { subscription, clock } = await batched(
      (messages) => messages.map(({ key }) => (key === 'a' ? new Error('x') : undefined)) as never,
    )
    subscription.deliver({ key: 'a', n: 1 }, { key: 'a', n: 2 }, { key: 'b', n: 1 }, { key: 'b', n: 2 })
    await clock.advance(0)
    expect(kinds(subscription.settlements).sort()).toEqual(['1 retry', '2 hand back', '3 ack', '4 ack'])
  })
})

describe('what a batch publishes', () => {
  it('leaves with the message whose context published it, and only where that was handled', async () => {
    const { subscription, clock } = await batched(async (messages) => {
      for (const { data, publish } of messages.map((one) => ({ data: one.data, publish: one.publish.bind(one) }))) {
        void publish(Noted, { n: data.n })
      }
      return messages.map(({ data }) => (data.n === 1 ? reject('no') : undefined))
    })
    subscription.deliver(...keyed(3))
    await clock.advance(0)
    const published = subscription.settlements.map(
      (one) => one.kind === 'ack' && one.publish?.map(({ channel }) => channel),
    )
    expect(published).toEqual([['shop.noted'], ['posthaste.dead.points.shop.ordered'], ['shop.noted']])
    const [first] = subscription.settlements
    expect(first).toMatchObject({ publish: [{ headers: { causationid: 'm1' } }] })
  })

  it('is refused once the message has failed', async () => {
    let failed: Messages = []
    const { subscription, clock } = await batched((messages) => {
      failed = messages
      return new PosthasteError('UNAVAILABLE', 'no')
    })
    subscription.deliver(...keyed(1))
    await clock.advance(0)
    expect(() => failed[0]!.publish(Noted, { n: 1 })).toThrow(expect.objectContaining({ code: 'FAILED_PRECONDITION' }))
  })

  it('fails its message alone when it is wrong', async () => {
    const { subscription, clock } = await batched((messages) => {
      for (const one of messages) void one.publish(Noted, { n: one.data.n === 1 ? ('x' as never) : 1 }).catch(() => {})
      return messages.map(({ data }) => (data.n === 1 ? new PosthasteError('PAYLOAD_INVALID', 'x') : undefined))
    })
    subscription.deliver(...keyed(2))
    await clock.advance(0)
    expect(kinds(subscription.settlements)).toEqual(['1 publish', '2 publish'])
  })
})

describe('attempts at once', () => {
  it('are made with those alone that failed and are worth one', async () => {
    const batches: number[][] = []
    const { subscription, clock } = await batched(
      (messages) => {
        batches.push(ns(messages))
        const round = batches.length
        return messages.map(({ data: { n } }) => {
          if (n === 0) return undefined
          if (n === 1) return reject('never')
          return n === 2 && round === 2 ? undefined : new PosthasteError('UNAVAILABLE', 'x')
        })
      },
      { retry: { immediate: 2 } },
    )
    subscription.deliver(...keyed(4))
    await clock.advance(1_000)
    expect(batches).toEqual([[0, 1, 2, 3], [2, 3], [3]])
    expect(kinds(subscription.settlements).sort()).toEqual(['1 ack', '2 publish', '3 ack', '4 retry'])
  })

  it('number each message’s own attempts', async () => {
    const attempts: number[][] = []
    const { subscription, clock } = await batched(
      (messages) => {
        attempts.push(messages.map(({ attempt }) => attempt))
        return messages.map(() => new PosthasteError('UNAVAILABLE', 'x'))
      },
      { retry: { immediate: 1 } },
    )
    subscription.deliver({ key: 'a', n: 1 }, { key: 'b', n: 1, attempt: 3 })
    await clock.advance(1_000)
    expect(attempts).toEqual([
      [1, 5],
      [2, 6],
    ])
  })

  it('have their own time, and what an attempt answers after it is dropped', async () => {
    const ends = [gate(), gate()]
    const signals: AbortSignal[] = []
    const { subscription, clock, bus } = await batched(
      async (messages, { signal }) => {
        signals.push(signal, messages[0]!.signal)
        await ends[signals.length / 2 - 1]!.promise
      },
      { retry: { immediate: 1 }, timeoutMs: 100 },
    )
    subscription.deliver(...keyed(2))
    await clock.advance(150)
    expect(signals).toHaveLength(4)
    expect(signals[0]!.reason).toMatchObject({ code: 'DEADLINE_EXCEEDED' })
    expect(signals[1]!.reason).toMatchObject({ code: 'DEADLINE_EXCEEDED' })
    expect([signals[2]!.aborted, signals[3]!.aborted]).toEqual([false, false])
    ends[0]!.open()
    await clock.advance(0)
    expect(subscription.settlements).toEqual([])
    ends[1]!.fail(new Error('no'))
    await clock.advance(0)
    expect(kinds(subscription.settlements)).toEqual(['1 retry', '2 retry'])
    expect(bus.stats()[0]).toMatchObject({ acked: 0, retried: 2 })
  })

  it('that a filter refuses leave the messages as they were', async () => {
    const refusal = new PosthasteError('OVERLOADED', 'not now', { retryAfterMs: 50 })
    const filter = {
      role: 'gate',
      describe: () => ({ role: 'gate' }),
      apply: () => {
        throw refusal
      },
    }
    const { subscription, clock } = await batched(() => {}, {
      stack: (editor) => editor.insertAfter('retry', filterSlot(filter)),
    })
    subscription.deliver(...keyed(2))
    await clock.advance(0)
    expect(kinds(subscription.settlements)).toEqual(['1 hand back', '2 hand back'])
  })
})

describe('a batch in the middle', () => {
  it('is told of a message that is lost, whose outcome is dropped, and goes on with the others', async () => {
    const end = gate()
    let seen: Messages = []
    let whole: AbortSignal | undefined
    const { subscription, clock, bus } = await batched(async (messages, { signal }) => {
      seen = messages
      whole = signal
      await end.promise
    })
    const [first, second] = subscription.deliver(...keyed(2))
    await clock.advance(0)
    const signals = seen.map(({ signal }) => signal)
    subscription.sink.lost([first!], gone)
    expect(signals.map(({ reason }) => reason)).toEqual([gone, undefined])
    expect(whole!.aborted).toBe(false)
    end.open()
    await clock.advance(0)
    expect(kinds(subscription.settlements)).toEqual([`${second} ack`])
    expect(bus.stats()[0]).toMatchObject({ lost: 1, acked: 1, running: 0, unsettled: 0 })
    expect(subscription.credit).toBe(256 + 2)
  })

  it('is told as a whole when all of it is lost', async () => {
    const end = gate()
    let whole: AbortSignal | undefined
    const { subscription, clock } = await batched(async (_, { signal }) => {
      whole = signal
      await end.promise
    })
    const tags = subscription.deliver(...keyed(3))
    await clock.advance(0)
    subscription.sink.lost(tags, gone)
    expect(whole!.reason).toBe(gone)
    end.open()
  })

  it('is let end by a close, which hands back what has not begun', async () => {
    const end = gate()
    const { subscription, clock, bus } = await batched(() => end.promise, { batch: { max: 2 } })
    subscription.deliver(...keyed(3))
    await clock.advance(0)
    const closing = bus.close({ graceMs: 1_000 })
    await clock.advance(10)
    expect(kinds(subscription.settlements)).toEqual(['3 hand back'])
    end.open()
    await closing
    expect(kinds(subscription.settlements)).toEqual(['3 hand back', '1 ack', '2 ack'])
  })

  it('is cancelled after the grace and handed back uncounted; what waits for more is, too', async () => {
    const end = gate()
    let whole: AbortSignal | undefined
    const { subscription, clock, bus } = await batched(
      async (_, { signal }) => {
        whole = signal
        await end.promise
      },
      { batch: { max: 2, waitMs: 60_000 } },
    )
    subscription.deliver(...keyed(3))
    await clock.advance(0)
    const closing = bus.close({ graceMs: 100 })
    await clock.advance(200)
    await closing
    expect(whole!.reason).toMatchObject({ code: 'CANCELLED' })
    expect(kinds(subscription.settlements)).toEqual(['3 hand back', '1 hand back', '2 hand back'])
    end.open()
    await clock.advance(0)
    expect(bus.stats()[0]).toMatchObject({ handedBack: 3, acked: 0, deadLettered: 0 })
  })

  it('whose settlements fail is settled again, never handled again', async () => {
    const handler = vi.fn()
    const { subscription, clock, bus } = await batched(handler)
    let failures = 4
    subscription.outcomeOf = () => (failures-- > 0 ? { ok: false, error: gone } : succeeded)
    subscription.deliver(...keyed(3))
    await clock.advance(60_000)
    expect(handler).toHaveBeenCalledOnce()
    expect(bus.stats()[0]).toMatchObject({ acked: 3, unsettled: 0 })
  })
})

describe('batches on a real engine', () => {
  it('lose nothing, keep the order of keys over failures, and handle each to its end', async () => {
    const shapes = fc.record({
      max: fc.integer({ min: 1, max: 7 }),
      waitMs: fc.constantFrom(0, 5),
      concurrency: fc.integer({ min: 1, max: 3 }),
      failing: fc.array(fc.boolean(), { minLength: 5, maxLength: 40 }),
    })
    await fc.assert(
      fc.asyncProperty(shapes, async ({ max, waitMs, concurrency, failing }) => {
        const { bus, clock } = await memoryRig({ random: half })
        const handled = new Map<string, number[]>()
        let turn = 0
        const retry = { immediate: 0, delayed: 60, baseMs: 10, maxMs: 20 }
        bus.onBatch(Ordered, { group: 'g', batch: { max, waitMs }, concurrency, retry }, async (messages) => {
          expect(new Set(messages.map(({ key }) => key)).size).toBe(messages.length)
          await new Promise<void>((resolve) => void clock.setTimer(1, resolve))
          return messages.map(({ data: { key, n } }) => {
            if (failing[turn++ % failing.length] && turn < 200) return new PosthasteError('UNAVAILABLE', 'x')
            handled.set(key, [...(handled.get(key) ?? []), n])
            return undefined
          })
        })
        await bus.start()
        await bus.publishAll(
          Ordered,
          Array.from({ length: 40 }, (_, n) => ({ key: `k${n % 4}`, n })),
        )
        await clock.advance(60_000)
        for (let key = 0; key < 4; key++) {
          expect(handled.get(`k${key}`)).toEqual(Array.from({ length: 10 }, (_, n) => key + n * 4))
        }
        expect(bus.stats()[0]).toMatchObject({ acked: 40, deadLettered: 0, unsettled: 0 })
        await bus.close()
      }),
      { numRuns: 25 },
    )
  })
})

describe('batches of a pattern', () => {
  it('are those of each event that matches', async () => {
    const { bus, clock } = await memoryRig()
    const batches: string[][] = []
    const handler = (messages: readonly BatchMessage[]) => void batches.push(messages.map(({ type }) => type))
    bus.onBatch(events('shop.*', { data: z.unknown() }), { group: 'audit' }, handler)
    await bus.start()
    await Promise.all([1, 2].flatMap((n) => [bus.publish(Noted, { n }), bus.publish(Ordered, { key: `k${n}`, n })]))
    await clock.advance(100)
    expect(batches.sort()).toEqual([Array(2).fill('shop.noted'), Array(2).fill('shop.ordered')])
    await bus.close()
  })
})
