import type { Issue } from '@posthaste/contracts'
import {
  durationOption,
  functionOption,
  integerOption,
  numberOption,
  type OptionsSpec,
  optional,
  readOptions,
} from '../../pipeline/options.ts'
import { isHealthFailure } from '../failure.ts'
import type { CircuitCounts, CircuitSettings, CircuitState } from './circuit.ts'

/** When a breaker opens, and how it finds its way back. */
export interface BreakerOptions {
  /** Opens when this share of the calls in the window failed, in percent, 1 to 100. Default: 50. */
  readonly failurePercent?: number | undefined
  /** A call that takes longer is slow, in milliseconds, from 1. Default: slowness does not count. */
  readonly slowMs?: number | undefined
  /** Opens when this share of the calls in the window was slow, in percent, 1 to 100. Default: 100. */
  readonly slowPercent?: number | undefined
  /**
   * Never opens on fewer calls in the window than this, 1 to 1,000,000, and at most `windowCalls`. Default: 20, or
   * `windowCalls` where that is less.
   */
  readonly callsMin?: number | undefined
  /** Length of the window, in milliseconds, 100 to 3,600,000; it forgets in tenths. Default: 10,000. */
  readonly windowMs?: number | undefined
  /**
   * The window is that of the last so many calls, 1 to 1,000,000, however long ago they were: for targets that are called too
   * rarely for a window of time. Excludes `windowMs`. Default: a window of time.
   */
  readonly windowCalls?: number | undefined
  /** How long it first stays open, in milliseconds, from 1, ±20 %; doubles each time the probes fail. Default: 5,000. */
  readonly openMs?: number | undefined
  /**
   * The open time does not grow beyond this, in milliseconds, ±20 %. Longer waits spare a dead callee next to nothing, and
   * have its recovery noticed later. Default: 8,000, or `openMs` if that is longer.
   */
  readonly openMsMax?: number | undefined
  /** How many calls may pass to find out whether the target is well again, 1 to 1,000. Default: 3. */
  readonly probes?: number | undefined
  /** When it decides by the probes that have ended, in milliseconds, from 1. None ended means open. Default: 10,000. */
  readonly probeWaitMs?: number | undefined
  /**
   * How long it takes after closing until all calls pass again, in milliseconds, from 0: a tenth of them at first, evenly
   * spread, and then more and more. For callers; a consumer had better limit its concurrency. Default: 0, all at once.
   */
  readonly rampMs?: number | undefined
  /**
   * Which failures tell that the target is not well; others are neutral, as if the call had not been made. Default:
   * verdict `retryable`, timeouts included, and INTERNAL; but not refusals (BREAKER_OPEN, OVERLOADED, RATE_LIMITED).
   * What it throws is logged, and the failure counts.
   */
  readonly countsAsFailure?: ((thrown: unknown) => boolean) | undefined
  /** Told after each change of state, while the call that caused it waits; what it throws is logged. */
  readonly onStateChange?: ((change: BreakerChange) => void) | undefined
}

/** A breaker's change of state. */
export interface BreakerChange {
  readonly target: string
  readonly from: CircuitState['kind']
  readonly to: CircuitState['kind']
  /** How long it stays open at least, in milliseconds; 0 unless it opened, `Infinity` where it was forced to. */
  readonly openForMs: number
  /** What it decided by: the calls of the window or the probes, and of these the failed and the slow ones. */
  readonly counts: CircuitCounts
}

/** Options with defaults filled in. */
export interface BreakerSettings extends CircuitSettings {
  readonly slowMs: number
  readonly countsAsFailure: (thrown: unknown) => boolean
  readonly onStateChange: ((change: BreakerChange) => void) | undefined
}

interface Given extends Omit<BreakerSettings, 'callsMin' | 'openMsMax'> {
  readonly callsMin: number | undefined
  readonly openMsMax: number | undefined
}

const callsMinDefault = 20
const windowMsDefault = 10_000
const openMsMaxDefault = 8_000

const spec: OptionsSpec<Given> = {
  options: {
    failurePercent: numberOption(50, { min: 1, max: 100 }),
    slowMs: durationOption(Number.POSITIVE_INFINITY, { min: 1 }),
    slowPercent: numberOption(100, { min: 1, max: 100 }),
    callsMin: optional(integerOption(callsMinDefault, { min: 1, max: 1_000_000 })),
    windowMs: optional(durationOption(windowMsDefault, { min: 100, max: 3_600_000 })),
    windowCalls: optional(integerOption(100, { min: 1, max: 1_000_000 })),
    openMs: durationOption(5_000, { min: 1 }),
    openMsMax: optional(durationOption(openMsMaxDefault, { min: 1 })),
    probes: integerOption(3, { min: 1, max: 1_000 }),
    probeWaitMs: durationOption(10_000, { min: 1 }),
    rampMs: durationOption(0),
    countsAsFailure: functionOption(isHealthFailure),
    onStateChange: optional(functionOption<((change: BreakerChange) => void) | undefined>(undefined)),
  },
  together({ openMs, openMsMax, callsMin, windowCalls = Number.POSITIVE_INFINITY, windowMs }) {
    const issues: Issue[] = []
    const wrong = (name: string, message: string): void => void issues.push({ path: `breaker.${name}`, message })
    if (openMsMax !== undefined && openMs > openMsMax)
      wrong('openMsMax', `must not be below openMs, ${openMs}, but is ${openMsMax}`)
    if (windowMs !== undefined && windowCalls !== Number.POSITIVE_INFINITY)
      wrong('windowCalls', 'must not be given beside windowMs: a window is of calls or of time')
    if (callsMin !== undefined && callsMin > windowCalls)
      wrong('callsMin', `must not be above windowCalls, ${windowCalls}, but is ${callsMin}`)
    return issues
  },
}

/**
 * The options of a breaker, checked and with defaults.
 *
 * @throws CONFIG_INVALID when options are wrong
 */
export function readBreakerOptions(options: BreakerOptions): BreakerSettings {
  const given = readOptions('breaker', options, spec)
  const { windowCalls } = given
  return {
    ...given,
    callsMin: given.callsMin ?? Math.min(callsMinDefault, windowCalls ?? callsMinDefault),
    openMsMax: given.openMsMax ?? Math.max(openMsMaxDefault, given.openMs),
    windowMs: windowCalls === undefined ? (given.windowMs ?? windowMsDefault) : undefined,
  }
}

/** What a breaker tells of its settings. */
export function describeSettings(settings: BreakerSettings): Readonly<Record<string, unknown>> {
  const { countsAsFailure: _, onStateChange: __, windowMs, windowCalls, ...described } = settings
  return { ...described, ...(windowCalls === undefined ? { windowMs } : { windowCalls }) }
}
