import { event, type Filter, PosthasteError } from '@posthaste/contracts'
import { describe, expect, it } from 'vitest'
import { gate, gated, kinds, memoryRig, Ordered, ordered, scriptedRig } from '../../../test/bus/rig.ts'
import { createCall } from '../../pipeline/call.ts'
import { buildStack, type FilterDeps, filterDeps, filterSlot } from '../../pipeline/stack.ts'
import { breaker } from '../../resilience/breaker/breaker.ts'
import { bulkhead } from '../../resilience/bulkhead/bulkhead.ts'
import { concurrencyLimit } from '../../resilience/concurrency/concurrency-limit.ts'
import { rateLimit } from '../../resilience/rate-limit/rate-limit.ts'
import type { ManualClock } from '../../testing/manual-clock.ts'
import type { SubscribeOptions } from './options.ts'

const depsOf = (clock: ManualClock): FilterDeps => filterDeps({ clock, random: () => 0.5, target: 'warehouse' })

/** Puts a filter that exists already into the stack around a handler, whether or not there is a slot of its role. */
const around =
  (filter: Filter): SubscribeOptions['stack'] =>
  (editor) => {
    const known = editor.slots.some(({ role }) => role === filter.role)
    return known ? editor.replace(filter.role, filterSlot(filter)) : editor.insertBefore('timeout', filterSlot(filter))
  }

/** Calls of a client in whose stack the filter stands, which run until the test ends them. */
function clientWith(filter: Filter, deps: FilterDeps) {
  const { runs, handler } = gated()
  const send = buildStack([filterSlot(filter)], {}, deps).around(() => handler({ n: runs.length }, neverAborted))
  const call = createCall({ kind: 'request', target: 'warehouse.Stock/check', id: 'c1', payload: undefined })
  const request = async (): Promise<void> => send(call)
  return {
    request,
    end: (at: number) => runs[at]?.end.open(),
    fail: (at: number, thrown: Error) => runs[at]?.end.fail(thrown),
  }
}

const neverAborted = { signal: new AbortController().signal }

/** Two consumers of one process, in two groups, around whose handlers the filter stands. */
async function twoConsumers(filterOf: (deps: FilterDeps) => Filter) {
  const rig = await memoryRig()
  const deps = depsOf(rig.clock)
  const filter = filterOf(deps)
  const handled: { readonly group: string; readonly n: number; readonly attempt: number; readonly atMs: number }[] = []
  let running = 0
  let peak = 0
  for (const group of ['points', 'mails']) {
    rig.bus.on(
      Ordered,
      { group, concurrency: 10, stack: around(filter), retry: { immediate: 0 } },
      async ({ n }, context) => {
        peak = Math.max(peak, ++running)
        await Promise.resolve()
        running -= 1
        handled.push({ group, n, attempt: context.attempt, atMs: rig.clock.nowMs() })
      },
    )
  }
  await rig.bus.start()
  const publish = async (count: number): Promise<void> => {
    const all = Promise.all(
      Array.from({ length: count }, (_, n) => rig.bus.publish(Ordered, { key: `k${n}`, n }).then(() => {})),
    )
    await rig.clock.advance(0)
    await all
  }
  return { ...rig, deps, filter, handled, publish, peak: () => peak }
}

describe('a bulkhead that two consumers and a client share', () => {
  it('holds messages back while it is full: none is handed back and no attempt is counted, however long it takes', async () => {
    const { filter, deps, clock, handled, publish, bus, peak } = await twoConsumers((given) =>
      bulkhead({ concurrency: 2, queue: 5 }, given),
    )
    const client = clientWith(filter, deps)
    void client.request()
    void client.request()
    await publish(20)
    await clock.advance(60_000)
    expect(handled).toEqual([])
    expect(bus.stats()).toMatchObject([
      { handedBack: 0, retried: 0, acked: 0 },
      { handedBack: 0, retried: 0, acked: 0 },
    ])
    client.end(0)
    await clock.advance(2_000)
    expect(handled).toHaveLength(40)
    expect(new Set(handled.map(({ attempt }) => attempt))).toEqual(new Set([1]))
    expect(peak()).toBe(1)
    client.end(1)
    await publish(20)
    await clock.advance(2_000)
    expect(handled).toHaveLength(80)
    expect(peak()).toBe(2)
    for (const stats of bus.stats())
      expect(stats).toMatchObject({ acked: 40, redelivered: 0, handedBack: 0, unsettled: 0 })
    expect(filter.snapshot?.()).toMatchObject({ running: 0, waiting: 0, refused: 0, timedOut: 0, peak: 2 })
  })
})

describe('a full bulkhead', () => {
  it('has a consumer ask for nothing, and begin nothing that it was granted before', async () => {
    const rig = scriptedRig()
    const deps = depsOf(rig.clock)
    const filter = bulkhead({ concurrency: 1 }, deps)
    const client = clientWith(filter, deps)
    void client.request()
    const { runs, handler } = gated()
    rig.bus.on(Ordered, { group: 'points', stack: around(filter) }, handler)
    await rig.bus.start()
    const { subscription } = rig.engine
    await rig.clock.advance(5_000)
    expect(subscription.grants).toEqual([])
    client.end(0)
    await rig.clock.advance(20)
    expect(subscription.grants).toEqual([256])
    void client.request()
    subscription.deliver({ key: 'a', n: 1 }, { key: 'b', n: 2 })
    await rig.clock.advance(5_000)
    expect(runs).toEqual([])
    client.end(1)
    await rig.clock.advance(20)
    expect(runs).toMatchObject([{ n: 1 }])
    runs[0]?.end.open()
    await rig.clock.advance(20)
    expect(runs).toMatchObject([{ n: 1 }, { n: 2 }])
    runs[1]?.end.open()
    await rig.clock.advance(0)
    expect(kinds(subscription.settlements)).toEqual(['1 ack', '2 ack'])
  })

  it('gives each consumer its turn where several have more than it lets through', async () => {
    const rig = scriptedRig()
    const filter = bulkhead({ concurrency: 1 }, depsOf(rig.clock))
    const handled = { points: 0, mails: 0 }
    for (const group of ['points', 'mails'] as const) {
      const handler = async (): Promise<void> => {
        await new Promise<void>((resolve) => void rig.clock.setTimer(20, resolve))
        handled[group] += 1
      }
      rig.bus.on(Ordered, { group, concurrency: 10, stack: around(filter) }, handler)
    }
    await rig.bus.start()
    const backlog = Array.from({ length: 200 }, (_, n) => ({ key: `k${n}`, n }))
    for (const subscription of rig.engine.subscriptions) subscription.deliver(...backlog)
    await rig.clock.advance(2_000)
    expect(handled.points + handled.mails).toBe(100)
    expect(Math.min(handled.points, handled.mails)).toBeGreaterThan(45)
    expect(filter.snapshot?.()).toMatchObject({ refused: 0, timedOut: 0 })
  })

  it('costs no time between two messages: the next begins when the one before has ended', async () => {
    const rig = scriptedRig()
    const filter = bulkhead({ concurrency: 1 }, depsOf(rig.clock))
    let handled = 0
    const handler = async (): Promise<void> => {
      await Promise.resolve()
      handled += 1
    }
    rig.bus.on(Ordered, { group: 'points', concurrency: 10, stack: around(filter) }, handler)
    await rig.bus.start()
    rig.engine.subscription.deliver(...Array.from({ length: 100 }, (_, n) => ({ key: `k${n}`, n })))
    await rig.clock.advance(0)
    expect(handled).toBe(100)
  })

  /** Looked at before they ask for a slot, so that more messages are on their way to it than there are. */
  const lookedAt = async (queue: number) => {
    const looking = gate()
    const Checked = event('shop.checked', {
      data: {
        '~standard': {
          version: 1,
          vendor: 'test',
          validate: async (value: unknown) => {
            await looking.promise
            return { value: value as { n: number } }
          },
        },
      },
    })
    const rig = scriptedRig()
    const filter = bulkhead({ concurrency: 1, queue }, depsOf(rig.clock))
    const { runs, handler } = gated()
    rig.bus.on(Checked, { group: 'points', concurrency: 3, stack: around(filter) }, handler)
    await rig.bus.start()
    const { subscription } = rig.engine
    subscription.deliver({ n: 1 }, { n: 2 }, { n: 3 })
    await rig.clock.advance(0)
    looking.open()
    await rig.clock.advance(0)
    return { ...rig, subscription, filter, runs }
  }

  it('has messages that are on their way to it wait in its queue', async () => {
    const { subscription, filter, runs, clock } = await lookedAt(2)
    expect(filter.snapshot?.()).toMatchObject({ running: 1, waiting: 2 })
    for (const at of [0, 1, 2]) {
      runs[at]?.end.open()
      await clock.advance(0)
    }
    expect(runs.map(({ n }) => n)).toEqual([1, 2, 3])
    expect(kinds(subscription.settlements)).toEqual(['1 ack', '2 ack', '3 ack'])
  })

  it('hands those back that its queue has no place for, later and uncounted', async () => {
    const { subscription, clock } = await lookedAt(1)
    expect(subscription.settlements).toEqual([
      { kind: 'release', tag: 3, countsAttempt: false, holdKey: false, visibleAtMs: clock.nowMs() + 1_000 },
    ])
  })
})

describe('a breaker that two consumers and a client share', () => {
  it('holds messages back while it is open, for whatever reason, and counts no attempt', async () => {
    const { filter, deps, clock, handled, publish, bus } = await twoConsumers((given) =>
      breaker({ callsMin: 4, openMs: 30_000 }, given),
    )
    const client = clientWith(filter, deps)
    for (let at = 0; at < 4; at++) {
      const failing = client.request()
      client.fail(at, new PosthasteError('UNAVAILABLE', 'the warehouse is down'))
      await expect(failing).rejects.toThrow('down')
    }
    await expect(client.request()).rejects.toMatchObject({ code: 'BREAKER_OPEN' })
    await publish(20)
    await clock.advance(29_000)
    expect(handled).toEqual([])
    await clock.advance(30_000)
    expect(handled).toHaveLength(40)
    expect(new Set(handled.map(({ attempt }) => attempt))).toEqual(new Set([1]))
    for (const stats of bus.stats())
      expect(stats).toMatchObject({ acked: 20, redelivered: 0, retried: 0, deadLettered: 0 })
  })
})

describe('a rate limit around handlers', () => {
  it('has messages begin at its rate, by withholding them and not by sending them round', async () => {
    const { handled, publish, clock, bus, filter } = await twoConsumers((given) =>
      rateLimit({ rate: 10, burst: 2 }, given),
    )
    const startMs = clock.nowMs()
    await publish(10)
    await clock.advance(5_000)
    expect(handled).toHaveLength(20)
    for (const [at, { atMs }] of handled.entries()) expect(atMs - startMs).toBeGreaterThanOrEqual((at - 1) * 100)
    for (const stats of bus.stats()) expect(stats).toMatchObject({ acked: 10, redelivered: 0, handedBack: 0 })
    expect(filter.snapshot?.()).toMatchObject({ allowed: 20, refused: 0 })
  })

  it('hands back, uncounted, what it refuses by its key', async () => {
    const filter = (deps: FilterDeps): Filter => rateLimit({ rate: 1, burst: 1, key: ({ target }) => target }, deps)
    const rig = await ordered(() => {}, { stack: (editor) => around(filter(filterDeps()))?.(editor) ?? editor })
    rig.subscription.deliver({ key: 'a', n: 1 }, { key: 'b', n: 2 })
    await rig.clock.advance(0)
    expect(kinds(rig.subscription.settlements)).toEqual(['1 ack', '2 hand back'])
  })
})

describe('a concurrency limit around handlers', () => {
  it('withholds messages while as many run as it allows', async () => {
    const { runs, handler } = gated()
    const rig = scriptedRig()
    const filter = concurrencyLimit({ initial: 2 }, depsOf(rig.clock))
    rig.bus.on(Ordered, { group: 'points', concurrency: 10, stack: around(filter) }, handler)
    await rig.bus.start()
    rig.engine.subscription.deliver(...Array.from({ length: 6 }, (_, n) => ({ key: `k${n}`, n })))
    await rig.clock.advance(1_000)
    expect(runs).toHaveLength(2)
    runs[0]?.end.open()
    await rig.clock.advance(20)
    expect(runs).toHaveLength(3)
    expect(kinds(rig.engine.subscription.settlements)).toEqual(['1 ack'])
  })
})
