import { type ErrorCode, PosthasteError, verdictOf } from '@posthaste/contracts'

/** Refusals that come before any work: a sign of pressure, not of sickness. */
const refusals: ReadonlySet<ErrorCode> = new Set<ErrorCode>(['BREAKER_OPEN', 'OVERLOADED', 'RATE_LIMITED'])

/**
 * Whether a failure is the callee's: whatever a repetition may cure, timeouts included, and INTERNAL, which a repetition
 * does not cure but a healthy callee does not answer. Not the caller's own mistakes, and not cancellations.
 */
export function isCalleeFailure(thrown: unknown): boolean {
  return verdictOf(thrown) === 'retryable' || PosthasteError.is(thrown, 'INTERNAL')
}

/** Whether a failure says that the callee is not healthy: its failures, except that it refused to begin. */
export function isHealthFailure(thrown: unknown): boolean {
  return isCalleeFailure(thrown) && !(PosthasteError.is(thrown) && refusals.has(thrown.code))
}

/**
 * Whether another attempt makes sense: a `retryable` verdict, except BREAKER_OPEN, because a breaker stays open for
 * longer than a caller should wait.
 */
export function isWorthRetrying(thrown: unknown): boolean {
  return verdictOf(thrown) === 'retryable' && !PosthasteError.is(thrown, 'BREAKER_OPEN')
}

/** Whether a failure says that nothing has reached the callee. */
export function wasNotSent(thrown: unknown): boolean {
  return PosthasteError.is(thrown) && thrown.notSent
}
