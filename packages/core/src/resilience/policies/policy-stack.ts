import type { StackSlot } from '../../pipeline/stack.ts'
import { type BreakerOptions, breaker } from '../breaker/breaker.ts'
import { type BulkheadOptions, bulkhead } from '../bulkhead/bulkhead.ts'
import { type CacheOptions, cache } from '../cache/cache.ts'
import { type ChaosOptions, chaos } from '../chaos/chaos.ts'
import { type ConcurrencyLimitOptions, concurrencyLimit } from '../concurrency/concurrency-limit.ts'
import { type FallbackOptions, fallback } from '../fallback/fallback.ts'
import { type HedgeOptions, hedge } from '../hedge/hedge.ts'
import { type RateLimitOptions, rateLimit } from '../rate-limit/rate-limit.ts'
import { type RetryOptions, retry } from '../retry/retry.ts'
import type { RetryBudget } from '../retry/retry-budget.ts'
import { deadline } from '../time/deadline.ts'
import { timeout } from '../time/timeout.ts'
import { filterOf, type Policy } from './policy.ts'

/** What the policies around calls are made from; what is left out is not there, and costs nothing. */
export interface PolicyOptions {
  /** Answers in place of what failed. */
  readonly fallback?: Policy<FallbackOptions>
  /** Milliseconds a call may take, its retries included, 1 to 2^31-1. Default: the call's own deadline alone. */
  readonly timeoutMs?: number | undefined
  /** Gives answers again for a time, and asks once where many ask the same. */
  readonly cache?: Policy<CacheOptions>
  /** Lets calls through at a rate. */
  readonly rateLimit?: Policy<RateLimitOptions>
  /** Finds out how many calls at a time the callee can do, and lets no more through. */
  readonly concurrencyLimit?: Policy<ConcurrencyLimitOptions>
  /** Bounds how many calls are under way at a time. */
  readonly bulkhead?: Policy<BulkheadOptions>
  /** Makes failed calls again where that is safe. */
  readonly retry?: Policy<RetryOptions>
  /** Makes a second attempt beside one that is slow; idempotent calls only. */
  readonly hedge?: Policy<HedgeOptions>
  /** What retries may cost, for all that share it. Default: each filter has its own. */
  readonly budget?: RetryBudget | undefined
  /** Stops calling what fails or crawls. */
  readonly breaker?: Policy<BreakerOptions>
  /** Milliseconds one attempt may take, 1 to 2^31-1. Default: as long as the call. */
  readonly attemptTimeoutMs?: number | undefined
  /** Injects faults, to see what they do. Default: none. */
  readonly chaos?: Policy<ChaosOptions>
}

/**
 * The policies around calls, outermost first, each with the reason for its place. A client's stack is made of these, and
 * they stand as well around a function of one's own: `buildStack(policyStack, { retry: {} }, filterDeps()).around(service)`.
 */
export const policyStack: readonly StackSlot<PolicyOptions>[] = [
  {
    role: 'fallback',
    why: 'outside of everything that can still save the call, the deadline included: it answers for whatever could not be saved',
    create: ({ fallback: policy }, deps) => filterOf('fallback', policy, (options) => fallback(options, deps)),
  },
  {
    role: 'deadline',
    why: 'outside of the retry: all attempts and the waits between them share the time the caller has',
    create: ({ timeoutMs }, deps) => deadline({ timeoutMs }, deps),
  },
  {
    role: 'cache',
    why: 'inside of the deadline, which each caller has for itself, and of the fallback, whose answers are not to be kept; outside of all that bounds calls: an answer that is kept costs the callee nothing',
    create: ({ cache: policy }, deps) => filterOf('cache', policy, (options) => cache(options, deps)),
  },
  {
    role: 'rateLimit',
    why: 'outside of the bulkhead: a call that has to wait for its time takes no place meanwhile',
    create: ({ rateLimit: policy }, deps) => filterOf('rateLimit', policy, (options) => rateLimit(options, deps)),
  },
  {
    role: 'concurrencyLimit',
    why: 'outside of the retry: a call is one, however often it is attempted, and a refusal is not to be repeated against a full callee',
    create: ({ concurrencyLimit: policy }, deps) =>
      filterOf('concurrencyLimit', policy, (options) => concurrencyLimit(options, deps)),
  },
  {
    role: 'bulkhead',
    why: 'outside of the retry: a call keeps its place over all its attempts, so that retries need no places of their own',
    create: ({ bulkhead: policy }, deps) => filterOf('bulkhead', policy, (options) => bulkhead(options, deps)),
  },
  {
    role: 'retry',
    why: 'outside of breaker and timeout: each attempt is asked for, counted and timed by itself',
    create: ({ retry: policy, budget }, deps) =>
      filterOf('retry', policy, (options) => retry({ budget, ...options }, deps)),
  },
  {
    role: 'hedge',
    why: 'inside of the retry, so that both attempts of a pair are one for it; outside of breaker and timeout, which each of them has by itself',
    create: ({ hedge: policy }, deps) => filterOf('hedge', policy, (options) => hedge(options, deps)),
  },
  {
    role: 'breaker',
    why: 'outside of the timeout: an attempt that takes too long must count against the callee',
    create: ({ breaker: policy }, deps) => filterOf('breaker', policy, (options) => breaker(options, deps)),
  },
  {
    role: 'timeout',
    why: 'right around one attempt: no more than that may be cancelled when its time is up',
    create: ({ attemptTimeoutMs }, deps) =>
      attemptTimeoutMs === undefined ? undefined : timeout({ timeoutMs: attemptTimeoutMs }, deps),
  },
  {
    role: 'chaos',
    why: 'inside of all that must cope with it: to them a fault that is injected is one of the callee’s',
    create: ({ chaos: policy }, deps) => filterOf('chaos', policy, (options) => chaos(options, deps)),
  },
]
