import process from 'node:process'

const signals = ['SIGTERM', 'SIGINT'] as const

/**
 * Calls `stop` once, at the first SIGTERM or SIGINT. From then on signals have their usual effect, so that a second one
 * ends a process that does not come to its end by itself.
 *
 * @returns takes the handlers back; idempotent
 */
export function onStopSignal(stop: (signal: string) => void): () => void {
  const remove = (): void => {
    for (const signal of signals) process.off(signal, heard)
  }
  const heard = (signal: string): void => {
    remove()
    stop(signal)
  }
  for (const signal of signals) process.on(signal, heard)
  return remove
}
