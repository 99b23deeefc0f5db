import {
  bulkhead,
  CircuitState,
  ConstantBackoff,
  circuitBreaker,
  ExponentialBackoff,
  handleWhen,
  type IPolicy,
  retry,
  SamplingBreaker,
  TimeoutStrategy,
  timeout,
  wrap,
} from 'cockatiel'
import { type Guard, type Kit, NotOffered, type RetryAsk, type Work } from './kit.ts'
import { takeTime } from './machine-time.ts'

class Down extends Error {}
class CallersFault extends Error {}

const handled = handleWhen((error) => !(error instanceof CallersFault))

/** cockatiel, as its readme composes it, on the machine's time. */
export function cockatielKit(): Kit {
  const time = takeTime()
  const guardOf = (policy: IPolicy): Guard => ({
    run: <T>(work: Work<T>, caller?: AbortSignal) => policy.execute(({ signal }) => work(signal), caller),
  })
  const retrying = ({ attempts, baseMs, maxMs }: RetryAsk) =>
    retry(handled, { maxAttempts: attempts - 1, backoff: backoffOf({ attempts, baseMs, maxMs }) })
  return {
    advance: time.advance,
    nowMs: time.nowMs,
    breaker({ callsMin, windowMs = 10_000, openMs = 1_000, probes = 1, timeoutMs, concurrency }) {
      // Calls per second, where others have calls in the window; half a call less, as it divides and multiplies again.
      const minimumRps = callsMin === undefined ? undefined : ((callsMin - 0.5) * 1_000) / windowMs
      const circuit = circuitBreaker(handled, {
        halfOpenAfter: new ConstantBackoff(openMs),
        breaker: new SamplingBreaker({ threshold: 0.49, duration: windowMs, ...(minimumRps && { minimumRps }) }),
        halfOpenSampling: { calls: probes, threshold: 0.49 },
      })
      const policies: IPolicy[] = [circuit]
      if (timeoutMs !== undefined) policies.push(timeout(timeoutMs, TimeoutStrategy.Aggressive) as IPolicy)
      if (concurrency !== undefined) policies.unshift(bulkhead(concurrency) as IPolicy)
      return { ...guardOf(wrap(...(policies as [IPolicy])) as IPolicy), state: () => stateOf(circuit.state) }
    },
    breakers() {
      throw new NotOffered('has no breakers by key')
    },
    retry: (ask) => guardOf(retrying(ask) as IPolicy),
    once() {
      throw new NotOffered('is not told whether work is idempotent')
    },
    tiers(count, ask) {
      const tiers = Array.from({ length: count }, () => retrying(ask) as IPolicy)
      return guardOf(wrap(...(tiers as [IPolicy])) as IPolicy)
    },
    bounded({ concurrency, timeoutMs, limit }) {
      const policies = [bulkhead(concurrency) as IPolicy, timeout(timeoutMs, TimeoutStrategy.Aggressive) as IPolicy]
      if (limit === 'outside') policies.reverse()
      return guardOf(wrap(...(policies as [IPolicy])) as IPolicy)
    },
    bulkhead: ({ concurrency, queue }) => guardOf(bulkhead(concurrency, queue) as IPolicy),
    waits(count, ask) {
      const context = { attempt: 1, signal: new AbortController().signal, result: { error: new Down() } }
      const waits: number[] = []
      let next = backoffOf(ask).next()
      for (let at = 0; at < count; at++, next = next.next({ ...context, attempt: at + 1 })) waits.push(next.duration)
      return waits
    },
    failure(retryAfterMs) {
      if (retryAfterMs !== undefined) throw new NotOffered('leaves Retry-After to a backoff of the user’s')
      return new Down('down')
    },
    callersFault: () => new CallersFault('the caller’s fault'),
    retryWithin: (ask, timeoutMs) =>
      guardOf(wrap(timeout(timeoutMs, TimeoutStrategy.Aggressive) as IPolicy, retrying(ask) as IPolicy) as IPolicy),
    close: time.release,
  }
}

function backoffOf({ baseMs, maxMs }: RetryAsk) {
  return new ExponentialBackoff({ initialDelay: baseMs, maxDelay: maxMs })
}

function stateOf(state: CircuitState): 'closed' | 'open' | 'halfOpen' {
  if (state === CircuitState.Closed) return 'closed'
  return state === CircuitState.HalfOpen ? 'halfOpen' : 'open'
}
