/** Work of a callee, as a case plays it. The signal tells that it is no longer wanted, where the library has one to give. */
export type Work<T> = (signal: AbortSignal) => Promise<T>

/** Something that stands in front of work. */
export interface Guard {
  /** Runs work, for a caller who may give up. */
  run<T>(work: Work<T>, caller?: AbortSignal): Promise<T>
}

/** A guard that opens. */
export interface BreakerGuard extends Guard {
  state(): 'closed' | 'open' | 'halfOpen'
}

/** Asked alike of each, and set as near to it as each allows. */
export interface BreakerAsk {
  /** Never opens on fewer calls than this; undefined for what the library has by default. */
  readonly callsMin?: number
  /** Default: 10,000. */
  readonly windowMs?: number
  /** Default: 1,000. */
  readonly openMs?: number
  /** Calls in the half-open state. Default: 1. */
  readonly probes?: number
  /** Milliseconds after which work is given up. Default: never. */
  readonly timeoutMs?: number
  /** Calls at a time, the others refused, before the breaker where there is an order. Default: any number. */
  readonly concurrency?: number
}

export interface RetryAsk {
  readonly attempts: number
  /** The first wait. */
  readonly baseMs: number
  readonly maxMs: number
}

export interface BulkheadAsk {
  readonly concurrency: number
  readonly queue: number
  readonly queueTimeoutMs: number
}

/**
 * What a library offers, on a clock that only a case moves. A method throws {@link NotOffered} where the library has no such
 * thing, and then the case does not apply to it.
 */
export interface Kit {
  /** Moves the time on, and lets everything that can go on do so. */
  advance(ms: number): Promise<void>
  nowMs(): number
  breaker(ask: BreakerAsk): BreakerGuard
  /** A breaker for each key that a call is given, in place of one for all. */
  breakers(): { run(key: string, work: Work<unknown>): Promise<unknown>; known(): number }
  retry(ask: RetryAsk): Guard
  /** The same for work that is not said to be idempotent. */
  once(ask: RetryAsk): Guard
  /** Retries of idempotent work through so many services, each of which calls the next. */
  tiers(count: number, ask: RetryAsk): Guard
  bulkhead(ask: BulkheadAsk): Guard
  /** So many calls at a time, and a limit to the time of each, that stands outside of that or inside. */
  bounded(ask: { concurrency: number; timeoutMs: number; limit: 'outside' | 'inside' }): Guard
  /** The waits before each attempt, under the longest that may be. */
  waits(count: number, ask: RetryAsk): readonly number[]
  /** Whatever a failure of the callee is, to this library. */
  failure(retryAfterMs?: number): Error
  /** A failure that is the caller's own fault, and says nothing about the callee. */
  callersFault(): Error
  /** A caller's waiting is over at a time, whatever is tried again meanwhile. */
  retryWithin(ask: RetryAsk, timeoutMs: number): Guard
  /** Gives the machine's time back. */
  close(): void
}

/** The library has no such thing. */
export class NotOffered extends Error {}

/** A fault that a resilience library was found to have. */
export interface FaultCase {
  /** Reads as a sentence of what goes wrong. */
  readonly name: string
  /** `price`: what a library makes its callers pay on purpose, for something that it thinks is worth more. */
  readonly theme: 'breaker' | 'half-open' | 'bulkhead' | 'retry' | 'price'
  /** Where it was found. */
  readonly found: string
  /** Whether it is told by the machine's clock: not for tests. */
  readonly timed?: boolean
  /** Whether the fault is there. */
  hasFault(kit: Kit): Promise<boolean>
}

/** Runs work and tells how it ended. */
export async function outcomeOf(run: Promise<unknown>): Promise<'answered' | 'failed'> {
  return run.then(
    () => 'answered',
    () => 'failed',
  )
}

/** Work that ends when it is told to. */
export function pending<T>(): { readonly promise: Promise<T>; resolve(value: T): void; reject(error: Error): void } {
  const { promise, resolve, reject } = Promise.withResolvers<T>()
  promise.catch(() => {})
  return { promise, resolve, reject }
}

/** Whether a promise has settled by now. */
export async function isSettled(promise: Promise<unknown>, kit: Kit): Promise<boolean> {
  let settled = false
  const done = (): void => {
    settled = true
  }
  promise.then(done, done)
  await kit.advance(0)
  return settled
}

/** Lets so many calls fail, one after the other. */
export async function fail(kit: Kit, guard: Guard, times: number): Promise<void> {
  for (let time = 0; time < times; time++) await outcomeOf(guard.run(() => Promise.reject(kit.failure())))
}
