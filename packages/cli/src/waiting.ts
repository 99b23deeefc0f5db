import { type Clock, PosthasteError } from '@posthaste/contracts'

/** Waits; no longer than until the signal is aborted. */
export function pause(waitMs: number, clock: Clock, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve()
    const end = (): void => {
      timer.cancel()
      signal.removeEventListener('abort', end)
      resolve()
    }
    const timer = clock.setTimer(waitMs, end)
    signal.addEventListener('abort', end)
  })
}

/** What is awaited, unless the user has enough before. @throws CANCELLED then */
export function orInterrupted<T>(awaited: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const stop = (): void => reject(cancelled('it was interrupted'))
    if (signal.aborted) stop()
    signal.addEventListener('abort', stop)
    awaited.then(resolve, reject).finally(() => signal.removeEventListener('abort', stop))
  })
}

/** The user did not want it. */
export function cancelled(message: string): PosthasteError {
  return new PosthasteError('CANCELLED', message, {
    remedy: 'Nothing was changed; run it again if you want it after all.',
  })
}
