import type { Clock, Timer } from '@posthaste/contracts'

/** A clock that stands until a test moves it. */
export interface ManualClock extends Clock {
  /**
   * Moves both times on, firing the timers that fall due in the order of their due times, each at its own time. Before
   * the first and after each one, everything that was promised and can go on does so; `advance(0)` does just that.
   */
  advance(ms: number): Promise<void>
  /** Moves the wall clock alone, forth or back, as an operator or a leap would. */
  jump(ms: number): void
  /** How many timers are set. */
  pending(): number
}

/** 2026-01-01T00:00:00Z: any fixed time does, a plausible one reads well in failures. */
const startDefaultMs = 1_767_225_600_000

/** Where the monotonic time begins; away from zero and from the wall clock, so that a mix-up of the two shows. */
const monotonicStartMs = 1_000

interface Pending {
  readonly dueAtMs: number
  readonly fire: () => void
}

/**
 * A clock for tests: no test that uses it waits, and time is what the test says it is.
 *
 * @param startMs wall-clock time at the start; default 2026-01-01T00:00:00Z
 */
export function manualClock(startMs: number = startDefaultMs): ManualClock {
  let wallMs = startMs
  let monotonicMs = monotonicStartMs
  /** By due time, then by the order of setting. */
  const timers: Pending[] = []

  const moveTo = (ms: number): void => {
    wallMs += ms - monotonicMs
    monotonicMs = ms
  }

  return {
    nowMs: () => wallMs,
    monotonicMs: () => monotonicMs,
    setTimer(delayMs, fire): Timer {
      const timer = { dueAtMs: monotonicMs + Math.max(delayMs, 0), fire }
      const later = timers.findLastIndex((other) => other.dueAtMs <= timer.dueAtMs) + 1
      timers.splice(later, 0, timer)
      return {
        cancel() {
          const at = timers.indexOf(timer)
          if (at >= 0) timers.splice(at, 1)
        },
      }
    },
    async advance(ms) {
      const endMs = monotonicMs + ms
      await settled()
      for (let next = timers[0]; next !== undefined && next.dueAtMs <= endMs; next = timers[0]) {
        timers.shift()
        moveTo(Math.max(next.dueAtMs, monotonicMs))
        next.fire()
        await settled()
      }
      moveTo(Math.max(endMs, monotonicMs))
    },
    jump(ms) {
      wallMs += ms
    },
    pending: () => timers.length,
  }
}

/** Resolves when no promise can go on any further: a macrotask comes after every microtask, however long their chain. */
function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
