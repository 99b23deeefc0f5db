import { type ErrorCode, PosthasteError } from '@posthaste/contracts'
import { durationOption, integerOption, type OptionsSpec, readOptions } from '../../pipeline/options.ts'
import { backoffMs } from '../../resilience/backoff.ts'

/**
 * What happens to a message whose handler failed: some attempts at once, in process; then some after waits that the
 * engine keeps, so that they survive the process; then the dead letters.
 */
export interface RetryLadder {
  /** Attempts in process after the first of each delivery, some 10 ms apart, 0 to 20. Default: 2. */
  readonly immediate?: number | undefined
  /** Deliveries after the first, each after a wait, 0 to 1,000. Default: 5. */
  readonly delayed?: number | undefined
  /** Longest wait before the second delivery, in milliseconds; doubles with each delivery. Default: 500. */
  readonly baseMs?: number | undefined
  /** The longest wait never exceeds this, in milliseconds. Default: 600,000. */
  readonly maxMs?: number | undefined
}

/** A ladder with defaults filled in. */
export type Ladder = { readonly [K in keyof RetryLadder]-?: NonNullable<RetryLadder[K]> }

const ladderSpec: OptionsSpec<Ladder> = {
  options: {
    immediate: integerOption(2, { min: 0, max: 20 }),
    delayed: integerOption(5, { min: 0, max: 1_000 }),
    baseMs: durationOption(500, { min: 1 }),
    maxMs: durationOption(600_000, { min: 1 }),
  },
  together: ({ baseMs, maxMs }) =>
    baseMs <= maxMs ? [] : [{ path: 'retry.maxMs', message: `must not be below baseMs, ${baseMs}, but is ${maxMs}` }],
}

/** The ladder of what is never tried again. */
export const noLadder: Ladder = Object.freeze({ immediate: 0, delayed: 0, baseMs: 1, maxMs: 1 })

/**
 * A ladder with defaults filled in.
 * @throws CONFIG_INVALID with an issue per mistake
 */
export function readLadder(path: string, given: unknown): Ladder {
  return readOptions(path, given, ladderSpec)
}

/** A delivery that did not succeed. */
export interface Failure {
  readonly error: PosthasteError
  /** Who failed: the handler or its data, or a filter that let no attempt reach the handler. */
  readonly by: 'handler' | 'filter'
}

/** What follows a failure. */
export type Consequence =
  | { readonly kind: 'ignore' }
  /** Delivered again after the wait, as another attempt. */
  | { readonly kind: 'retry'; readonly afterMs: number }
  /** Delivered again after the wait, as the same attempt: nobody has tried. */
  | { readonly kind: 'handBack'; readonly afterMs: number }
  | { readonly kind: 'deadLetter'; readonly error: PosthasteError }

/** How long what a filter refused waits, where the filter does not say. */
const refusedWaitMs = 1_000

const refusals: ReadonlySet<ErrorCode> = new Set<ErrorCode>(['BREAKER_OPEN', 'OVERLOADED', 'RATE_LIMITED'])

/** Whether an error says that work was not begun, for the sake of whoever would do it. */
export function isRefusal(error: PosthasteError): boolean {
  return refusals.has(error.code)
}

/** Ends of somebody's waiting. Where it was not this delivery's own, the handler's work was left undone. */
const othersCancellations: ReadonlySet<ErrorCode> = new Set<ErrorCode>(['CANCELLED', 'DELIVERY_LOST'])

/**
 * Decides what follows a failure. Pure, but for the jitter.
 *
 * @param attempt the delivery's own number, from 1
 */
export function afterFailure(failure: Failure, attempt: number, rules: LadderRules): Consequence {
  const { error } = failure
  const { ladder, random } = rules
  if (failure.by === 'filter' && isRefusal(error)) {
    return { kind: 'handBack', afterMs: error.retryAfterMs ?? refusedWaitMs * (0.5 + random() / 2) }
  }
  if (error.verdict === 'ignored' && !othersCancellations.has(error.code)) return { kind: 'ignore' }
  if (error.verdict === 'permanent') return { kind: 'deadLetter', error }
  if (attempt > ladder.delayed) return { kind: 'deadLetter', error: exhausted(attempt, error) }
  const { baseMs, maxMs } = ladder
  return { kind: 'retry', afterMs: error.retryAfterMs ?? backoffMs({ baseMs, factor: 2, maxMs }, attempt, random) }
}

/** What decides beside the failure. */
export interface LadderRules {
  readonly ladder: Ladder
  /** From 0 up to but not 1. */
  readonly random: () => number
}

/** Deliveries that may end with the process, whatever the ladder says: a crash or two says nothing about the message. */
const crashesMax = 2

/** Whether a delivery comes so late that all attempts it may have must have ended with the process that made them. */
export function isExhaustedOnArrival(attempt: number, ladder: Ladder): boolean {
  return attempt > Math.max(ladder.delayed, crashesMax) + 1
}

/** The reason of a dead letter that nobody tried again. */
export function exhausted(attempt: number, last?: PosthasteError): PosthasteError {
  if (last === undefined) {
    return new PosthasteError('ATTEMPTS_EXHAUSTED', `delivery ${attempt}: those before ended with their process`)
  }
  const { cause, issues } = { cause: last, issues: last.issues }
  return new PosthasteError('ATTEMPTS_EXHAUSTED', `delivery ${attempt} failed: ${last.message}`, { cause, issues })
}
