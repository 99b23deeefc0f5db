import { PosthasteError, type Timer } from '@posthaste/contracts'
import { describe, expect, it } from 'vitest'
import { errorOf, gate, gated, kinds, memoryRig, Noted, Ordered, ordered, scriptedRig } from '../../../test/bus/rig.ts'
import { type TimerWheel, timerWheel } from '../../pipeline/timer-wheel.ts'
import { manualClock } from '../../testing/manual-clock.ts'

const gone = new PosthasteError('UNAVAILABLE', 'connection lost')

/** Whether a promise has been settled by now. */
async function isSettled(promise: Promise<unknown>): Promise<boolean> {
  const pending = Symbol('pending')
  await new Promise((resolve) => setImmediate(resolve))
  return (await Promise.race([promise, Promise.resolve(pending)])) !== pending
}

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
    const { engine, subscription, clock, log, bus } = await ordered(handler)
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
    const { engine, subscription, clock } = await ordered(handler)
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
    const { engine, subscription, clock } = await ordered(handler)
    subscription.deliver({ key: 'a', n: 1 })
    await clock.advance(0)
    subscription.sink.closed(gone)
    await clock.advance(11_000)
    expect(engine.subscriptions).toHaveLength(2)
  })

  it('waits longer each time that it cannot be begun', async () => {
    const { engine, subscription, clock, bus } = await ordered(() => {})
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
    const { engine, subscription, clock, bus } = await ordered(() => {})
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
    const { engine, subscription, clock, bus, log } = await ordered(() => {})
    sabotage(subscription)
    subscription.deliver({ key: 'a', n: 1 })
    await clock.advance(1_000)
    expect(log.entries.filter(({ level }) => level === 'error')).toHaveLength(1)
    expect(engine.subscriptions).toHaveLength(2)
    expect(bus.stats()[0]).toMatchObject({ state: 'running', restarts: 1 })
  })

  it('is also one that delivers nonsense', async () => {
    const { engine, subscription, clock, bus } = await ordered(() => {})
    expect(() => subscription.sink.deliver([undefined as never])).not.toThrow()
    await clock.advance(1_000)
    expect(engine.subscriptions).toHaveLength(2)
    expect(bus.stats()[0]).toMatchObject({ state: 'running' })
  })
})

describe('close', () => {
  it('hands back what has not begun, uncounted and in order, and lets running handlers end', async () => {
    const { runs, handler } = gated()
    const { subscription, clock, bus } = await ordered(handler, { concurrency: 2 })
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
    const { subscription, clock, bus } = await ordered(handler)
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

  it('hands back a handler’s message once, however much credit is left for it to come again', async () => {
    const { bus, clock } = await memoryRig()
    bus.on(Noted, { group: 'points', prefetch: 100 }, gated().handler)
    await bus.start()
    await bus.publish(Noted, { n: 1 })
    await clock.advance(0)
    const closing = bus.close({ graceMs: 500 })
    await clock.advance(500)
    await closing
    expect(bus.stats()[0]).toMatchObject({ delivered: 1, handedBack: 1 })
  })

  it('lets a handler that fails meanwhile have its retry', async () => {
    const { runs, handler } = gated()
    const { subscription, clock, bus } = await ordered(handler)
    subscription.deliver({ key: 'a', n: 1 })
    await clock.advance(0)
    const closing = bus.close()
    runs[0]!.end.fail(new Error('no'))
    await closing
    expect(kinds(subscription.settlements)).toEqual(['1 retry'])
  })

  it('hands back what was still on its way', async () => {
    const { runs, handler } = gated()
    const { subscription, clock, bus } = await ordered(handler)
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
    const { subscription, clock, bus, engine } = await ordered(async () => {
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
    const { subscription, clock, bus } = await ordered(() => {})
    subscription.outcomeOf = () => ({ ok: false, error: gone })
    subscription.deliver({ key: 'a', n: 1 })
    await clock.advance(0)
    const closing = bus.close({ graceMs: 100 })
    await clock.advance(5_000)
    expect(await isSettled(closing)).toBe(true)
    expect(bus.stats()[0]).toMatchObject({ state: 'stopped', acked: 0 })
  })

  it('is the same however often it is asked for', async () => {
    const { subscription, bus } = await ordered(() => {})
    const closing = bus.close()
    expect(bus.close()).toBe(closing)
    await closing
    await bus.close()
    expect(subscription.stops).toBe(1)
  })

  it('refuses options that are wrong, and goes on', async () => {
    const { bus } = await ordered(() => {})
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
      reusable: (fire) => wheel.reusable(fire),
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
    const { engine, subscription, clock, bus } = await ordered(() => {})
    subscription.sink.closed(gone)
    await bus.close()
    await clock.advance(60_000)
    expect(engine.subscriptions).toHaveLength(1)
  })

  it('waits for the handlers of a membership that ended by itself', async () => {
    const { runs, handler } = gated()
    const { engine, subscription, clock, bus } = await ordered(handler)
    subscription.deliver({ key: 'a', n: 1 })
    await clock.advance(0)
    subscription.sink.closed(gone)
    expect(bus.stats()[0]).toMatchObject({ state: 'waiting', running: 1 })
    const closing = bus.close()
    await clock.advance(1_000)
    expect(await isSettled(closing)).toBe(false)
    expect(bus.stats()[0]).toMatchObject({ state: 'draining', running: 1 })
    runs[0]!.end.open()
    await closing
    expect(bus.stats()[0]).toMatchObject({ state: 'stopped', running: 0 })
    expect(engine.subscriptions).toHaveLength(1)
  })

  it('waits for them also after the group was joined again', async () => {
    const { runs, handler } = gated()
    const { engine, subscription, clock, bus } = await ordered(handler)
    subscription.deliver({ key: 'a', n: 1 })
    await clock.advance(0)
    subscription.sink.closed(gone)
    await clock.advance(11_000)
    expect(engine.subscriptions).toHaveLength(2)
    expect(bus.stats()[0]).toMatchObject({ state: 'running', running: 1 })
    const closing = bus.close()
    expect(await isSettled(closing)).toBe(false)
    runs[0]!.end.open()
    await closing
  })

  it('waits for them no longer than the grace', async () => {
    const { handler } = gated()
    const { subscription, clock, bus } = await ordered(handler)
    subscription.deliver({ key: 'a', n: 1 })
    await clock.advance(0)
    subscription.sink.closed(gone)
    const closing = bus.close({ graceMs: 500 })
    await clock.advance(400)
    expect(await isSettled(closing)).toBe(false)
    await clock.advance(200)
    expect(await isSettled(closing)).toBe(true)
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
    const { subscription, bus, log } = await ordered(() => {})
    subscription.stop = () => Promise.reject(gone)
    await bus.close()
    expect(log.entries).toContainEqual(expect.objectContaining({ level: 'warn' }))
  })
})
