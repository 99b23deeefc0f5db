import type { Call, Clock } from '@posthaste/contracts'
import { PosthasteError } from '@posthaste/contracts'
import {
  circuitBreaker,
  bulkhead as cockatielBulkhead,
  retry as cockatielRetry,
  timeout as cockatielTimeout,
  ExponentialBackoff,
  handleAll,
  SamplingBreaker,
  TimeoutStrategy,
  wrap,
} from 'cockatiel'
import CircuitBreaker from 'opossum'
import { buildStack, createCall, filterDeps } from 'posthaste/pipeline'
import { concurrencyLimit, type PolicyOptions, standard } from 'posthaste/resilience'
import type { Guard } from './fleet.ts'
import { limits } from './limits.ts'
import type { Random } from './random.ts'

/** Makes an attempt: resolves when the callee answered well, rejects when it did not, or never settles. */
export type Send = (deadlineAtMs: number) => Promise<void>

/** Makes a call: attempts of it, until it is answered or given up. */
export type Caller = (deadlineAtMs: number) => Promise<void>

/** What a caller is made with. */
export interface Env {
  readonly clock: Clock
  readonly random: Random
  readonly send: Send
}

/** A way of calling. */
export interface Contestant {
  readonly name: string
  /** How it is set, in a line. */
  readonly settings: string
  /** One caller: what it learns is its own. */
  create(env: Env): Caller
  /** What each instance of a callee has in front of it; nothing unless said. */
  guard?(env: Omit<Env, 'send'>): Guard
  /** What a failure is to whoever called the service that it happened in. */
  overTheWire(failure: unknown): Error
}

const serviceUnavailable = new Error('503')
const anError = (): Error => serviceUnavailable

const timeoutOnly: Contestant = {
  name: 'none',
  settings: 'the timeout of the attempt',
  create: ({ clock, send }) => limited(clock, send),
  overTheWire: anError,
}

const naive: Contestant = {
  name: 'naive retry',
  settings: 'three attempts, 100 ms apart, each with the timeout',
  create: ({ clock, send }) => retried(clock, limited(clock, send), () => true),
  overTheWire: anError,
}

/** Its readme's composition and its bulkhead's size there; the bulkhead outside of the breaker so that its refusals are not counted as failures. */
const cockatiel: Contestant = {
  name: 'cockatiel',
  settings: 'retry (exponential, jittered), bulkhead of 12 and a queue of 4, sampling breaker, timeout',
  create({ send }) {
    const policy = wrap(
      cockatielRetry(handleAll, { maxAttempts: limits.attempts - 1, backoff: new ExponentialBackoff() }),
      cockatielBulkhead(12, 4),
      circuitBreaker(handleAll, {
        halfOpenAfter: limits.openMs,
        breaker: new SamplingBreaker({
          threshold: limits.failurePercent / 100,
          duration: limits.windowMs,
          minimumRps: limits.callsMin / (limits.windowMs / 1_000),
        }),
      }),
      cockatielTimeout(limits.attemptTimeoutMs, TimeoutStrategy.Aggressive),
    )
    return () => policy.execute(() => send(Number.POSITIVE_INFINITY))
  },
  overTheWire: anError,
}

const opossum: Contestant = {
  name: 'opossum',
  settings: 'the naive retry around its timeout and breaker; what the open breaker refuses is not tried again',
  create({ clock, send }) {
    const circuit = new CircuitBreaker(send, {
      timeout: limits.attemptTimeoutMs,
      errorThresholdPercentage: limits.failurePercent,
      resetTimeout: limits.openMs,
      rollingCountTimeout: limits.windowMs,
      volumeThreshold: limits.callsMin,
      // Cost time, and change nothing.
      rollingPercentilesEnabled: false,
      enableSnapshots: false,
    })
    const isOpen = (thrown: unknown): boolean => (thrown as { code?: unknown }).code === 'EOPENBREAKER'
    return retried(
      clock,
      (deadlineAtMs) => circuit.fire(deadlineAtMs),
      (thrown) => !isOpen(thrown),
    )
  },
  overTheWire: anError,
}

/** Ours, as it is set by default. */
export const ours: Contestant = stackOf(
  'ours',
  'the preset standard: deadline, retry with its budget, breaker, timeout',
  {},
)

/** Ours for a callee that may be asked for more than it can do. */
export const oursLimited: Contestant = stackOf('ours + limit', 'the same with the adaptive limit, for each caller', {
  concurrencyLimit: {},
})

/** Ours with what cockatiel has, too. */
export const oursBounded: Contestant = stackOf('ours + bulkhead', 'the same with a bulkhead of 12 and a queue of 4', {
  bulkhead: { concurrency: 12, queue: 4 },
})

/** Ours for reads from several instances. */
export const oursHedged: Contestant = stackOf('ours + hedge', 'the same with a second attempt beside slow ones', {
  hedge: {},
})

/** Ours with the limit where all calls come together. */
export const oursGuarded: Contestant = {
  ...stackOf('ours + server limit', 'the same with the adaptive limit in front of each instance of the callee', {}),
  guard({ clock, random }) {
    const filter = concurrencyLimit({}, filterDeps({ clock, random, target: 'instance' }))
    const call = callOf(Number.POSITIVE_INFINITY)
    return async (work) => filter.apply(call, work)
  },
}

/** Everybody, ours last. */
export const contestants: readonly Contestant[] = [timeoutOnly, naive, cockatiel, opossum, ours]

function stackOf(name: string, settings: string, more: PolicyOptions): Contestant {
  return {
    name,
    settings,
    create({ clock, random, send }) {
      const { timeoutMs, attemptTimeoutMs } = limits
      const deps = filterDeps({ clock, random, target: 'callee' })
      const stack = buildStack(standard.slots, { timeoutMs, attemptTimeoutMs, ...more }, deps)
      const call = stack.around((inner: Call) => send(inner.deadlineAtMs))
      return async (deadlineAtMs) => call(callOf(deadlineAtMs))
    },
    // As the transports do: code, message and pause travel; that nothing was sent is true of the one attempt alone.
    overTheWire(failure) {
      const { code, message, retryAfterMs } = PosthasteError.from(failure, 'INTERNAL', 'callee')
      return new PosthasteError(code, message, { retryAfterMs })
    },
  }
}

function callOf(deadlineAtMs: number): Call {
  return createCall({ kind: 'request', target: 'callee', id: '', payload: '', idempotent: true, deadlineAtMs })
}

function limited(clock: Clock, send: Send): Caller {
  return (deadlineAtMs) =>
    new Promise((resolve, reject) => {
      const timer = clock.setTimer(limits.attemptTimeoutMs, () => reject(new Error('timed out')))
      send(deadlineAtMs)
        .then(resolve, reject)
        .finally(() => timer.cancel())
    })
}

function retried(clock: Clock, attempt: Caller, again: (thrown: unknown) => boolean): Caller {
  return async (deadlineAtMs) => {
    for (let made = 1; ; made++) {
      try {
        return await attempt(deadlineAtMs)
      } catch (thrown) {
        if (made === limits.attempts || !again(thrown)) throw thrown
        await new Promise<void>((resolve) => clock.setTimer(limits.backoffMs, resolve))
      }
    }
  }
}
