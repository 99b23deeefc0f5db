/**
 * What keeps failures small: filters for time limits, retries, breakers and fallbacks, written once for calls and for
 * messages. The order in which they stand, and why, is told with each of them.
 */

// For applications.
export { type Breaker, type BreakerChange, type BreakerOptions, breaker } from './breaker/breaker.ts'
export { type Breakers, type BreakersOptions, breakers, type KeyingOptions } from './breaker/breakers.ts'
export { type BulkheadOptions, bulkhead } from './bulkhead/bulkhead.ts'
export {
  type Chaos,
  type ChaosAbort,
  type ChaosError,
  type ChaosLatency,
  type ChaosOptions,
  chaos,
} from './chaos/chaos.ts'
export { type Cache, type CacheOptions, cache } from './cache/cache.ts'
export { type ConcurrencyLimitOptions, concurrencyLimit } from './concurrency/concurrency-limit.ts'
export { type DeadlineOptions, deadline } from './time/deadline.ts'
export { type HedgeOptions, hedge } from './hedge/hedge.ts'
export { type IdempotencyOptions, idempotency } from './idempotency/idempotency.ts'
export {
  type MemoryIdempotency,
  type MemoryIdempotencyOptions,
  memoryIdempotency,
} from './idempotency/memory-store.ts'
export { type FallbackOptions, fallback, type LastGoodOptions } from './fallback/fallback.ts'
export { type MemoryRateLimitsOptions, memoryRateLimits } from './rate-limit/local-rates.ts'
export { filterOf, type Policy } from './policies/policy.ts'
export { type PolicyOptions, policyStack } from './policies/policy-stack.ts'
export {
  background,
  hedged,
  type Preset,
  type PresetInit,
  type PresetPolicies,
  preset,
  standard,
} from './policies/presets.ts'
export { type RateLimitOptions, rateLimit } from './rate-limit/rate-limit.ts'
export { type RetryOptions, retry } from './retry/retry.ts'
export { type RetryBudget, type RetryBudgetOptions, retryBudget } from './retry/retry-budget.ts'
export { type SheddingOptions, shedding } from './shedding/shedding.ts'
export { type TimeoutOptions, timeout } from './time/timeout.ts'

// For authors of filters and edges.
export { type Backoff, backoffCeilingMs, backoffMs, decorrelatedBackoffMs } from './retry/backoff.ts'
export type { CircuitCounts, CircuitState, Closed, ForcedState, HalfOpen, Open } from './breaker/circuit.ts'
export { gcra, type RateAsk, type RateStep } from './rate-limit/gcra.ts'
export { isCalleeFailure, isHealthFailure, isWorthRetrying, wasNotSent } from './failure.ts'
