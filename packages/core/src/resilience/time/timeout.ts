import type { Filter } from '@posthaste/contracts'
import { durationOption, type OptionsSpec, readOptions, required } from '../../pipeline/options.ts'
import type { FilterDeps } from '../../pipeline/stack.ts'
import { TimeLimit } from './time-limit.ts'

/** How long one attempt may take. */
export interface TimeoutOptions {
  /** Milliseconds from the start of the attempt, 1 to 2^31-1. Kept to within the 10 ms of a timer's tick. */
  readonly timeoutMs: number
}

const spec: OptionsSpec<TimeoutOptions> = {
  options: { timeoutMs: required(durationOption(0, { min: 1 })) },
}

/**
 * Bounds one attempt. Stands inside the retry, so that each attempt has its own time and a live cancellation; when the
 * time is up that cancellation fires, the attempt fails with DEADLINE_EXCEEDED and a late answer is dropped. An earlier
 * deadline of the call wins. An answer that is there at once costs no timer. A stream is bounded up to its head.
 * A call may ask for a time of its own, `overrides.attemptTimeoutMs`.
 *
 * Events: `timedOut` (id, timeoutMs) when the time of an attempt is up.
 *
 * @throws CONFIG_INVALID when an option is wrong
 */
export function timeout(options: TimeoutOptions, deps: FilterDeps): Filter {
  const { timeoutMs } = readOptions('timeout', options, spec)
  const limit = new TimeLimit('timeout', deps)
  return {
    role: 'timeout',
    describe: () => ({ role: 'timeout', timeoutMs }),
    snapshot: () => limit.snapshot(),
    apply: (call, next) => limit.apply(call, next, call.overrides?.attemptTimeoutMs ?? timeoutMs),
  }
}
