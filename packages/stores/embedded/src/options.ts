import { resolve } from 'node:path'
import { type Clock, type Issue, PosthasteError } from '@posthaste/contracts'

/** Options of the store. */
export interface EmbeddedIdempotencyOptions {
  /** The directory, for nothing else; made if it is not there. Every process of the machine that uses it is given the same. */
  readonly dir: string
  /** What leases and results are timed by: the same for all processes, over restarts. Default: the machine's clock. */
  readonly clock?: Pick<Clock, 'nowMs'> | undefined
}

/** Options in which nothing is left open. */
export interface CheckedOptions {
  readonly dir: string
  readonly clock: Pick<Clock, 'nowMs'>
}

// tidy-allow wall-clock: a store that is used without an application has no host; this is the clock it is given then
const machineClock: Pick<Clock, 'nowMs'> = { nowMs: () => Date.now() }

/** @throws CONFIG_INVALID listing every mistake */
export function checkOptions(options: EmbeddedIdempotencyOptions): CheckedOptions {
  const { dir, clock = machineClock, ...unknown } = options
  const issues: Issue[] = Object.keys(unknown).map((path) => ({ path, message: 'is not an option' }))
  if (typeof dir !== 'string' || dir.length === 0)
    issues.push({ path: 'dir', message: 'must be the path of a directory' })
  if (typeof (Object(clock) as { nowMs?: unknown }).nowMs !== 'function')
    issues.push({ path: 'clock', message: 'must have nowMs' })
  // A process may change its working directory.
  if (issues.length === 0) return { dir: resolve(dir), clock }
  const told = issues.map(({ path, message }) => `${path} ${message}`).join('; ')
  throw new PosthasteError('CONFIG_INVALID', `embeddedIdempotency(): ${told}`, { issues })
}
