/**
 * What keeps failures small: filters for time limits, retries, breakers and fallbacks, written once for calls and for
 * messages. The order in which they stand, and why, is told with each of them.
 */

// For applications.
export { type Breaker, type BreakerChange, type BreakerOptions, breaker } from './breaker.ts'
export { type BreakersOptions, breakers, type KeyingOptions } from './breakers.ts'
export { type DeadlineOptions, deadline } from './deadline.ts'
export { type FallbackOptions, fallback } from './fallback.ts'
export { type RetryOptions, retry } from './retry.ts'
export { type RetryBudget, type RetryBudgetOptions, retryBudget } from './retry-budget.ts'
export { type TimeoutOptions, timeout } from './timeout.ts'

// For authors of filters and edges.
export { type Backoff, backoffCeilingMs, backoffMs } from './backoff.ts'
export type { CircuitCounts, CircuitState, Closed, HalfOpen, Open } from './circuit.ts'
export { isCalleeFailure, isHealthFailure, isWorthRetrying, wasNotSent } from './failure.ts'
