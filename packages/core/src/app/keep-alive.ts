/**
 * Keeps the process alive: timers, engines in the process and handlers that wait for their signal do not.
 * @returns lets it end; idempotent
 */
export function keepAlive(): () => void {
  const handle = setInterval(() => {}, timeoutMaxMs) // tidy-allow timer: it measures no time, it holds the process
  return () => clearInterval(handle)
}

const timeoutMaxMs = 2 ** 31 - 1
