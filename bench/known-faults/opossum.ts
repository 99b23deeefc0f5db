import CircuitBreaker from 'opossum'
import { type BreakerGuard, type Kit, NotOffered, type Work } from './kit.ts'
import { takeTime } from './machine-time.ts'

class Down extends Error {}
class CallersFault extends Error {}

const action = (work: Work<unknown>, signal: AbortSignal): Promise<unknown> => work(signal)

/** The signal of the present controller, which its types do not know of. */
function signalOf(circuit: CircuitBreaker): AbortSignal {
  return (circuit as unknown as { getSignal(): AbortSignal }).getSignal()
}

/** opossum: a breaker that is also a timeout and a semaphore, on the machine's time. */
export function opossumKit(): Kit {
  const time = takeTime()
  const made: CircuitBreaker[] = []
  const breaker = (options: CircuitBreaker.Options): BreakerGuard => {
    // The one controller that its documentation has for timeouts that abort.
    const abortController = new AbortController()
    const circuit = new CircuitBreaker(action, {
      ...{ abortController, autoRenewAbortController: true, errorThresholdPercentage: 49 },
      errorFilter: (error: Error) => error instanceof CallersFault,
      ...options,
    })
    made.push(circuit)
    return {
      run: <T>(work: Work<T>) => circuit.fire(work, signalOf(circuit)) as Promise<T>,
      state: () => (circuit.halfOpen ? 'halfOpen' : circuit.opened ? 'open' : 'closed'),
    }
  }
  const noRetry = (): never => {
    throw new NotOffered('has no retry')
  }
  return {
    advance: time.advance,
    nowMs: time.nowMs,
    breaker({ callsMin, windowMs = 10_000, openMs = 1_000, probes = 1, timeoutMs, concurrency }) {
      if (probes !== 1) throw new NotOffered('has one probe, and no more')
      return breaker({
        ...(callsMin !== undefined && { volumeThreshold: callsMin }),
        rollingCountTimeout: windowMs,
        resetTimeout: openMs,
        timeout: timeoutMs ?? false,
        ...(concurrency !== undefined && { capacity: concurrency }),
      })
    },
    breakers() {
      throw new NotOffered('has no breakers by key')
    },
    retry: noRetry,
    once: noRetry,
    tiers: noRetry,
    waits: noRetry,
    retryWithin: noRetry,
    bounded({ concurrency, timeoutMs, limit }) {
      if (limit === 'outside') throw new NotOffered('has its semaphore outside its timeout, and nothing else')
      return breaker({ capacity: concurrency, timeout: timeoutMs, volumeThreshold: 1_000_000 })
    },
    bulkhead({ concurrency, queue }) {
      if (queue > 0) throw new NotOffered('has no queue')
      return breaker({ capacity: concurrency, timeout: false, volumeThreshold: 1_000_000 })
    },
    failure: () => new Down('down'),
    callersFault: () => new CallersFault('the caller’s fault'),
    close() {
      for (const circuit of made) circuit.shutdown()
      time.release()
    },
  }
}
