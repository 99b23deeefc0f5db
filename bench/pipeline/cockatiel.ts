import {
  bulkhead,
  circuitBreaker,
  ExponentialBackoff,
  fallback,
  handleAll,
  handleWhen,
  retry,
  SamplingBreaker,
  TimeoutStrategy,
  timeout,
  wrap,
} from 'cockatiel'
import { type Action, type Subject, stackName, wholeName } from './subject.ts'

const notWorthIt = handleWhen(() => false)

/** Set as ours are: the same times, nothing refused, nothing repeated, a timeout that does not wait for the work. */
const policies = {
  timeout: () => timeout(2_000, TimeoutStrategy.Aggressive),
  retry: () => retry(notWorthIt, { maxAttempts: 2, backoff: new ExponentialBackoff() }),
  breaker: () =>
    circuitBreaker(handleAll, {
      halfOpenAfter: 5_000,
      breaker: new SamplingBreaker({ threshold: 0.999_999, duration: 10_000, minimumRps: 1e9 }),
    }),
  fallback: () => fallback(handleAll, 0),
  bulkhead: () => bulkhead(1_000),
}

/** Its policies, alone and wrapped as its documentation wraps them. */
export const cockatiel: readonly Subject[] = [
  ...Object.entries(policies).map(([name, make]) => subject(name, make())),
  subject(stackName, wrap(policies.retry(), policies.breaker(), policies.timeout())),
  subject(
    wholeName,
    wrap(policies.fallback(), policies.retry(), policies.breaker(), policies.timeout(), policies.bulkhead()),
  ),
]

function subject(name: string, policy: { execute(action: Action): unknown }): Subject {
  return { name, failure: new Error('a fault'), make: (action) => () => policy.execute(action) }
}
