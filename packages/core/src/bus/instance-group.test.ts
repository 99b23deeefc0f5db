import { type Engine, event } from '@posthaste/contracts'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { errorOf, memoryRig, Noted, scriptedRig } from '../../test/bus/rig.ts'
import { manualClock } from '../testing/manual-clock.ts'
import { recordingLog } from '../testing/recording-log.ts'
import { createBus } from './bus.ts'
import { broadcastGroupMax, instanceGroup } from './instance-group.ts'

const of = { group: 'screens' }

/** Instances of one application on one engine. */
async function instances(count: number) {
  const { engine, clock } = await memoryRig()
  const made = Array.from({ length: count }, (_, at) => {
    const bus = createBus({ name: 'shop', engine, clock, log: recordingLog(), instance: `shop-${at}` })
    return { bus, seen: [] as number[], state: { broken: false } }
  })
  for (const { bus, seen, state } of made) {
    bus.on(Noted, { ...of, broadcast: true, retry: false }, ({ n }) => {
      if (state.broken) throw new Error('no')
      seen.push(n)
    })
    await bus.start()
  }
  return { engine, clock, made }
}

/** The groups of a channel that there are. */
async function hasGroup(engine: Engine, group: string): Promise<boolean> {
  return engine.lag!.lag(Noted.type, group).then(
    () => true,
    () => false,
  )
}

describe('a broadcast', () => {
  it('gives each instance all of it', async () => {
    const { made, clock } = await instances(3)
    for (const n of [1, 2, 3]) await made[0]!.bus.publish(Noted, { n })
    await clock.advance(0)
    expect(made.map(({ seen }) => seen)).toEqual([
      [1, 2, 3],
      [1, 2, 3],
      [1, 2, 3],
    ])
  })

  it('leaves nothing behind', async () => {
    const { made, engine, clock } = await instances(2)
    const groups = ['shop-0', 'shop-1'].map((instance) => instanceGroup('screens', instance))
    for (const group of groups) expect(await hasGroup(engine, group)).toBe(true)
    await made[0]!.bus.close()
    await made[1]!.bus.publish(Noted, { n: 1 })
    await clock.advance(0)
    await made[1]!.bus.close()
    for (const group of groups) expect(await hasGroup(engine, group)).toBe(false)
    expect((await engine.browsing!.browse({ channel: Noted.type, limit: 10 })).records).toEqual([])
  })

  it('misses what comes while an instance is paused, and goes on afterwards', async () => {
    const { made, clock } = await instances(2)
    const [first, second] = made
    await first!.bus.group(Noted, of).pause()
    await first!.bus.publish(Noted, { n: 1 })
    await clock.advance(0)
    await first!.bus.group(Noted, of).resume()
    await second!.bus.publish(Noted, { n: 2 })
    await clock.advance(0)
    expect(first!.seen).toEqual([2])
    expect(second!.seen).toEqual([1, 2])
  })

  it('has one place for dead letters, which go back to the instance that failed them', async () => {
    const { made, clock } = await instances(2)
    made[0]!.state.broken = true
    made[1]!.state.broken = true
    await made[0]!.bus.publish(Noted, { n: 1 })
    await clock.advance(10_000)
    for (const { state } of made) state.broken = false
    const letters = made[0]!.bus.deadLetters(Noted, of)
    expect((await letters.browse()).letters).toHaveLength(2)
    expect(await letters.redrive({ all: true })).toMatchObject({ moved: 2, failed: [] })
    await clock.advance(0)
    expect(made.map(({ seen }) => seen)).toEqual([[1], [1]])
  })

  it('does not give dead letters of an instance that is gone to another', async () => {
    const { made, clock } = await instances(2)
    made[0]!.state.broken = true
    await made[0]!.bus.publish(Noted, { n: 1 })
    await clock.advance(10_000)
    await made[0]!.bus.close()
    const letters = made[1]!.bus.deadLetters(Noted, of)
    const report = await letters.redrive({ all: true })
    expect(report).toMatchObject({ moved: 0, failed: [{ error: { code: 'NOT_FOUND' } }] })
    expect((await letters.browse()).letters).toHaveLength(1)
    expect(await letters.discard({ all: true })).toMatchObject({ moved: 1 })
    expect(made[1]!.seen).toEqual([1])
  })

  it('tells the lag of the instance that asks', async () => {
    const { made, clock } = await instances(2)
    await made[0]!.bus.publish(Noted, { n: 1 })
    await clock.advance(0)
    expect(await made[0]!.bus.group(Noted, of).lag()).toEqual({ ready: 0, waiting: 0, inFlight: 0 })
  })
})

describe('a temporary group', () => {
  it('shares the work of its members, and goes with the last of them', async () => {
    const { engine, clock } = await memoryRig()
    const seen: number[][] = [[], []]
    const buses = seen.map((own, at) => {
      const bus = createBus({ name: 'shop', engine, clock, log: recordingLog(), instance: `shop-${at}` })
      bus.on(Noted, { ...of, lifetime: 'temporary', concurrency: 1, prefetch: 1 }, ({ n }) => {
        own.push(n)
      })
      return bus
    })
    for (const bus of buses) await bus.start()
    for (const n of [1, 2, 3, 4]) await buses[0]!.publish(Noted, { n })
    await clock.advance(0)
    expect(seen.flat().sort()).toEqual([1, 2, 3, 4])
    await buses[0]!.close()
    expect(await hasGroup(engine, 'screens')).toBe(true)
    await buses[1]!.close()
    expect(await hasGroup(engine, 'screens')).toBe(false)
  })

  it('needs an engine that has them', async () => {
    const { bus } = scriptedRig({ can: { temporaryGroups: 'none' } })
    bus.on(Noted, { ...of, lifetime: 'temporary' }, () => {})
    const Other = event('shop.other', { data: z.any() })
    bus.on(Other, { ...of, broadcast: true }, () => {})
    const { code, issues } = await errorOf(bus.start())
    expect(code).toBe('CAPABILITY_UNSUPPORTED')
    expect(issues.map(({ path }) => path)).toEqual(['shop.noted@screens', 'shop.other@screens'])
  })
})

describe('the group of an instance', () => {
  it('is its own, and a name that engines take', () => {
    const names = Array.from({ length: 1_000 }, (_, at) => instanceGroup('screens', `shop-${at}`))
    expect(new Set(names).size).toBe(1_000)
    for (const name of names) expect(name).toMatch(/^screens\.[0-9a-f]{12}$/)
    expect(instanceGroup('x'.repeat(broadcastGroupMax), 'shop-1')).toHaveLength(64)
  })

  it('leaves room for it in the name of the group', () => {
    const clock = manualClock()
    const { bus } = scriptedRig({ clock })
    const group = 'x'.repeat(broadcastGroupMax + 1)
    expect(() => bus.on(Noted, { group, broadcast: true, lifetime: 'durable' }, () => {})).toThrow(
      expect.objectContaining({
        code: 'CONFIG_INVALID',
        issues: [
          { path: 'shop.noted.lifetime', message: expect.stringContaining('temporary') },
          { path: 'shop.noted.group', message: expect.stringContaining('51') },
        ],
      }),
    )
    bus.on(Noted, { group }, () => {})
  })
})
