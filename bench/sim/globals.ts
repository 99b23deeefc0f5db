import type { Random } from './random.ts'
import type { Timeline } from './timeline.ts'

interface Globals {
  setTimeout: unknown
  clearTimeout: unknown
  setInterval: unknown
  clearInterval: unknown
}

/**
 * Runs something while `Date.now`, `performance.now`, the timers and `Math.random` are those of a simulation, for libraries
 * that take no clock, and puts back what was there, whatever happens. Only one at a time.
 */
export async function withSimulatedGlobals<T>(timeline: Timeline, random: Random, run: () => Promise<T>): Promise<T> {
  const { setTimeout, clearTimeout, setInterval, clearInterval } = globalThis
  const { now } = Date
  const { random: machineRandom } = Math
  Object.assign(globalThis satisfies Globals, simulatedTimers(timeline))
  Date.now = () => Math.floor(timeline.nowMs())
  Math.random = random
  // `now` of performance is its prototype's: one of its own covers it, and goes away again.
  Object.defineProperty(performance, 'now', { value: () => timeline.monotonicMs(), configurable: true })
  try {
    return await run()
  } finally {
    Object.assign(globalThis, { setTimeout, clearTimeout, setInterval, clearInterval })
    Date.now = now
    Math.random = machineRandom
    Reflect.deleteProperty(performance, 'now')
  }
}

/** What `setTimeout` and `setInterval` return, as far as anybody asks. */
class Handle {
  cancelled = false
  unref(): this {
    return this
  }
  ref(): this {
    return this
  }
}

function simulatedTimers(timeline: Timeline): Globals {
  const cancel = (handle: unknown): void => {
    if (handle instanceof Handle) handle.cancelled = true
  }
  const later = (handle: Handle, delayMs: number, fire: () => void): Handle => {
    // As Node does: at least a millisecond.
    timeline.setTimer(Math.max(delayMs, 1), () => handle.cancelled || fire())
    return handle
  }
  const repeat = (handle: Handle, delayMs: number, fire: () => void): Handle =>
    later(handle, delayMs, () => {
      fire()
      repeat(handle, delayMs, fire)
    })
  return {
    setTimeout: (fire: (...args: unknown[]) => void, delayMs = 1, ...args: unknown[]) =>
      later(new Handle(), delayMs, () => fire(...args)),
    setInterval: (fire: (...args: unknown[]) => void, delayMs = 1, ...args: unknown[]) =>
      repeat(new Handle(), delayMs, () => fire(...args)),
    clearTimeout: cancel,
    clearInterval: cancel,
  }
}
