import CircuitBreaker from 'opossum'
import { type Subject, stackName, wholeName } from './subject.ts'

/** Nothing opens it, and it leaves no timer behind. */
const options = { volumeThreshold: Number.MAX_SAFE_INTEGER, resetTimeout: 5_000 }

/** Its circuit breaker, which is all it has: alone, with the timeout, and with capacity and a fallback besides. */
export const opossum: readonly Subject[] = [
  subject('breaker', { ...options, timeout: false }),
  subject(stackName, { ...options, timeout: 2_000 }),
  subject(wholeName, { ...options, timeout: 2_000, capacity: 1_000 }, () => 0),
]

function subject(name: string, settings: CircuitBreaker.Options, answer?: () => number): Subject {
  return {
    name,
    failure: new Error('a fault'),
    make(action) {
      const circuit = new CircuitBreaker(async () => action(), settings)
      if (answer !== undefined) circuit.fallback(answer)
      return () => circuit.fire()
    },
  }
}
