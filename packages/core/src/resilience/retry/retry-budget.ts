import type { Clock } from '@posthaste/contracts'
import { durationOption, numberOption, type OptionSpec, type OptionsSpec, readOptions } from '../../pipeline/options.ts'
import { TimeWindow } from '../windows/time-window.ts'

/** How many retries there may be. */
export interface RetryBudgetOptions {
  /** Retries per call, 0 to 10. Default: 0.2, so that retries add at most a fifth to the load. */
  readonly ratio?: number | undefined
  /** Retries a second that are always allowed, 0 to 1,000,000, so that few calls can be retried too. Default: 1. */
  readonly perSecond?: number | undefined
  /** How long a call earns and a retry costs, in milliseconds, 1,000 to 3,600,000. Default: 10,000. */
  readonly windowMs?: number | undefined
}

/**
 * What all retries of a client together may cost: when a callee is down, retries must not multiply the load on it.
 * Share one among the filters of a client.
 *
 * @see Finagle `RetryBudget`
 */
export interface RetryBudget {
  /** A call has begun. Counts calls, not attempts. */
  deposit(): void
  /** Takes one retry out, if there is one. */
  withdraw(): boolean
  /** How many retries there are now. */
  balance(): number
}

const spec: OptionsSpec<Settings> = {
  options: {
    ratio: numberOption(0.2, { min: 0, max: 10 }),
    perSecond: numberOption(1, { min: 0, max: 1_000_000 }),
    windowMs: durationOption(10_000, { min: 1_000, max: 3_600_000 }),
  },
}

interface Settings {
  readonly ratio: number
  readonly perSecond: number
  readonly windowMs: number
}

const buckets = 10
const calls = 0
const retries = 1

/**
 * A budget that earns `ratio` of a retry with every call and holds `perSecond` of them in reserve, over a sliding window.
 *
 * @throws CONFIG_INVALID when an option is wrong
 */
export function retryBudget(options: RetryBudgetOptions, clock: Clock): RetryBudget {
  const { ratio, perSecond, windowMs } = readOptions('retryBudget', options, spec)
  const reserve = (perSecond * windowMs) / 1_000
  const window = new TimeWindow({ windowMs, buckets, counters: 2 })
  const balance = (nowMs: number): number => reserve + ratio * window.total(calls, nowMs) - window.total(retries, nowMs)
  return {
    deposit() {
      window.add(calls, clock.monotonicMs())
    },
    withdraw() {
      const nowMs = clock.monotonicMs()
      if (balance(nowMs) < 1) return false
      window.add(retries, nowMs)
      return true
    },
    balance: () => balance(clock.monotonicMs()),
  }
}

/** A budget among the options of a filter: one to share, `false` for none, or undefined for one of its own. */
export const budgetOption: OptionSpec<RetryBudget | false | undefined> = {
  fallback: undefined,
  expects: 'a retry budget or false',
  accepts: (value) =>
    value === false || (typeof value === 'object' && value !== null && 'withdraw' in value && 'deposit' in value),
}
