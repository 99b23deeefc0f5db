import type { TimerWheel } from '../../pipeline/timer-wheel.ts'

/** Waiting until something has come to rest. */
export class Quiet {
  readonly #timers: TimerWheel
  #checks: (() => void)[] = []

  constructor(timers: TimerWheel) {
    this.#timers = timers
  }

  /** Resolves when it is quiet, as far as it is told to look; and after `timeoutMs` in any case. */
  wait(timeoutMs: number, isQuiet: () => boolean): Promise<void> {
    if (isQuiet()) return Promise.resolve()
    return new Promise((resolve) => {
      const over = (): void => {
        this.#checks = this.#checks.filter((other) => other !== check)
        timer.cancel()
        resolve()
      }
      const check = (): void => {
        if (isQuiet()) over()
      }
      const timer = this.#timers.set(timeoutMs, over)
      this.#checks.push(check)
    })
  }

  /** Looks whether it is quiet now. Hot path: nobody waits, mostly. */
  look(): void {
    if (this.#checks.length > 0) for (const check of [...this.#checks]) check()
  }
}
