import { type ErrorCode, PosthasteError } from '@posthaste/contracts'
import { isWorthRetrying } from '../../resilience/failure.ts'
import { backoffMs } from '../../resilience/retry/backoff.ts'
import { type ErrorRuleSettings, ruleFor } from './error-rules.ts'
import type { Ladder } from './ladder.ts'

/** A delivery that did not succeed. */
export interface Failure {
  readonly error: PosthasteError
  /**
   * Who failed: the handler or its data, a filter that let no attempt reach the handler, or the delivery itself, which came
   * too late for any attempt.
   */
  readonly by: 'handler' | 'filter' | 'arrival'
}

/** What follows a failure. */
export type Consequence =
  | { readonly kind: 'ignore' }
  /** Delivered again after the wait, as another attempt. */
  | { readonly kind: 'retry'; readonly afterMs: number }
  /** Delivered again after the wait, as the same attempt: nobody has tried. */
  | { readonly kind: 'handBack'; readonly afterMs: number }
  /** `to`: the target that a rule names. */
  | { readonly kind: 'deadLetter'; readonly error: PosthasteError; readonly to: string | undefined }

/** What decides beside the failure. */
export interface FailureRules {
  readonly ladder: Ladder
  readonly errors: readonly ErrorRuleSettings[]
  /** From 0 up to but not 1. */
  readonly random: () => number
}

/** How long what a filter refused waits, where the filter does not say. */
const refusedWaitMs = 1_000

/** The longest wait that an error may ask for: that which options may, some 24 days. */
const askedWaitMaxMs = 2 ** 31 - 1

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
export function afterFailure(failure: Failure, attempt: number, rules: FailureRules): Consequence {
  const { error, by } = failure
  const { random } = rules
  // What is refused for good, as what costs more than a rate ever gives, would come and go for ever.
  if (by === 'filter' && isRefusal(error) && error.verdict !== 'permanent') {
    return { kind: 'handBack', afterMs: askedWaitMs(error) ?? refusedWaitMs * (0.5 + random() / 2) }
  }
  const rule = rules.errors.length === 0 ? undefined : ruleFor(rules.errors, error)
  const action = rule?.action ?? actionOf(error)
  const to = rule?.deadLetterTo
  if (action === 'ignore') return { kind: 'ignore' }
  if (action === 'dead-letter' || by === 'arrival') return { kind: 'deadLetter', error, to }
  const { delayed, baseMs, maxMs } = rule?.ladder ?? rules.ladder
  if (attempt > delayed) return { kind: 'deadLetter', error: exhausted(attempt, error), to }
  return { kind: 'retry', afterMs: askedWaitMs(error) ?? backoffMs({ baseMs, factor: 2, maxMs }, attempt, random) }
}

/**
 * The wait that an error asks for, within bounds: it may come from afar, and a message that waits for ever is as good as
 * lost. Undefined where there is none, or none that is a number.
 */
function askedWaitMs({ retryAfterMs }: PosthasteError): number | undefined {
  if (typeof retryAfterMs !== 'number' || Number.isNaN(retryAfterMs)) return undefined
  return Math.min(Math.max(retryAfterMs, 0), askedWaitMaxMs)
}

/** What an error's verdict says where no rule does. */
function actionOf(error: PosthasteError): 'ignore' | 'dead-letter' | 'retry' {
  if (error.verdict === 'ignored' && !othersCancellations.has(error.code)) return 'ignore'
  return error.verdict === 'permanent' ? 'dead-letter' : 'retry'
}

/**
 * Whether a failure is worth another attempt at once, in process.
 * @param made attempts of this delivery so far
 */
export function isWorthAnotherNow(thrown: unknown, made: number, rules: FailureRules): boolean {
  // A handler that asks for a later attempt means the ladder.
  if (PosthasteError.is(thrown, 'HANDLER_RETRY')) return false
  if (rules.errors.length === 0 || !PosthasteError.is(thrown)) return isWorthRetrying(thrown)
  const rule = ruleFor(rules.errors, thrown)
  if (made > (rule?.ladder ?? rules.ladder).immediate) return false
  return rule?.action === undefined ? isWorthRetrying(thrown) : rule.action === 'retry' && !isRefusal(thrown)
}

/** The reason of a dead letter that nobody tried again. */
export function exhausted(attempt: number, last?: PosthasteError): PosthasteError {
  if (last === undefined) {
    return new PosthasteError('ATTEMPTS_EXHAUSTED', `delivery ${attempt}: those before ended with their process`)
  }
  const { cause, issues } = { cause: last, issues: last.issues }
  return new PosthasteError('ATTEMPTS_EXHAUSTED', `delivery ${attempt} failed: ${last.message}`, { cause, issues })
}
