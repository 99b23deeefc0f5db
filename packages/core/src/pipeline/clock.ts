import type { Clock, Timer } from '@posthaste/contracts'

/** Longest delay that `setTimeout` takes; it fires at once when given more. */
const timeoutMaxMs = 2 ** 31 - 1

const nowMs = (): number => Date.now() // tidy-allow wall-clock: this is the clock

const monotonicMs = (): number => performance.now() // tidy-allow monotonic-clock: this is the clock

/** The machine's clock and timers. The one place that touches them; everything else is given a `Clock`. */
export const systemClock: Clock = Object.freeze({
  nowMs,
  monotonicMs,
  setTimer: (delayMs: number, fire: () => void): Timer => new SystemTimer(monotonicMs() + delayMs, fire),
})

/** The machine's randomness, from 0 up to but not 1. Everything else is given a `random`. */
export const systemRandom = (): number => Math.random() // tidy-allow randomness: this is the random function that is passed in

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
    const delayMs = Math.min(Math.max(Math.ceil(this.#dueAtMs - monotonicMs()), 0), timeoutMaxMs)
    this.#handle = setTimeout(() => this.#wake(), delayMs) // tidy-allow timer: this is the clock
    this.#handle.unref()
  }

  #wake(): void {
    if (monotonicMs() < this.#dueAtMs) this.#wait()
    else this.#fire()
  }
}
