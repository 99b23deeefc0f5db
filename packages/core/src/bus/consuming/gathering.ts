import type { Timer } from '@posthaste/contracts'
import type { TimerWheel } from '../../pipeline/timer-wheel.ts'
import type { BatchSettings } from './options.ts'

/**
 * Decides when a batch is full enough to begin: at once, when it is full, when the wait for more is over, or when no more can
 * come.
 */
export class Gathering {
  readonly #settings: BatchSettings
  readonly #timers: TimerWheel
  readonly #onDue: () => void
  #timer: Timer | undefined = undefined
  #isDue = false

  /** @param onDue called when it is worth asking again */
  constructor(settings: BatchSettings, timers: TimerWheel, onDue: () => void) {
    this.#settings = settings
    this.#timers = timers
    this.#onDue = onDue
  }

  get max(): number {
    return this.#settings.max
  }

  /**
   * Whether to begin with so many. While false, `onDue` is going to be called.
   * @param isLast whether no more come in before some of them are settled
   */
  isDue(count: number, isLast: boolean): boolean {
    const { max, waitMs } = this.#settings
    if (waitMs === 0) return true
    if (count >= max || isLast || this.#isDue) {
      this.#reset()
      return true
    }
    this.#timer ??= this.#timers.set(waitMs, () => this.#due())
    return false
  }

  /** Calls `onDue` no more, unless it is asked again. */
  close(): void {
    this.#reset()
  }

  #due(): void {
    this.#isDue = true
    this.#onDue()
  }

  #reset(): void {
    this.#timer?.cancel()
    this.#timer = undefined
    this.#isDue = false
  }
}
