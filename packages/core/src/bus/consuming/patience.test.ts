import { describe, expect, it } from 'vitest'
import { Noted, scriptedRig } from '../../../test/bus/rig.ts'
import { timerWheel } from '../../pipeline/timer-wheel.ts'
import { manualClock } from '../../testing/manual-clock.ts'
import { endsWithin, enginePatienceMs } from './patience.ts'

const never = new Promise<never>(() => {})

/** When a promise has settled, on a clock that is moved for as long as it takes. */
async function endMs(clock: ReturnType<typeof manualClock>, promise: Promise<unknown>): Promise<number> {
  let isOver = false
  const over = promise.finally(() => {
    isOver = true
  })
  let ms = 0
  for (; !isOver && ms < 120_000; ms += 1_000) await clock.advance(1_000)
  if (isOver) await over
  return ms
}

describe('endsWithin', () => {
  it('tells whether something has ended in time, also if it failed', async () => {
    const clock = manualClock()
    const timers = timerWheel(clock)
    expect(await endsWithin(1_000, Promise.resolve(), timers)).toBe(true)
    expect(await endsWithin(1_000, Promise.reject(new Error('no')), timers)).toBe(true)
    const late = endsWithin(1_000, never, timers)
    await clock.advance(1_100)
    expect(await late).toBe(false)
  })
})

describe('the end of a bus', () => {
  it('is not held up by an engine that never lets go of a member', async () => {
    const { bus, engine, clock } = scriptedRig()
    bus.on(Noted, { group: 'points' }, () => {})
    await bus.start()
    engine.subscription.stop = () => never
    expect(await endMs(clock, bus.close())).toBeLessThanOrEqual(enginePatienceMs + 2_000)
  })

  it('is not held up by an engine that never answers a settlement', async () => {
    const { bus, engine, clock } = scriptedRig()
    bus.on(Noted, { group: 'points' }, () => {})
    await bus.start()
    engine.subscription.settle = () => never
    engine.subscription.deliver({ n: 1 })
    await clock.advance(0)
    expect(await endMs(clock, bus.close({ graceMs: 3_000 }))).toBeLessThanOrEqual(6_000)
  })

  it('is not held up by an engine that never answers who would join a group', async () => {
    const { bus, engine, clock } = scriptedRig()
    bus.on(Noted, { group: 'points' }, () => {})
    engine.beforeSubscribe = () => never
    void bus.start()
    await clock.advance(0)
    expect(await endMs(clock, bus.close())).toBeLessThanOrEqual(enginePatienceMs + 2_000)
  })
})
