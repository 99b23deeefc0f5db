import { type Filter, PosthasteError } from '@posthaste/contracts'
import { compose, createCall, type FilterDeps, filterDeps } from 'posthaste/pipeline'
import {
  breaker,
  bulkhead,
  cache,
  concurrencyLimit,
  deadline,
  fallback,
  hedge,
  idempotency,
  memoryIdempotency,
  rateLimit,
  retry,
  shedding,
  timeout,
} from 'posthaste/resilience'
import { type Action, bareName, type Subject, stackName, wholeName } from './subject.ts'

const totalMs = 10_000
const attemptMs = 2_000

/** Each filter with settings at which it neither refuses nor waits: what it costs to be there. */
const filters: Readonly<Record<string, (deps: FilterDeps) => Filter>> = {
  timeout: (deps) => timeout({ timeoutMs: attemptMs }, deps),
  deadline: (deps) => deadline({ timeoutMs: totalMs }, deps),
  retry: (deps) => retry({}, deps),
  // Fails all the time on the path of failures, and must not open.
  breaker: (deps) => breaker({ failurePercent: 100, callsMin: 1_000_000, windowMs: 100 }, deps),
  fallback: (deps) => fallback({ answer: () => 0 }, deps),
  bulkhead: (deps) => bulkhead({ concurrency: 1_000 }, deps),
  rateLimit: (deps) => rateLimit({ rate: 1e9 }, deps),
  concurrencyLimit: (deps) => concurrencyLimit({ initial: 1_000 }, deps),
  shedding: (deps) => shedding({ concurrency: 1_000 }, deps),
  'cache, an answer that is there': (deps) => cache({ ttlMs: 3_600_000 }, deps),
  'idempotency, a new key': (deps) => {
    let keys = 0
    return idempotency({ store: memoryIdempotency({ keysMax: 10_000 }, deps.clock), key: () => String(keys++) }, deps)
  },
  hedge: (deps) => hedge({ delayMs: attemptMs }, deps),
}

/** The filters that stand around the calls of a client, outermost first. */
const stacks: Readonly<Record<string, readonly string[]>> = {
  [stackName]: ['deadline', 'retry', 'breaker', 'timeout'],
  [wholeName]: [
    'fallback',
    'deadline',
    'rateLimit',
    'concurrencyLimit',
    'bulkhead',
    'retry',
    'hedge',
    'breaker',
    'timeout',
  ],
}

/** A failure that counts, and that no repetition is made for. */
const failure = new PosthasteError('INTERNAL', 'a fault')

/** Our filters, alone and stacked. Each call is made as an edge makes it, which is part of what it costs. */
export function ours(deps: FilterDeps = filterDeps({ target })): readonly Subject[] {
  const stack = (name: string, roles: readonly string[]): Subject => ({
    name,
    failure,
    make(action: Action) {
      const run = compose<number, number>(
        roles.map((role) => filters[role]!(deps)),
        action,
      )
      return () => run(createCall({ kind: 'request', target, id: '1', payload: 1, idempotent: true }))
    },
  })
  return [
    { name: bareName, failure, make: (action) => action },
    stack('no filter', []),
    ...Object.keys(filters).map((role) => stack(role, [role])),
    ...Object.entries(stacks).map(([name, roles]) => stack(name, roles)),
  ]
}

const target = 'shop.Inventory/checkStock'
