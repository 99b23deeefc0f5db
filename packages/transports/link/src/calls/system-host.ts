import type { Clock, Log, Timer } from '@posthaste/contracts'
import type { LinkHost } from '../connection/options.ts'

/** Longest delay that `setTimeout` takes; it fires at once when given more. */
const timeoutMaxMs = 2 ** 31 - 1

const clock: Clock = {
  nowMs: () => Date.now(), // tidy-allow wall-clock: this is the clock
  monotonicMs: () => performance.now(), // tidy-allow monotonic-clock: this is the clock
  setTimer(delayMs: number, fire: () => void): Timer {
    const handle = setTimeout(fire, Math.min(Math.ceil(delayMs), timeoutMaxMs)) // tidy-allow timer: this is the clock
    handle.unref()
    return { cancel: () => clearTimeout(handle) }
  },
}

const nothing = (): void => {}
const log: Log = { debug: nothing, info: nothing, warn: nothing, error: nothing }

/** What a client of link lives on where no application lends it its own. */
export const systemHost: LinkHost = Object.freeze({
  clock,
  log,
  random: () => Math.random(), // tidy-allow randomness: this is the random function that is passed in
})
