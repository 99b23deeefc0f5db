import type { StackSlot } from '../../pipeline/stack.ts'
import { type BreakerOptions, breaker } from '../../resilience/breaker/breaker.ts'
import { bulkhead } from '../../resilience/bulkhead/bulkhead.ts'
import { chaos } from '../../resilience/chaos/chaos.ts'
import { concurrencyLimit } from '../../resilience/concurrency/concurrency-limit.ts'
import { filterOf } from '../../resilience/policies/policy.ts'
import type { PolicyOptions } from '../../resilience/policies/policy-stack.ts'
import { rateLimit } from '../../resilience/rate-limit/rate-limit.ts'
import { type RetryOptions, retry } from '../../resilience/retry/retry.ts'
import { timeout } from '../../resilience/time/timeout.ts'

/** Policies around a handler. While one of them takes nothing on, the consumer takes no messages. */
export type HandlerPolicies = Pick<PolicyOptions, 'rateLimit' | 'concurrencyLimit' | 'bulkhead' | 'breaker' | 'chaos'>

/** What the default stack around a handler is built from. */
export interface ConsumerStackOptions extends HandlerPolicies {
  /** Attempts in process after the first; 0 for none. */
  readonly immediate: number
  /** Which failures are worth one of them, `made` having been made for this delivery. */
  readonly retryOn: (thrown: unknown, made: number) => boolean
  /** Milliseconds that one attempt may take; undefined for no bound. */
  readonly timeoutMs: number | undefined
}

/**
 * What stands around every handler, outermost first. Decoding and validation have happened before it: they would fail
 * again in every attempt. What stands outside of the retry sees a delivery once, what stands inside sees every attempt.
 */
export const consumerStack: readonly StackSlot<ConsumerStackOptions>[] = [
  {
    role: 'retry',
    why: 'outside breaker and timeout, so that each attempt is admitted, counted and timed by itself',
    create: (options, deps) => (options.immediate === 0 ? undefined : retry(immediateRetry(options), deps)),
  },
  {
    role: 'rateLimit',
    why: 'outside of the bulkhead, so that what has to wait for its time takes no place meanwhile; inside retry, so that each attempt is counted',
    create: ({ rateLimit: policy }, deps) => filterOf('rateLimit', policy, (options) => rateLimit(options, deps)),
  },
  {
    role: 'concurrencyLimit',
    why: 'outside of breaker and timeout, so that it sees what they make of an attempt; inside retry, so that each attempt is measured',
    create: ({ concurrencyLimit: policy }, deps) =>
      filterOf('concurrencyLimit', policy, (options) => concurrencyLimit(options, deps)),
  },
  {
    role: 'bulkhead',
    why: 'outside breaker and timeout, so that waiting for a place is neither slow nor failed work; inside retry, so that no place is kept between attempts',
    create: ({ bulkhead: policy }, deps) => filterOf('bulkhead', policy, (options) => bulkhead(options, deps)),
  },
  {
    role: 'breaker',
    why: 'inside retry, so that an open circuit stops the attempts; outside timeout, so that timeouts count as failures',
    create: ({ breaker: policy }, deps) => filterOf('breaker', policy, (options) => breaker(options, deps)),
  },
  {
    role: 'timeout',
    why: 'right around the handler, so that each attempt has a time and a live signal of its own',
    create: ({ timeoutMs }, deps) => (timeoutMs === undefined ? undefined : timeout({ timeoutMs }, deps)),
  },
  {
    role: 'chaos',
    why: 'inside of all that must cope with it: to them a fault that is injected is one of the handler',
    create: ({ chaos: policy }, deps) => filterOf('chaos', policy, (options) => chaos(options, deps)),
  },
]

/** Waits of this length are worth keeping a handler's place; longer ones are the engine's. */
const immediateWaitMaxMs = 50

function immediateRetry({ immediate, retryOn }: ConsumerStackOptions): RetryOptions {
  return {
    attempts: immediate + 1,
    baseMs: 10,
    factor: 2,
    maxMs: immediateWaitMaxMs,
    retryAfterMaxMs: immediateWaitMaxMs,
    // The ladder bounds the attempts of a message, and credit bounds the messages; a budget would only blur both.
    budget: false,
    retryOn,
  }
}

/** What the default stack around publishing is built from. */
export interface PublisherOptions {
  /** Repeats what the engine did not confirm, under the same id. Default: no repetition. */
  readonly retry?: RetryOptions | undefined
  /** Stops publishing while the engine fails. Default: none. */
  readonly breaker?: BreakerOptions | undefined
  /** Milliseconds that one attempt may take, 1 to 2^31-1. Default: no bound but the engine's own. */
  readonly timeoutMs?: number | undefined
}

/** What stands around every publish, outermost first; nothing of it unless it is asked for. */
export const publisherStack: readonly StackSlot<PublisherOptions>[] = [
  {
    role: 'retry',
    why: 'outside breaker and timeout, so that each attempt is admitted, counted and timed by itself',
    create: (options, deps) => (options.retry === undefined ? undefined : retry(options.retry, deps)),
  },
  {
    role: 'breaker',
    why: 'inside retry, so that an open circuit stops the attempts; outside timeout, so that timeouts count as failures',
    create: (options, deps) => (options.breaker === undefined ? undefined : breaker(options.breaker, deps)),
  },
  {
    role: 'timeout',
    why: 'innermost, so that each attempt has a time of its own',
    create: ({ timeoutMs }, deps) => (timeoutMs === undefined ? undefined : timeout({ timeoutMs }, deps)),
  },
]
