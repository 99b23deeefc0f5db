import { type Engine, PosthasteError } from '@posthaste/contracts'
import { memory } from '@posthaste/memory'
import { describe, expect, it } from 'vitest'
import { consumingHalf } from '../../../test/bus/consuming-rig.ts'
import { gate, gated, half, kinds, Ordered, ScriptedEngine, scriptedRig } from '../../../test/bus/rig.ts'
import { type ManualClock, manualClock } from '../../testing/manual-clock.ts'
import { recordingLog } from '../../testing/recording-log.ts'
import type { MessageContext } from './context.ts'
import type { SubscribeOptions } from './options.ts'

const gone = new PosthasteError('UNAVAILABLE', 'connection lost')

type Handler = (data: { key: string; n: number }, context: MessageContext) => unknown

/** The consuming half of a bus by itself, with one subscription. */
function consuming<E extends Engine>(engine: E, clock: ManualClock, more: { handler: Handler; options?: object }) {
  const { subscribing, log } = consumingHalf(engine, clock)
  const options: SubscribeOptions = { group: 'points', retry: { immediate: 0 }, ...more.options }
  subscribing.on(Ordered, options, more.handler)
  const subscription = subscribing.find(Ordered, 'points')!
  return { engine, clock, log, subscribing, subscription }
}

function scripted(handler: Handler = () => {}, options: Partial<SubscribeOptions> = {}) {
  const clock = manualClock()
  return consuming(new ScriptedEngine({}, clock.nowMs), clock, { handler, options })
}

describe('pausing', () => {
  it('lets what runs end, hands the rest back uncounted, leaves the group, and joins again on resume', async () => {
    const { runs, handler } = gated()
    const { engine, clock, subscription, subscribing } = scripted(handler, { concurrency: 1 })
    await subscribing.start()
    engine.subscription.deliver({ key: 'a', n: 1 }, { key: 'a', n: 2 }, { key: 'b', n: 3 })
    await clock.advance(0)
    const pausing = subscription.pause()
    await clock.advance(1)
    expect(subscription.stats()).toMatchObject({ state: 'pausing', running: 1 })
    expect(kinds(engine.subscription.settlements)).toEqual(['3 hand back'])
    runs[0]!.end.open()
    await pausing
    expect(kinds(engine.subscription.settlements)).toEqual(['3 hand back', '1 ack', '2 hand back'])
    expect(subscription.stats()).toMatchObject({ state: 'paused', running: 0, unsettled: 0, acked: 1, handedBack: 2 })
    expect(engine.subscription.stops).toBe(1)
    await subscription.resume()
    expect(engine.subscriptions).toHaveLength(2)
    expect(subscription.stats()).toMatchObject({ state: 'running' })
    expect(engine.subscription.credit).toBe(256)
  })

  it('before the start keeps the subscription from joining until it is resumed', async () => {
    const { engine, subscription, subscribing } = scripted()
    await subscription.pause()
    await subscribing.start()
    expect(engine.subscriptions).toHaveLength(0)
    expect(subscription.stats().state).toBe('paused')
    await subscription.resume()
    expect(subscription.stats().state).toBe('running')
  })

  it('and resuming before the start are as if nothing had happened', async () => {
    const { engine, subscription, subscribing } = scripted()
    await subscription.pause()
    await subscription.resume()
    expect(engine.subscriptions).toHaveLength(0)
    await subscribing.start()
    expect(subscription.stats().state).toBe('running')
  })

  it('twice, or resuming twice, does what doing it once does', async () => {
    const { engine, subscription, subscribing } = scripted()
    await subscribing.start()
    await Promise.all([subscription.pause(), subscription.pause()])
    await subscription.pause()
    expect(engine.subscription.stops).toBe(1)
    await Promise.all([subscription.resume(), subscription.resume()])
    await subscription.resume()
    expect(engine.subscriptions).toHaveLength(2)
  })

  it('cancels handlers that outlive the grace, and hands their messages back uncounted', async () => {
    const { runs, handler } = gated()
    const { engine, clock, subscription, subscribing } = scripted(handler)
    await subscribing.start()
    engine.subscription.deliver({ key: 'a', n: 1 })
    await clock.advance(0)
    const pausing = subscription.pause(500)
    await clock.advance(499)
    expect(runs[0]!.signal.aborted).toBe(false)
    await clock.advance(600)
    await pausing
    expect(runs[0]!.signal.reason).toMatchObject({ code: 'CANCELLED' })
    expect(kinds(engine.subscription.settlements)).toEqual(['1 hand back'])
    expect(subscription.stats()).toMatchObject({ state: 'paused', running: 1 })
  })

  it('waits on resume for handlers that outlived the grace, so that no key is handled twice at a time', async () => {
    const { runs, handler } = gated()
    const { engine, clock, subscription, subscribing } = scripted(handler)
    await subscribing.start()
    engine.subscription.deliver({ key: 'a', n: 1 })
    await clock.advance(0)
    const pausing = subscription.pause(0)
    await clock.advance(1_100)
    await pausing
    const resuming = subscription.resume()
    await clock.advance(5_000)
    expect(engine.subscriptions).toHaveLength(1)
    runs[0]!.end.open()
    await resuming
    expect(engine.subscriptions).toHaveLength(2)
  })

  it('while it joins leaves as soon as it has joined', async () => {
    const { engine, clock, subscription, subscribing } = scripted()
    let letIn = (): void => {}
    engine.beforeSubscribe = () => new Promise((resolve) => (letIn = resolve))
    const starting = subscribing.start()
    await clock.advance(0)
    const pausing = subscription.pause()
    letIn()
    await Promise.all([starting, pausing])
    expect(engine.subscription.stops).toBe(1)
    expect(engine.subscription.credit).toBe(0)
    expect(subscription.stats().state).toBe('paused')
  })

  it('while it waits to begin again takes the attempt back', async () => {
    const { engine, clock, subscription, subscribing } = scripted()
    await subscribing.start()
    engine.subscription.sink.closed(gone)
    expect(subscription.stats().state).toBe('waiting')
    await subscription.pause()
    await clock.advance(60_000)
    expect(engine.subscriptions).toHaveLength(1)
    await subscription.resume()
    expect(engine.subscriptions).toHaveLength(2)
  })

  it('goes on trying to join when the engine cannot be reached on resume', async () => {
    const { engine, clock, subscription, subscribing } = scripted()
    await subscribing.start()
    await subscription.pause()
    engine.beforeDeclare = () => Promise.reject(gone)
    await subscription.resume()
    expect(subscription.stats().state).toBe('waiting')
    engine.beforeDeclare = async () => {}
    await clock.advance(1_000)
    expect(subscription.stats().state).toBe('running')
  })

  it('does not forget to begin what could not be declared meanwhile', async () => {
    const { bus, engine, clock } = scriptedRig()
    await bus.start()
    const declaring = gate()
    engine.beforeDeclare = () => declaring.promise
    bus.on(Ordered, { group: 'points' }, () => {})
    const group = bus.group(Ordered, { group: 'points' })
    await group.pause()
    declaring.fail(gone)
    await clock.advance(0)
    engine.beforeDeclare = async () => {}
    await group.resume()
    expect(bus.stats()).toMatchObject([{ state: 'running' }])
  })

  it('and a late failure to begin leave alone what has begun since', async () => {
    const { engine, clock, subscription, subscribing } = scripted()
    await subscribing.start()
    const leaving = gate()
    engine.subscription.stop = () => leaving.promise
    engine.subscription.sink.closed(gone)
    await clock.advance(1_000)
    await subscription.pause()
    const declaring = gate()
    engine.beforeDeclare = () => declaring.promise
    const resuming = subscription.resume()
    leaving.open()
    await clock.advance(0)
    expect(subscription.stats().state).toBe('running')
    declaring.fail(gone)
    await resuming
    expect(subscription.stats().state).toBe('running')
    await subscribing.drain(0)
    expect(engine.subscription.stops).toBe(1)
  })

  it('makes a temporary group again on resume: it has gone with its last member', async () => {
    const { engine, subscription, subscribing } = scripted(() => {}, { lifetime: 'temporary' })
    await subscribing.start()
    const before = engine.topologies.length
    await subscription.pause()
    await subscription.resume()
    expect(engine.topologies).toHaveLength(before + 1)
  })

  it('is not the only end of a temporary group: one that is lost with its membership is made again, too', async () => {
    const { engine, clock, subscription, subscribing } = scripted(() => {}, { lifetime: 'temporary' })
    await subscribing.start()
    const before = engine.topologies.length
    engine.subscription.sink.closed(gone)
    await clock.advance(1_000)
    expect(subscription.stats().state).toBe('running')
    expect(engine.topologies).toHaveLength(before + 1)
  })

  it('does not keep a close waiting for longer than the grace of the close', async () => {
    const { handler } = gated()
    const { engine, clock, subscription, subscribing } = scripted(handler)
    await subscribing.start()
    engine.subscription.deliver({ key: 'a', n: 1 })
    await clock.advance(0)
    const pausing = subscription.pause(60_000)
    await clock.advance(100)
    const draining = subscribing.drain(50)
    await clock.advance(1_200)
    await Promise.all([draining, pausing])
    expect(subscription.stats().state).toBe('stopped')
    expect(kinds(engine.subscription.settlements)).toEqual(['1 hand back'])
  })

  it('after the end changes nothing', async () => {
    const { subscription, subscribing } = scripted()
    await subscribing.start()
    await subscribing.drain(0)
    await subscription.pause()
    await subscription.resume()
    expect(subscription.stats().state).toBe('stopped')
  })

  it('again and again in the middle of load loses nothing, repeats nothing and counts no attempt', async () => {
    const clock = manualClock()
    const engine = memory({ clock })
    await engine.open({ clock, log: recordingLog(), instance: 'shop-1', random: half, onState: () => {} })
    const seen = new Map<string, number[]>()
    const attempts: number[] = []
    const handler: Handler = async ({ key, n }, { attempt }) => {
      attempts.push(attempt)
      await new Promise<void>((resolve) => void clock.setTimer(3, resolve))
      seen.set(key, [...(seen.get(key) ?? []), n])
    }
    const { subscription, subscribing } = consuming(engine, clock, { handler, options: { concurrency: 4 } })
    await subscribing.start()
    const bodyOf = (data: object) => new TextEncoder().encode(JSON.stringify(data))
    const headers = { type: Ordered.type, source: '/', datacontenttype: 'application/json' }
    const records = Array.from({ length: 300 }, (_, n) => {
      const key = `k${n % 7}`
      return { id: `m${n}`, channel: Ordered.type, key, headers, body: bodyOf({ key, n }) }
    })
    await engine.publish(records)
    for (let round = 0; round < 10; round++) {
      await clock.advance(15)
      const pausing = subscription.pause()
      await clock.advance(10)
      await pausing
      await subscription.resume()
    }
    await clock.advance(10_000)
    const expected = records.map((_, n) => n)
    expect([...seen.values()].flat().sort((a, b) => a - b)).toEqual(expected)
    for (const ns of seen.values()) expect(ns).toEqual(ns.toSorted((a, b) => a - b))
    expect(new Set(attempts)).toEqual(new Set([1]))
  })
})
