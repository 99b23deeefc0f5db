import assert from 'node:assert/strict'
import type { Timer } from '@posthaste/contracts'
import fc from 'fast-check'
import { type TimerWheel, timerWheel } from '../../src/pipeline/timer-wheel.ts'
import { type ManualClock, manualClock } from '../../src/testing/manual-clock.ts'
import { modelOf, type Step } from './model.ts'

/** A timer as the reference knows it: what is neither fired nor cancelled is waiting. */
interface Waiting {
  readonly number: number
  readonly dueAtMs: number
}

/** A plain list of those that wait. */
interface Reference {
  made: number
  waiting: Waiting[]
}

interface Real {
  readonly clock: ManualClock
  readonly wheel: TimerWheel
  readonly timers: Timer[]
  /** What fired in the present step, in order. */
  fired: { readonly number: number; readonly atMs: number }[]
}

type WheelStep = Step<Reference, Real>

const tickMs = 10
const spanMs = 64 ** 4 * tickMs

const set = (delayMs: number): WheelStep => ({
  label: `set ${delayMs} ms`,
  run(reference, { clock, wheel, timers, fired }) {
    const number = reference.made++
    timers[number] = wheel.set(delayMs, () => fired.push({ number, atMs: clock.monotonicMs() }))
    reference.waiting.push({ number, dueAtMs: clock.monotonicMs() + delayMs })
  },
})

const cancel = (which: number): WheelStep => ({
  label: `cancel ${which}`,
  possible: ({ made }) => made > 0,
  run(reference, { timers }) {
    const number = which % reference.made
    timers[number]!.cancel()
    reference.waiting = reference.waiting.filter((one) => one.number !== number)
  },
})

/** What fires is due, at most a tick late, in the order of due times and then of setting; and nothing due is left out. */
const advance = (byMs: number): WheelStep => ({
  label: `advance ${byMs} ms`,
  async run(reference, real) {
    await real.clock.advance(byMs)
    const nowMs = real.clock.monotonicMs()
    const fired = real.fired.splice(0)
    const numbers = new Set(fired.map(({ number }) => number))
    const due = reference.waiting.filter(({ number }) => numbers.has(number))
    due.sort((a, b) => a.dueAtMs - b.dueAtMs || a.number - b.number)
    assert.deepEqual(
      fired.map(({ number }) => number),
      due.map(({ number }) => number),
    )
    for (const [at, { atMs }] of fired.entries()) {
      assert.ok(due[at]!.dueAtMs <= atMs, 'fires early')
      assert.ok(atMs <= due[at]!.dueAtMs + tickMs, 'fires late')
    }
    reference.waiting = reference.waiting.filter(({ number }) => !numbers.has(number))
    for (const { dueAtMs } of reference.waiting) assert.ok(nowMs <= dueAtMs + tickMs, 'does not fire')
    assert.ok(real.clock.pending() <= 1, 'more than one timer of the clock')
  },
})

/** Delays of every level of the wheel, and some beyond the levels. */
const delayMs = fc.oneof(
  fc.integer({ min: 0, max: 100 }),
  fc.integer({ min: 0, max: 64 * tickMs * 3 }),
  fc.integer({ min: 0, max: 64 ** 2 * tickMs * 3 }),
  fc.integer({ min: 0, max: 64 ** 3 * tickMs * 3 }),
  fc.integer({ min: 0, max: spanMs * 3 }),
  fc.double({ min: 0, max: 1_000, noNaN: true }),
)

/** The timer wheel against a list of due times. */
export const model = modelOf<number, Reference, Real>({
  name: 'timer wheel',
  /** Where the clock stands at the start. */
  settings: fc.oneof(fc.constant(0), fc.nat(spanMs), fc.constant(2 ** 32 * tickMs - 3 * spanMs)),
  steps: [delayMs.map(set), delayMs.map(set), fc.nat().map(cancel), delayMs.map(advance)],
  start(startMs) {
    const clock = startingAt(startMs)
    const real: Real = { clock, wheel: timerWheel(clock), timers: [], fired: [] }
    return { model: { made: 0, waiting: [] }, real }
  },
})

function startingAt(startMs: number): ManualClock {
  const clock = manualClock()
  return { ...clock, monotonicMs: () => clock.monotonicMs() + startMs }
}
