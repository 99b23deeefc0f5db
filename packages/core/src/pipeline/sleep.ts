import type { Cancellation } from '@posthaste/contracts'
import type { TimerWheel } from './timer-wheel.ts'

/**
 * Resolves no sooner than `delayMs` from now; rejects with the reason at once when the work is cancelled, before or
 * meanwhile.
 */
export function sleep(delayMs: number, timers: Pick<TimerWheel, 'set'>, cancellation: Cancellation): Promise<void> {
  return new Promise((resolve, reject) => {
    if (cancellation.reason !== undefined) {
      reject(cancellation.reason)
      return
    }
    const timer = timers.set(delayMs, () => {
      stopListening()
      resolve()
    })
    const stopListening = cancellation.onCancel((reason) => {
      timer.cancel()
      reject(reason)
    })
  })
}
