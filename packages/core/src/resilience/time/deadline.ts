import type { Filter } from '@posthaste/contracts'
import { durationOption, type OptionsSpec, optional, readOptions } from '../../pipeline/options.ts'
import type { FilterDeps } from '../../pipeline/stack.ts'
import { TimeLimit } from './time-limit.ts'

/** How long a call may take in total. */
export interface DeadlineOptions {
  /** Milliseconds from here, 1 to 2^31-1, all attempts and waits included. Default: the call's own deadline alone. */
  readonly timeoutMs?: number | undefined
}

const spec: OptionsSpec<{ readonly timeoutMs: number | undefined }> = {
  options: { timeoutMs: optional(durationOption(0, { min: 1 })) },
}

/**
 * Bounds the whole call: what is inside sees the earlier of its own deadline and this one, as `deadlineAtMs`. Stands
 * outside the retry, which gives up rather than outlive it. A call whose deadline has passed fails with
 * DEADLINE_EXCEEDED without being passed on. A stream is bounded up to its head,
 * around methods of services up to its end.
 *
 * Events: `timedOut` (id, timeoutMs) when the time of a call is up.
 *
 * @throws CONFIG_INVALID when an option is wrong
 */
export function deadline(options: DeadlineOptions, deps: FilterDeps): Filter {
  const { timeoutMs = Number.POSITIVE_INFINITY } = readOptions('deadline', options, spec)
  const limit = new TimeLimit('deadline', deps)
  return {
    role: 'deadline',
    describe: () => ({ role: 'deadline', ...(timeoutMs !== Number.POSITIVE_INFINITY && { timeoutMs }) }),
    snapshot: () => limit.snapshot(),
    apply: (call, next) => limit.apply(call, next, timeoutMs),
  }
}
