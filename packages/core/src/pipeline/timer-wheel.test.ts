import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { manualClock } from '../testing/manual-clock.ts'
import { recordingLog } from '../testing/recording-log.ts'
import { timerWheel } from './timer-wheel.ts'

const tickMs = 10
const spanMs = 64 ** 4 * tickMs

describe('the timer wheel', () => {
  it('fires a timer once, not before it is due and at most a tick later', async () => {
    const clock = manualClock()
    const fired: number[] = []
    const startMs = clock.monotonicMs()
    timerWheel(clock).set(25, () => fired.push(clock.monotonicMs() - startMs))
    await clock.advance(24)
    expect(fired).toEqual([])
    await clock.advance(11)
    expect(fired).toHaveLength(1)
    await clock.advance(100_000)
    expect(fired).toHaveLength(1)
  })

  it('uses one timer of the clock however many are set', () => {
    const clock = manualClock()
    const wheel = timerWheel(clock)
    for (let delayMs = 1; delayMs <= 1_000; delayMs++) wheel.set(delayMs, () => {})
    expect(clock.pending()).toBe(1)
  })

  it('leaves no timer on the clock once everything has fired or was cancelled', async () => {
    const clock = manualClock()
    const wheel = timerWheel(clock)
    wheel.set(10, () => {})
    wheel.set(700, () => {}).cancel()
    await clock.advance(800)
    expect(clock.pending()).toBe(0)
  })

  it('wakes a bounded number of times for a distant timer', async () => {
    const clock = manualClock()
    let wakes = 0
    const counting = {
      ...clock,
      setTimer: (ms: number, fire: () => void) => {
        wakes++
        return clock.setTimer(ms, fire)
      },
    }
    const day = 86_400_000
    let fired = false
    timerWheel(counting).set(day, () => {
      fired = true
    })
    await clock.advance(day + tickMs)
    expect(fired).toBe(true)
    expect(wakes).toBeLessThanOrEqual(5)
  })

  it('does not wake for timers that were cancelled', async () => {
    const clock = manualClock()
    let wakes = 0
    const counting = {
      ...clock,
      setTimer: (ms: number, fire: () => void) =>
        clock.setTimer(ms, () => {
          wakes++
          fire()
        }),
    }
    const wheel = timerWheel(counting)
    for (let delayMs = 10; delayMs <= 500; delayMs += 10) wheel.set(delayMs, () => {}).cancel()
    wheel.set(600, () => {})
    await clock.advance(700)
    expect(wakes).toBeLessThanOrEqual(3)
  })

  it('does not fire a timer that an earlier timer of the same tick cancels', async () => {
    const clock = manualClock()
    const wheel = timerWheel(clock)
    const fired: string[] = []
    wheel.set(15, () => {
      fired.push('first')
      second.cancel()
    })
    const second = wheel.set(16, () => fired.push('second'))
    await clock.advance(100)
    expect(fired).toEqual(['first'])
  })

  it('takes timers that are set while others fire', async () => {
    const clock = manualClock()
    const wheel = timerWheel(clock)
    const fired: string[] = []
    wheel.set(10, () => {
      fired.push('outer')
      wheel.set(0, () => fired.push('at once'))
      wheel.set(50, () => fired.push('later'))
    })
    wheel.set(30, () => fired.push('between'))
    await clock.advance(200)
    expect(fired).toEqual(['outer', 'at once', 'between', 'later'])
  })

  it('fires what was set meanwhile when the process slept through several ticks', async () => {
    const clock = manualClock()
    // A clock whose timers are late, as on a machine that was suspended.
    const late = { ...clock, setTimer: (ms: number, fire: () => void) => clock.setTimer(ms + 1_000, fire) }
    const wheel = timerWheel(late)
    const fired: string[] = []
    wheel.set(20, () => {
      fired.push('a')
      wheel.set(10, () => fired.push('c'))
    })
    wheel.set(500, () => fired.push('b'))
    await clock.advance(1_020)
    expect(fired).toEqual(['a', 'b'])
    await clock.advance(1_020)
    expect(fired).toEqual(['a', 'b', 'c'])
  })

  it('logs what a callback throws and fires the others', async () => {
    const clock = manualClock()
    const log = recordingLog()
    const wheel = timerWheel(clock, log)
    let fired = false
    wheel.set(10, () => {
      throw new Error('a fault')
    })
    wheel.set(10, () => {
      fired = true
    })
    await clock.advance(100)
    expect(fired).toBe(true)
    expect(log.entries).toMatchObject([{ level: 'error', fields: { error: { message: 'a fault' } } }])
  })

  it('goes on where the log throws, too', async () => {
    const clock = manualClock()
    const broken = (): never => {
      throw new Error('the disk is full')
    }
    const wheel = timerWheel(clock, { debug: broken, info: broken, warn: broken, error: broken })
    const fired: string[] = []
    wheel.set(10, broken)
    wheel.set(10, () => fired.push('of the same tick'))
    wheel.set(50, () => fired.push('later'))
    await clock.advance(100)
    expect(fired).toEqual(['of the same tick', 'later'])
  })

  it('fires nothing once it is closed', async () => {
    const clock = manualClock()
    const wheel = timerWheel(clock)
    let fired = 0
    wheel.set(10, () => fired++)
    wheel.set(2 * spanMs, () => fired++)
    wheel.close()
    wheel.set(10, () => fired++)
    await clock.advance(3 * spanMs)
    expect(fired).toBe(0)
    expect(clock.pending()).toBe(0)
  })

  it('never fires after an infinite delay and treats a negative one as none', async () => {
    const clock = manualClock()
    const wheel = timerWheel(clock)
    const fired: string[] = []
    wheel.set(Number.POSITIVE_INFINITY, () => fired.push('infinite'))
    expect(clock.pending()).toBe(0)
    wheel.set(-5, () => fired.push('negative'))
    await clock.advance(tickMs)
    expect(fired).toEqual(['negative'])
  })

  it('does not take a delay of more than 2^32 ticks for a short one', async () => {
    const clock = manualClock()
    let fired = false
    const wheel = timerWheel(clock)
    wheel.set((2 ** 32 + 5) * tickMs, () => {
      fired = true
    })
    wheel.set(tickMs, () => {})
    await clock.advance(spanMs)
    expect(fired).toBe(false)
  })

  it('keeps its promises after running for longer than 32-bit tick numbers reach', async () => {
    const clock = manualClock()
    const wheel = timerWheel(clock)
    const crossingMs = 2 ** 32 * tickMs
    await clock.advance(crossingMs - clock.monotonicMs() - 3 * spanMs - 5)
    const dueAtMs = clock.monotonicMs() + 4 * spanMs
    let firedAtMs = 0
    wheel.set(4 * spanMs, () => {
      firedAtMs = clock.monotonicMs()
    })
    await clock.advance(5 * spanMs)
    expect(firedAtMs).toBeGreaterThanOrEqual(dueAtMs)
    expect(firedAtMs).toBeLessThanOrEqual(dueAtMs + tickMs)
  })
})

describe('a reusable timer', () => {
  it('fires once each time it is set, at the time it was set for last', async () => {
    const clock = manualClock()
    const startMs = clock.monotonicMs()
    const fired: number[] = []
    const timer = timerWheel(clock).reusable(() => fired.push(clock.monotonicMs() - startMs))
    await clock.advance(100)
    expect(fired).toEqual([])
    timer.setFor(startMs + 150, clock.monotonicMs())
    timer.setFor(startMs + 200, clock.monotonicMs())
    await clock.advance(200)
    timer.setFor(startMs + 500, clock.monotonicMs())
    await clock.advance(1_000)
    expect(fired).toEqual([200, 500])
  })

  it('does not fire when it was cancelled, and may be set again', async () => {
    const clock = manualClock()
    let fired = 0
    const timer = timerWheel(clock).reusable(() => fired++)
    timer.setFor(clock.monotonicMs() + 50, clock.monotonicMs())
    timer.cancel()
    timer.cancel()
    await clock.advance(100)
    expect(fired).toBe(0)
    expect(clock.pending()).toBe(0)
    timer.setFor(clock.monotonicMs() + 50, clock.monotonicMs())
    await clock.advance(100)
    expect(fired).toBe(1)
  })

  it('may set itself again when it fires', async () => {
    const clock = manualClock()
    let fired = 0
    const timer = timerWheel(clock).reusable(() => {
      if (++fired < 3) timer.setFor(clock.monotonicMs() + 10, clock.monotonicMs())
    })
    timer.setFor(clock.monotonicMs(), clock.monotonicMs())
    await clock.advance(100)
    expect(fired).toBe(3)
    expect(clock.pending()).toBe(0)
  })

  it('fires at its new time alone where an earlier timer of the same tick sets it again', async () => {
    const clock = manualClock()
    const startMs = clock.monotonicMs()
    const wheel = timerWheel(clock)
    const fired: number[] = []
    const timer = wheel.reusable(() => fired.push(clock.monotonicMs() - startMs))
    wheel.set(15, () => timer.setFor(clock.monotonicMs() + 100, clock.monotonicMs()))
    timer.setFor(startMs + 16, startMs)
    await clock.advance(300)
    expect(fired).toEqual([120])
    expect(clock.pending()).toBe(0)
  })

  it('does not fire on a wheel that a timer of the same tick closes, nor when it is set there later', async () => {
    const clock = manualClock()
    const wheel = timerWheel(clock)
    let fired = 0
    const timer = wheel.reusable(() => fired++)
    wheel.set(15, () => wheel.close())
    timer.setFor(clock.monotonicMs() + 16, clock.monotonicMs())
    await clock.advance(100)
    timer.setFor(clock.monotonicMs() + 16, clock.monotonicMs())
    await clock.advance(100)
    expect(fired).toBe(0)
  })

  it('never fires when it is set for no time', () => {
    const clock = manualClock()
    timerWheel(clock)
      .reusable(() => {})
      .setFor(Number.POSITIVE_INFINITY, clock.monotonicMs())
    expect(clock.pending()).toBe(0)
  })
})

/** Delays of every level, and some beyond the levels. */
const delay = fc.oneof(
  fc.integer({ min: 0, max: 100 }),
  fc.integer({ min: 0, max: 64 * tickMs * 3 }),
  fc.integer({ min: 0, max: 64 ** 2 * tickMs * 3 }),
  fc.integer({ min: 0, max: 64 ** 3 * tickMs * 3 }),
  fc.integer({ min: 0, max: spanMs * 3 }),
  fc.double({ min: 0, max: 1_000, noNaN: true }),
)

const step = fc.oneof(
  fc.record({ kind: fc.constant('set' as const), delayMs: delay }),
  fc.record({ kind: fc.constant('cancel' as const), which: fc.nat() }),
  fc.record({ kind: fc.constant('reuse' as const), which: fc.nat(3), delayMs: delay }),
  fc.record({ kind: fc.constant('advance' as const), byMs: delay }),
)

describe('the timer wheel against a list of due times', () => {
  it('is never early, at most a tick late, in the order of due times, and fires nothing that was cancelled', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
        const clock = manualClock()
        const wheel = timerWheel(clock)
        const timers: {
          readonly dueAtMs: number
          cancel(): void
          cancelled: boolean
          firedAtMs: number | undefined
        }[] = []
        const order: number[] = []
        const reused = Array.from({ length: 4 }, () => {
          let index = -1
          const timer = wheel.reusable(() => {
            order.push(index)
            timers[index]!.firedAtMs = clock.monotonicMs()
          })
          return (delayMs: number): void => {
            const before = timers[index]
            if (before !== undefined && before.firedAtMs === undefined) before.cancelled = true
            index = timers.length
            const dueAtMs = clock.monotonicMs() + delayMs
            const mine = index
            const cancel = (): void => {
              // Set anew, it is another one.
              if (mine === index) timer.cancel()
            }
            timers.push({ dueAtMs, cancel, cancelled: false, firedAtMs: undefined })
            timer.setFor(dueAtMs, clock.monotonicMs())
          }
        })
        for (const taken of steps) {
          if (taken.kind === 'set') {
            const index = timers.length
            const timer = wheel.set(taken.delayMs, () => {
              order.push(index)
              timers[index]!.firedAtMs = clock.monotonicMs()
            })
            timers.push({
              dueAtMs: clock.monotonicMs() + taken.delayMs,
              cancel: () => timer.cancel(),
              cancelled: false,
              firedAtMs: undefined,
            })
          } else if (taken.kind === 'reuse') {
            reused[taken.which]!(taken.delayMs)
          } else if (taken.kind === 'cancel') {
            const timer = timers[taken.which % Math.max(timers.length, 1)]
            timer?.cancel()
            if (timer?.firedAtMs === undefined && timer !== undefined) timer.cancelled = true
          } else {
            await clock.advance(taken.byMs)
            for (const { dueAtMs, cancelled, firedAtMs } of timers) {
              if (dueAtMs + tickMs <= clock.monotonicMs() && !cancelled) expect(firedAtMs).toBeDefined()
            }
          }
        }
        for (const { dueAtMs, cancelled, firedAtMs } of timers) {
          if (firedAtMs === undefined) continue
          expect(cancelled).toBe(false)
          expect(firedAtMs).toBeGreaterThanOrEqual(dueAtMs)
          expect(firedAtMs).toBeLessThanOrEqual(dueAtMs + tickMs)
        }
        // Set at different times, two timers may fall due together; the wheel orders them by due time all the same.
        const dues = order.map((index) => timers[index]!)
        for (let i = 1; i < dues.length; i++) {
          const together = dues[i]!.firedAtMs === dues[i - 1]!.firedAtMs
          if (together) expect(dues[i]!.dueAtMs).toBeGreaterThanOrEqual(dues[i - 1]!.dueAtMs)
          else expect(dues[i]!.firedAtMs!).toBeGreaterThan(dues[i - 1]!.firedAtMs!)
        }
        expect(new Set(order).size).toBe(order.length)
      }),
      { numRuns: 150 },
    )
  })
})
