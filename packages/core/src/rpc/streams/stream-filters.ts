import {
  type Call,
  type Filter,
  type Issue,
  isStreaming,
  type MaybePromise,
  PosthasteError,
  type Service,
  type ServiceContract,
} from '@posthaste/contracts'
import { cancelSource } from '../../pipeline/cancellation.ts'
import { andThen, attempt } from '../../pipeline/maybe-promise.ts'
import type { FilterDeps, StackSlot } from '../../pipeline/stack.ts'
import type { TimerWheel } from '../../pipeline/timer-wheel.ts'
import { ItemStream, isStreamSource } from './item-stream.ts'

/*
 * Filters know calls that end with their answer; a stream has only begun by then. What a filter is to see of a stream is
 * decided here, by its role, so that filters are written once for both. Whoever is outside of a filter is given the stream as
 * soon as it is there; the filter itself waits for what concerns it, and what it then says of it, other than by cancelling, is
 * for nobody any more.
 */

/** Policies that keep or repeat answers, or make up for them, which cannot be done with streams. */
export const notForStreams: ReadonlySet<string> = new Set(['fallback', 'cache', 'hedge', 'idempotency'])

/** Those of the policies given that no method of the service can have. */
export function uselessPolicies(
  what: string,
  { methods }: ServiceContract,
  given: Readonly<Record<string, unknown>>,
): readonly Issue[] {
  if (Object.values(methods).some((method) => !isStreaming(method))) return []
  return Object.entries(given)
    .filter(([, policy]) => policy !== undefined && policy !== false)
    .map(([name]) => ({ path: `${what}.${name}`, message: 'is not for methods with streams, and there are no others' }))
}

/** A stream of which nothing has come for so long, and no failure either, has begun well, as far as a breaker can tell. */
const quietMs = 1_000

/** What a filter of a role sees of the streams that pass it. */
type View = (filter: Filter, deps: FilterDeps) => Filter

const views: Readonly<Record<string, View>> = {
  // Places and deadlines are for as long as there is work.
  deadline: (filter) => watching(filter, untilEnded),
  shedding: (filter) => watching(filter, untilEnded),
  bulkhead: (filter) => watching(filter, untilEnded),
  concurrencyLimit: (filter) => watching(filter, untilEndedUnmeasured),
  // How a stream begins tells whether the callee is well; how long it lasts tells nothing.
  breaker: (filter, { timers }) => watching(filter, (result) => begunOrQuiet(result, timers)),
  retry: retrying,
  timeout: timingOut,
}

/** The slots of a stack as they are for a method with a stream. Filters that are shared with other methods stay shared. */
export function streamSlots<O>(slots: readonly StackSlot<O>[]): readonly StackSlot<O>[] {
  return slots
    .filter(({ role }) => !notForStreams.has(role))
    .map((slot) => ({
      ...slot,
      create(options, deps) {
        const filter = slot.create(options, deps)
        if (filter === undefined) return undefined
        const view = Object.hasOwn(views, slot.role) ? views[slot.role] : undefined
        return view === undefined ? passing(filter) : view(filter, deps)
      },
    }))
}

/** The filter with another way to apply it; what it tells of itself stays its own. */
function seeing(filter: Filter, apply: Filter['apply']): Filter {
  return {
    role: filter.role,
    apply,
    describe: () => filter.describe(),
    ...(filter.snapshot && { snapshot: () => filter.snapshot!() }),
    ...(filter.notReadyForMs && { notReadyForMs: () => filter.notReadyForMs!() }),
    ...(filter.onceReady && { onceReady: (wake) => filter.onceReady!(wake) }),
  }
}

/** The filter waits for what `watch` makes of a result that is there; the outside has the result at once. */
function watching(filter: Filter, watch: (result: unknown) => MaybePromise<unknown>): Filter {
  return seeing(
    filter,
    <P, R>(call: Call<P>, next: Service<P, R>): MaybePromise<R> =>
      new Promise<R>((resolve, reject) => {
        const watched: Service<P, R> = (inner) =>
          andThen(next(inner), (result) => {
            resolve(result)
            return watch(result) as MaybePromise<R>
          })
        void attempt(() => filter.apply(call, watched), resolve, reject)
      }),
  )
}

function untilEnded(result: unknown): MaybePromise<unknown> {
  return result instanceof ItemStream ? result.ended : result
}

/** A failure that tells a concurrency limit nothing: how long a stream lasts is not how busy the callee is. */
const unmeasured = new PosthasteError('CANCELLED', 'a call with a stream has ended')

async function untilEndedUnmeasured(result: unknown): Promise<never> {
  if (result instanceof ItemStream) await result.ended
  throw unmeasured
}

function begunOrQuiet(result: unknown, timers: TimerWheel): MaybePromise<unknown> {
  if (!(result instanceof ItemStream)) return result
  return new Promise((resolve, reject) => {
    const timer = timers.set(quietMs, () => resolve(undefined))
    const taken = <T>(settle: (value: T) => void) => {
      return (value: T): void => {
        timer.cancel()
        settle(value)
      }
    }
    result.begin().then(taken(resolve), taken(reject))
  })
}

/**
 * An attempt is over with its first item, and repeated only while nothing was taken of the input either: what is cancelled is
 * not repeated, whatever the options of the retry are.
 */
function retrying(filter: Filter): Filter {
  return seeing(filter, (call, next) => {
    const source = cancelSource(call.cancellation)
    const inner = call.derive({ cancellation: source.token })
    return filter.apply(inner, (made) =>
      attempt(
        () => andThen(next(made), begun),
        (result) => result,
        (thrown) => {
          const input: unknown = call.payload
          if (input instanceof ItemStream && input.begun)
            source.cancel(PosthasteError.from(thrown, 'INTERNAL', call.target))
          throw thrown
        },
      ),
    )
  })
}

function begun<R>(result: R): MaybePromise<R> {
  return result instanceof ItemStream ? result.begin() : result
}

/** What a client sets for its attempts is meant for single answers; what one call asks for is the time to the first item. */
function timingOut(filter: Filter): Filter {
  const limited = watching(filter, begun)
  return seeing(filter, (call, next) =>
    call.overrides?.attemptTimeoutMs === undefined ? next(call) : limited.apply(call, next),
  )
}

/**
 * A filter that sees nothing but that a stream is there, and may put another one around it. Of one that fails afterwards,
 * nobody is left to read the stream.
 */
function passing(filter: Filter): Filter {
  return seeing(filter, <P, R>(call: Call<P>, next: Service<P, R>) => {
    let made: unknown
    const noting: Service<P, R> = (inner) =>
      andThen(next(inner), (result) => {
        made = result
        return result
      })
    return attempt(
      () => filter.apply(call, noting),
      (result) => (made instanceof ItemStream ? (around(made, result, call) as R) : result),
      (thrown) => {
        if (made instanceof ItemStream) void made.return()
        throw thrown
      },
    )
  })
}

function around(made: ItemStream, result: unknown, call: Call): unknown {
  if (result === made || !isStreamSource(result)) return result
  const failureOf = (thrown: unknown): PosthasteError => PosthasteError.from(thrown, 'INTERNAL', call.target)
  return new ItemStream(result, { cancellation: call.cancellation, failureOf })
}
