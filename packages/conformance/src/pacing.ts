/** Lets everything that is ready go on: promises, I/O that has completed, immediates. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

/** Turns after which a wait stops spinning and lets the machine do other things. */
const eagerTurns = 100
const restMs = 2

/** How a wait goes about it. */
export interface Patience {
  /** Real time after which waiting is given up, whatever clock the engine lives by. */
  readonly patienceMs: number
  /** Moves a virtual clock on by nothing, so that what is due happens. */
  readonly settle: () => Promise<void>
}

/**
 * Waits until a condition holds; it is looked at again and again, nothing ever waits for a fixed time.
 * @throws Error that names what was waited for, when patience ends
 */
export async function until(condition: () => boolean, what: () => string, patience: Patience): Promise<void> {
  const startedMs = realMs()
  for (let turns = 0; !condition(); turns += 1) {
    if (realMs() - startedMs > patience.patienceMs) throw new Error(`waited ${patience.patienceMs} ms for ${what()}`)
    await patience.settle()
    await (turns < eagerTurns ? turn() : rest())
  }
}

/** Fails a promise that does not settle in time, so that a hanging engine fails its case and not the run. */
export async function within<T>(promise: Promise<T>, what: string, patienceMs: number): Promise<T> {
  const timeout = Promise.withResolvers<never>()
  // tidy-allow timer: a hanging engine must be found even where its clock is virtual and stands
  const timer = setTimeout(() => timeout.reject(new Error(`${what} did not end within ${patienceMs} ms`)), patienceMs)
  try {
    return await Promise.race([promise, timeout.promise])
  } finally {
    clearTimeout(timer)
  }
}

function rest(): Promise<void> {
  // tidy-allow timer: real engines are waited for in real time
  return new Promise((resolve) => setTimeout(resolve, restMs))
}

/** Milliseconds of the machine, whatever clock the engine lives by. */
// tidy-allow monotonic-clock: patience is real time also where the engine's clock is virtual
export const realMs = (): number => performance.now()
