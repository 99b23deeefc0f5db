import { command, event, type Filter, PosthasteError, type Settlement, type Timer } from '@posthaste/contracts'
import { describe, expect, it, vi } from 'vitest'
import { z } from 'zod'
import { errorOf, type Gate, gate, Noted, Ordered, scriptedRig } from '../../test/bus/rig.ts'
import { filterSlot } from '../pipeline/stack.ts'
import { type TimerWheel, timerWheel } from '../pipeline/timer-wheel.ts'
import { manualClock } from '../testing/manual-clock.ts'
import type { SubscribeOptions } from './options.ts'

const Deduct = command('shop.stock.deduct', { data: z.object({ n: z.number() }) })
const gone = new PosthasteError('UNAVAILABLE', 'connection lost')

const kinds = (settlements: readonly Settlement[]): string[] =>
  settlements.map((settlement) => {
    if (settlement.kind === 'ack') return `${settlement.tag} ${settlement.publish === undefined ? 'ack' : 'publish'}`
    return `${settlement.tag} ${settlement.countsAttempt ? 'retry' : 'hand back'}`
  })

/** Handlers that run until the test ends them. */
function gated() {
  const runs: { n: number; signal: AbortSignal; end: Gate }[] = []
  const handler = (data: { n: number }, context: { signal: AbortSignal }): Promise<void> => {
    const end = gate()
    runs.push({ n: data.n, signal: context.signal, end })
    return end.promise
  }
  return { runs, handler }
}

async function started(handler: unknown, options: Partial<SubscribeOptions> = {}) {
  const rig = scriptedRig()
  rig.bus.on(Ordered, { group: 'points', retry: { immediate: 0 }, ...options }, handler as never)
  await rig.bus.start()
  return { ...rig, subscription: rig.engine.subscription }
}

/** Whether a promise has been settled by now. */
async function isSettled(promise: Promise<unknown>): Promise<boolean> {
  const pending = Symbol('pending')
  await new Promise((resolve) => setImmediate(resolve))
  return (await Promise.race([promise, Promise.resolve(pending)])) !== pending
}

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
    expect(() => bus.on(Deduct as never, { group: 'g' }, () => {})).toThrow(
      expect.objectContaining({ code: 'CONTRACT_INVALID' }),
    )
    expect(() => bus.handle(Ordered as never, () => {})).toThrow(expect.objectContaining({ code: 'CONTRACT_INVALID' }))
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
    const { bus } = await started(() => {})
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
    const { clock, subscription } = await started(() => {}, {
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

describe('start', () => {
  it('fails with everything that the engine cannot do, before anything is declared', async () => {
    const { bus, engine } = scriptedRig({ can: { delay: 'none', holdKey: 'none' } })
    bus.on(Ordered, { group: 'points' }, () => {})
    bus.on(Noted, { group: 'points' }, () => {})
    const error = await errorOf(bus.start())
    expect(error.code).toBe('CAPABILITY_UNSUPPORTED')
    expect(error.issues.map(({ path }) => path)).toEqual([
      'shop.ordered@points',
      'shop.ordered@points',
      'shop.noted@points',
    ])
    expect(engine.topologies).toEqual([])
  })

  it('fails, and leaves the groups it had joined, when one cannot be joined', async () => {
    const { bus, engine } = scriptedRig()
    bus.on(Ordered, { group: 'points' }, () => {})
    bus.on(Noted, { group: 'points' }, () => {})
    let joins = 0
    engine.beforeSubscribe = async () => {
      joins += 1
      if (joins === 2) throw gone
    }
    expect(await errorOf(bus.start())).toBe(gone)
    expect(engine.subscription.stops).toBe(1)
    await bus.close()
  })

  it('fails on drift', async () => {
    const { bus, engine } = scriptedRig()
    engine.drift = [{ name: 'shop.ordered', setting: 'keyed', wanted: 'true', found: 'false' }]
    bus.on(Ordered, { group: 'points' }, () => {})
    expect(await errorOf(bus.start())).toMatchObject({ code: 'TOPOLOGY_DRIFT', issues: [{ path: 'shop.ordered' }] })
  })
})

describe('a subscription that ends by itself', () => {
  it('is reported, its handlers are cancelled, and it is begun again', async () => {
    const { runs, handler } = gated()
    const { engine, subscription, clock, log, bus } = await started(handler)
    subscription.deliver({ key: 'a', n: 1 }, { key: 'a', n: 2 })
    await clock.advance(0)
    subscription.sink.closed(gone)
    expect(runs[0]!.signal.reason).toBe(gone)
    expect(bus.stats()[0]).toMatchObject({ state: 'waiting', lost: 2, restarts: 1 })
    expect(log.entries).toContainEqual(
      expect.objectContaining({ level: 'error', fields: expect.objectContaining({ error: gone }) }),
    )
    runs[0]!.end.open()
    await clock.advance(200)
    expect(engine.subscriptions).toHaveLength(2)
    expect(subscription.stops).toBe(1)
    expect(subscription.settlements).toEqual([])
    engine.subscription.deliver({ key: 'a', n: 1 })
    await clock.advance(0)
    runs[1]!.end.open()
    await clock.advance(0)
    expect(bus.stats()[0]).toMatchObject({ state: 'running', acked: 1 })
  })

  it('begins again only after the old handlers have ended, so that no key is handled twice at a time', async () => {
    const { runs, handler } = gated()
    const { engine, subscription, clock } = await started(handler)
    subscription.deliver({ key: 'a', n: 1 })
    await clock.advance(0)
    subscription.sink.closed(gone)
    await clock.advance(5_000)
    expect(engine.subscriptions).toHaveLength(1)
    runs[0]!.end.open()
    await clock.advance(0)
    expect(engine.subscriptions).toHaveLength(2)
  })

  it('does not wait forever for a handler that ignores its signal', async () => {
    const { handler } = gated()
    const { engine, subscription, clock } = await started(handler)
    subscription.deliver({ key: 'a', n: 1 })
    await clock.advance(0)
    subscription.sink.closed(gone)
    await clock.advance(11_000)
    expect(engine.subscriptions).toHaveLength(2)
  })

  it('waits longer each time that it cannot be begun', async () => {
    const { engine, subscription, clock, bus } = await started(() => {})
    let tries = 0
    engine.beforeSubscribe = async () => {
      tries += 1
      throw gone
    }
    subscription.sink.closed(gone)
    await clock.advance(10_000)
    expect(tries).toBeGreaterThan(3)
    expect(tries).toBeLessThan(8)
    engine.beforeSubscribe = async () => {}
    await clock.advance(30_000)
    expect(bus.stats()[0]).toMatchObject({ state: 'running' })
  })

  it('is not told of twice', async () => {
    const { engine, subscription, clock, bus } = await started(() => {})
    subscription.sink.closed(gone)
    subscription.sink.closed(gone)
    subscription.deliver({ key: 'a', n: 1 })
    await clock.advance(1_000)
    expect(engine.subscriptions).toHaveLength(2)
    expect(bus.stats()[0]).toMatchObject({ restarts: 1, delivered: 0 })
  })

  it('may do so before the engine has handed it out', async () => {
    const { bus, engine, clock } = scriptedRig()
    bus.on(Noted, { group: 'points' }, () => {})
    const subscribe = engine.subscribe.bind(engine)
    engine.subscribe = async (spec, sink) => {
      const subscription = await subscribe(spec, sink)
      if (engine.subscriptions.length === 1) sink.closed(gone)
      return subscription
    }
    await bus.start()
    expect(engine.subscriptions[0]!.grants).toEqual([])
    await clock.advance(1_000)
    expect(bus.stats()[0]).toMatchObject({ state: 'running', restarts: 1 })
  })

  it.each([
    [
      'settles',
      (subscription: object) =>
        Object.assign(subscription, {
          settle: () => {
            throw new Error('bug')
          },
        }),
    ],
    ['answers settlements', (subscription: object) => Object.assign(subscription, { settle: async () => undefined })],
  ])('is also one whose engine breaks when it %s', async (_, sabotage) => {
    const { engine, subscription, clock, bus, log } = await started(() => {})
    sabotage(subscription)
    subscription.deliver({ key: 'a', n: 1 })
    await clock.advance(1_000)
    expect(log.entries.filter(({ level }) => level === 'error')).toHaveLength(1)
    expect(engine.subscriptions).toHaveLength(2)
    expect(bus.stats()[0]).toMatchObject({ state: 'running', restarts: 1 })
  })

  it('is also one that delivers nonsense', async () => {
    const { engine, subscription, clock, bus } = await started(() => {})
    expect(() => subscription.sink.deliver([undefined as never])).not.toThrow()
    await clock.advance(1_000)
    expect(engine.subscriptions).toHaveLength(2)
    expect(bus.stats()[0]).toMatchObject({ state: 'running' })
  })
})

describe('close', () => {
  it('hands back what has not begun, uncounted and in order, and lets running handlers end', async () => {
    const { runs, handler } = gated()
    const { subscription, clock, bus } = await started(handler, { concurrency: 2 })
    subscription.deliver(
      { key: 'a', n: 1 },
      { key: 'a', n: 2 },
      { key: 'b', n: 1 },
      { key: 'c', n: 1 },
      { key: 'c', n: 2 },
    )
    await clock.advance(0)
    const closing = bus.close()
    await clock.advance(0)
    expect(kinds(subscription.settlements)).toEqual(['4 hand back', '5 hand back'])
    expect(subscription.stops).toBe(0)
    expect(bus.stats()[0]).toMatchObject({ state: 'draining', running: 2 })
    for (const run of runs) run.end.open()
    await closing
    expect(kinds(subscription.batches[1]!)).toEqual(['1 ack', '2 hand back', '3 ack'])
    expect(runs).toHaveLength(2)
    expect(subscription.stops).toBe(1)
    expect(bus.stats()[0]).toMatchObject({
      state: 'stopped',
      acked: 2,
      handedBack: 3,
      deadLettered: 0,
      retried: 0,
      unsettled: 0,
    })
    expect(subscription.grants).toEqual([256])
  })

  it('cancels handlers when the grace is over, and hands their messages back too', async () => {
    const { runs, handler } = gated()
    const { subscription, clock, bus } = await started(handler)
    subscription.deliver({ key: 'a', n: 1 }, { key: 'a', n: 2 })
    await clock.advance(0)
    const closing = bus.close({ graceMs: 500 })
    await clock.advance(400)
    expect(runs[0]!.signal.aborted).toBe(false)
    await clock.advance(200)
    expect(runs[0]!.signal.reason).toMatchObject({ code: 'CANCELLED' })
    await closing
    expect(kinds(subscription.settlements)).toEqual(['1 hand back', '2 hand back'])
    runs[0]!.end.fail(new Error('cancelled'))
    await clock.advance(0)
    expect(subscription.settlements).toHaveLength(2)
    expect(bus.stats()[0]).toMatchObject({ handedBack: 2, deadLettered: 0, retried: 0 })
  })

  it('lets a handler that fails meanwhile have its retry', async () => {
    const { runs, handler } = gated()
    const { subscription, clock, bus } = await started(handler)
    subscription.deliver({ key: 'a', n: 1 })
    await clock.advance(0)
    const closing = bus.close()
    runs[0]!.end.fail(new Error('no'))
    await closing
    expect(kinds(subscription.settlements)).toEqual(['1 retry'])
  })

  it('hands back what was still on its way', async () => {
    const { runs, handler } = gated()
    const { subscription, clock, bus } = await started(handler)
    subscription.deliver({ key: 'a', n: 1 })
    await clock.advance(0)
    const closing = bus.close()
    subscription.deliver({ key: 'a', n: 2 }, { key: 'b', n: 1 })
    await clock.advance(0)
    expect(kinds(subscription.settlements)).toEqual(['3 hand back'])
    runs[0]!.end.open()
    await closing
    expect(kinds(subscription.settlements)).toEqual(['3 hand back', '1 ack', '2 hand back'])
  })

  it('lets handlers publish until they end', async () => {
    const running = gate()
    const { subscription, clock, bus, engine } = await started(async () => {
      await running.promise
      await bus.publish(Noted, { n: 1 })
    })
    subscription.deliver({ key: 'a', n: 1 })
    await clock.advance(0)
    const closing = bus.close()
    running.open()
    await closing
    expect(engine.records).toHaveLength(1)
    expect(bus.stats()[0]).toMatchObject({ acked: 1 })
  })

  it('does not wait for an engine that cannot settle, and does not acknowledge in its stead', async () => {
    const { subscription, clock, bus } = await started(() => {})
    subscription.outcomeOf = () => ({ ok: false, error: gone })
    subscription.deliver({ key: 'a', n: 1 })
    await clock.advance(0)
    const closing = bus.close({ graceMs: 100 })
    await clock.advance(5_000)
    expect(await isSettled(closing)).toBe(true)
    expect(bus.stats()[0]).toMatchObject({ state: 'stopped', acked: 0 })
  })

  it('is the same however often it is asked for', async () => {
    const { subscription, bus } = await started(() => {})
    const closing = bus.close()
    expect(bus.close()).toBe(closing)
    await closing
    await bus.close()
    expect(subscription.stops).toBe(1)
  })

  it('refuses options that are wrong, and goes on', async () => {
    const { bus } = await started(() => {})
    for (const options of [{ graceMs: -1 }, { grace: 5 }]) {
      expect(() => bus.close(options as never)).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID' }))
    }
    expect(bus.stats()[0]).toMatchObject({ state: 'running' })
  })

  it('leaves no timer of its own behind', async () => {
    const { bus, clock } = scriptedRig({ can: { leaseMs: 30_000 } })
    bus.on(Noted, { group: 'points' }, () => {})
    await bus.start()
    expect(clock.pending()).toBe(1)
    await bus.close()
    expect(clock.pending()).toBe(0)
  })

  it('leaves nothing behind on timers that it shares', async () => {
    const clock = manualClock()
    const wheel = timerWheel(clock)
    const set = new Set<object>()
    const timers: TimerWheel = {
      set(delayMs, fire) {
        const timer: Timer = wheel.set(delayMs, () => {
          set.delete(timer)
          fire()
        })
        set.add(timer)
        return {
          cancel() {
            set.delete(timer)
            timer.cancel()
          },
        }
      },
      close: () => {
        throw new Error('it is not the bus’s to close')
      },
    }
    const { bus, engine } = scriptedRig({ can: { leaseMs: 30_000 }, clock, timers })
    bus.on(Noted, { group: 'points' }, () => {})
    bus.on(Ordered, { group: 'points' }, () => {})
    await bus.start()
    engine.subscription.sink.closed(gone)
    expect(set.size).toBe(2)
    await bus.close()
    expect(set.size).toBe(0)
  })

  it('of a bus that never began has nothing to do', async () => {
    const { bus, engine } = scriptedRig()
    bus.on(Noted, { group: 'points' }, () => {})
    await bus.close()
    expect(engine.subscriptions).toEqual([])
    expect(await errorOf(bus.start())).toMatchObject({ code: 'FAILED_PRECONDITION' })
  })

  it('ends a subscription that waits to be begun again', async () => {
    const { engine, subscription, clock, bus } = await started(() => {})
    subscription.sink.closed(gone)
    await bus.close()
    await clock.advance(60_000)
    expect(engine.subscriptions).toHaveLength(1)
  })

  it('leaves a group that is just being joined', async () => {
    const { bus, engine, clock } = scriptedRig()
    await bus.start()
    const joining = gate()
    engine.beforeSubscribe = () => joining.promise
    bus.on(Noted, { group: 'late' }, () => {})
    await clock.advance(0)
    const closing = bus.close()
    expect(await isSettled(closing)).toBe(false)
    joining.open()
    await closing
    expect(engine.subscription.stops).toBe(1)
    expect(engine.subscription.grants).toEqual([])
  })

  it('is not held up by an engine that does not let go', async () => {
    const { subscription, bus, log } = await started(() => {})
    subscription.stop = () => Promise.reject(gone)
    await bus.close()
    expect(log.entries).toContainEqual(expect.objectContaining({ level: 'warn' }))
  })
})

describe('a breaker', () => {
  it('that opens pauses the consumer: nothing is begun, granted or sent round in circles, until it closes', async () => {
    let healthy = false
    const handler = vi.fn(async () => {
      if (!healthy) throw new Error('database down')
    })
    const breaker = { callsMin: 5, failurePercent: 50, openMs: 30_000 }
    const { subscription, clock, bus } = await started(handler, { breaker, concurrency: 1, prefetch: 20 })
    subscription.deliver(...Array.from({ length: 20 }, (_, n) => ({ key: `k${n}`, n })))
    await clock.advance(5_000)
    const calls = handler.mock.calls.length
    const { credit } = subscription
    expect(calls).toBeLessThan(12)
    // What the last failures have settled is withheld.
    expect(credit).toBeLessThan(20 + calls)
    await clock.advance(5_000)
    expect(handler).toHaveBeenCalledTimes(calls)
    expect(subscription.credit).toBe(credit)
    expect(kinds(subscription.settlements)).toHaveLength(calls)
    healthy = true
    await clock.advance(120_000)
    expect(bus.stats()[0]).toMatchObject({ deadLettered: 0, handedBack: 0, unsettled: 0 })
    expect(subscription.credit).toBe(40)
  })
})

describe('a filter that takes no calls for now', () => {
  it('is asked again after a second at most, in case it recovers early', async () => {
    let notReadyMs = 60_000
    const filter: Filter = {
      role: 'gatekeeper',
      describe: () => ({ role: 'gatekeeper' }),
      apply: (call, next) => next(call),
      notReadyForMs: () => notReadyMs,
    }
    const { subscription, clock } = await started(() => {}, {
      stack: (editor) => editor.insertAfter('timeout', filterSlot(filter)),
    })
    expect(subscription.grants).toEqual([])
    notReadyMs = 0
    await clock.advance(1_020)
    expect(subscription.grants).toEqual([256])
  })
})

describe('a filter that refuses', () => {
  const refusing = (error: PosthasteError): SubscribeOptions['stack'] => {
    const filter: Filter = {
      role: 'gatekeeper',
      describe: () => ({ role: 'gatekeeper' }),
      apply() {
        throw error
      },
    }
    return (editor) => editor.insertAfter('timeout', filterSlot(filter))
  }

  it('sends the message back uncounted and later, and its key with it', async () => {
    const handler = vi.fn()
    const stack = refusing(new PosthasteError('OVERLOADED', 'full', { retryAfterMs: 700 }))
    const { subscription, clock, bus } = await started(handler, { stack })
    const atMs = clock.nowMs()
    subscription.deliver({ key: 'a', n: 1 }, { key: 'a', n: 2 })
    await clock.advance(0)
    expect(subscription.settlements).toEqual([
      { kind: 'release', tag: 1, countsAttempt: false, visibleAtMs: atMs + 700, holdKey: true },
      { kind: 'release', tag: 2, countsAttempt: false, holdKey: false },
    ])
    expect(handler).not.toHaveBeenCalled()
    expect(bus.stats()[0]).toMatchObject({ handedBack: 2, retried: 0 })
  })

  it('by any other error is a failure like any other', async () => {
    const { subscription, clock } = await started(() => {}, {
      stack: refusing(new PosthasteError('PERMISSION_DENIED', 'no')),
    })
    subscription.deliver({ key: 'a', n: 1 })
    await clock.advance(0)
    expect(kinds(subscription.settlements)).toEqual(['1 publish'])
  })

  it('is not meant where the handler itself was refused by something else', async () => {
    const { subscription, clock } = await started(() => {
      throw new PosthasteError('BREAKER_OPEN', 'inventory is down', { retryAfterMs: 700 })
    })
    subscription.deliver({ key: 'a', n: 1 })
    await clock.advance(0)
    expect(subscription.settlements).toMatchObject([{ countsAttempt: true, visibleAtMs: clock.nowMs() + 700 }])
  })

  it('after the handler has failed only ends the attempts: the attempt counts, for the handler’s reason', async () => {
    let refuse = false
    const filter: Filter = {
      role: 'gatekeeper',
      describe: () => ({ role: 'gatekeeper' }),
      apply(call, next) {
        if (refuse) throw new PosthasteError('BREAKER_OPEN', 'open now')
        refuse = true
        return next(call)
      },
    }
    const { subscription, clock } = await started(
      () => {
        throw new Error('no')
      },
      { retry: { immediate: 1, delayed: 0 }, stack: (editor) => editor.insertAfter('timeout', filterSlot(filter)) },
    )
    subscription.deliver({ key: 'a', n: 1 })
    await clock.advance(500)
    expect(JSON.stringify(subscription.settlements)).toContain('HANDLER_FAILED')
    expect(kinds(subscription.settlements)).toEqual(['1 publish'])
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
