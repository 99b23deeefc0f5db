import type { Clock, Timer } from '@posthaste/contracts'
import type { Held } from './held.ts'

/** Keeps what came before its time (it takes longer than the whole ladder, or clocks differ), and hands it on when that has come. */
export class Early {
  readonly #clock: Clock
  readonly #onDue: (held: Held) => void
  readonly #timers = new Map<Held, Timer>()

  constructor(clock: Clock, onDue: (held: Held) => void) {
    this.#clock = clock
    this.#onDue = onDue
  }

  get size(): number {
    return this.#timers.size
  }

  /** Whether it is early, and kept. */
  keeps(held: Held): boolean {
    const { visibleAtMs } = held.decoded
    if (visibleAtMs === 0) return false
    const waitMs = visibleAtMs - this.#clock.nowMs()
    if (!(waitMs > 0)) return false
    this.#wait(held, waitMs)
    return true
  }

  /** Lets go of everything, and tells what it was. */
  clear(): readonly Held[] {
    const all = [...this.#timers.keys()]
    for (const timer of this.#timers.values()) timer.cancel()
    this.#timers.clear()
    return all
  }

  #wait(held: Held, waitMs: number): void {
    const timer = this.#clock.setTimer(Math.min(waitMs, timerMsMax), () => {
      this.#timers.delete(held)
      // Timers are of another clock than due times, and may be a little early by it.
      if (!this.keeps(held)) this.#onDue(held)
    })
    this.#timers.set(held, timer)
  }
}

const timerMsMax = 2 ** 31 - 1
