import type { Clock, Timer } from '@posthaste/contracts'

/** Longest delay that `setTimeout` takes; it fires at once when given more. */
const timeoutMaxMs = 2 ** 31 - 1

/** The machine's clock and timers. The one place that touches them; everything else is given a `Clock`. */
export const systemClock: Clock = Object.freeze({
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  setTimer: (delayMs: number, fire: () => void): Timer => new SystemTimer(performance.now() + delayMs, fire),
})

/** The machine's randomness, from 0 up to but not 1. Everything else is given a `random`. */
export const systemRandom = (): number => Math.random()

/** `setTimeout` fires up to a millisecond early and not beyond 25 days; this one keeps to what `Clock` promises. */
class SystemTimer implements Timer {
  readonly #dueAtMs: number
  readonly #fire: () => void
  #handle: NodeJS.Timeout | undefined

  constructor(dueAtMs: number, fire: () => void) {
    this.#dueAtMs = dueAtMs
    this.#fire = fire
    this.#wait()
  }

  cancel(): void {
    clearTimeout(this.#handle)
  }

  #wait(): void {
    const remainingMs = this.#dueAtMs - performance.now()
    this.#handle = setTimeout(() => this.#wake(), Math.min(Math.max(Math.ceil(remainingMs), 0), timeoutMaxMs))
    this.#handle.unref()
  }

  #wake(): void {
    if (performance.now() < this.#dueAtMs) this.#wait()
    else this.#fire()
  }
}
