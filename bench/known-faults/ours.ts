import { PosthasteError } from '@posthaste/contracts'
import { cancelSource, compose, createCall, filterDeps } from 'posthaste/pipeline'
import { backoffMs, breaker, breakers, bulkhead, deadline, retry, retryBudget, timeout } from 'posthaste/resilience'
import { manualClock } from 'posthaste/testing'
import type { BreakerAsk, Guard, Kit, RetryAsk, Work } from './kit.ts'

type AnyFilter = ReturnType<typeof breaker> | ReturnType<typeof retry>

/** Ours, on its own manual clock. */
export function ourKit(): Kit {
  const clock = manualClock()
  const deps = filterDeps({ clock })
  const guarding = (idempotent: boolean, filters: readonly AnyFilter[]): Guard => ({
    async run<T>(work: Work<T>, caller?: AbortSignal): Promise<T> {
      const source = cancelSource()
      const cancel = (): void => source.cancel(new PosthasteError('CANCELLED', 'the caller gave up'))
      caller?.addEventListener('abort', cancel)
      const { token: cancellation } = source
      const call = createCall({ kind: 'request', target: 't', id: '1', payload: 1, idempotent, cancellation })
      const service = compose<number, T>(filters, ({ signal }) => work(signal))
      try {
        return await service(call)
      } finally {
        caller?.removeEventListener('abort', cancel)
      }
    },
  })
  const guardOf = (...filters: readonly AnyFilter[]): Guard => guarding(true, filters)
  const retryOptions = ({ attempts, baseMs, maxMs }: RetryAsk) => ({ attempts, baseMs, maxMs })
  return {
    advance: (ms) => clock.advance(ms),
    nowMs: () => clock.monotonicMs(),
    breaker(ask: BreakerAsk) {
      const { callsMin, windowMs, openMs = 1_000, probes = 1, timeoutMs, concurrency } = ask
      const circuit = breaker({ callsMin, windowMs, openMs, probes }, deps)
      const inner = timeoutMs === undefined ? [] : [timeout({ timeoutMs }, deps)]
      // In the order of our stacks: the bulkhead outside, the timeout of the attempt inside.
      const outer = concurrency === undefined ? [] : [bulkhead({ concurrency }, deps)]
      return { ...guardOf(...outer, circuit, ...inner), state: () => circuit.state }
    },
    breakers() {
      const keyed = breakers({}, deps)
      return {
        run: async (key, work) =>
          keyed.apply(createCall({ kind: 'request', target: key, id: '1', payload: 1 }), ({ signal }) => work(signal)),
        known() {
          const { keys, freshKeys } = keyed.snapshot() as unknown as { keys: number; freshKeys: number }
          return keys + freshKeys
        },
      }
    },
    retry: (ask) => guardOf(retry({ ...retryOptions(ask), retryAfterMaxMs: 60_000 }, deps)),
    once: (ask) => guarding(false, [retry(retryOptions(ask), deps)]),
    tiers(count, ask) {
      const options = () => ({ ...retryOptions(ask), budget: retryBudget({}, clock) })
      return guardOf(...Array.from({ length: count }, () => retry(options(), deps)))
    },
    bounded({ concurrency, timeoutMs, limit }) {
      const places = bulkhead({ concurrency }, deps)
      return limit === 'outside'
        ? guardOf(deadline({ timeoutMs }, deps), places)
        : guardOf(places, timeout({ timeoutMs }, deps))
    },
    bulkhead: (ask) => guardOf(bulkhead(ask, deps)),
    waits(count, { baseMs, maxMs }) {
      const backoff = { baseMs, factor: 2, maxMs }
      return Array.from({ length: count }, (_, at) => backoffMs(backoff, at + 1, Math.random))
    },
    failure: (retryAfterMs) =>
      new PosthasteError('UNAVAILABLE', 'down', retryAfterMs === undefined ? {} : { retryAfterMs }),
    callersFault: () => new PosthasteError('INVALID_ARGUMENT', 'the caller’s fault'),
    retryWithin: (ask, timeoutMs) => guardOf(deadline({ timeoutMs }, deps), retry(retryOptions(ask), deps)),
    close: () => deps.timers.close(),
  }
}
