import type { TimerWheel } from '../../pipeline/timer-wheel.ts'

/** How long an engine may take to join a group or to leave one when all is to end, in milliseconds. */
export const enginePatienceMs = 10_000

/** Whether something ends in time, well or not. What it fails with is its owner's to report. */
export function endsWithin(timeoutMs: number, work: Promise<unknown>, timers: TimerWheel): Promise<boolean> {
  return new Promise((resolve) => {
    const timer = timers.set(timeoutMs, () => resolve(false))
    const over = (): void => {
      timer.cancel()
      resolve(true)
    }
    work.then(over, over)
  })
}
