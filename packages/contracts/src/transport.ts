import type { Cancellation, Headers, MaybePromise } from './call.ts'
import type { Clock, Log } from './clock.ts'
import type { MethodContract } from './contract.ts'
import type { PosthasteError } from './error.ts'

/**
 * What carries calls to this application: the serving half of REST, gRPC, link. It translates requests into
 * {@link IncomingCall}s and results and errors back; validation, deadlines and policies have happened behind `dispatch`.
 */
export interface ServerTransport {
  /** Short name for logs and errors: `http`, `grpc`. */
  readonly name: string
  /**
   * Whether it carries methods with streams; without, `start` refuses those it would have to carry. A stream that is under
   * way is a running call to {@link stop}.
   */
  readonly streams?: boolean | undefined
  /**
   * Takes calls from here on.
   * @returns where it listens, as URLs
   * @throws CONFIG_INVALID when two methods claim one route; CAPABILITY_UNSUPPORTED for a method with a stream that it would
   *   have to carry and cannot; UNAVAILABLE when the address cannot be bound
   */
  start(methods: readonly ServedMethod[], host: TransportHost): Promise<readonly string[]>
  /** Takes nothing new, lets running calls finish for up to `graceMs`, then cancels them. Idempotent. */
  stop(graceMs: number): Promise<void>
}

/** What a transport is given when it starts. */
export interface TransportHost {
  readonly clock: Clock
  readonly log: Log
  /** How the application is, for whoever asks over the transport; taken for `ok` where nobody can tell. */
  readonly health?: (() => 'ok' | 'degraded' | 'failing') | undefined
}

/** One method that is served, ready to be called. */
export interface ServedMethod {
  /** The service's name: `shop.Inventory`. */
  readonly service: string
  /** The method's name: `checkStock`. */
  readonly method: string
  readonly contract: MethodContract
  /** Runs one call through the serving stack. Never throws; failures arrive through `result`. */
  dispatch(incoming: IncomingCall): RunningCall
}

/** A call as it came in. */
export interface IncomingCall {
  /**
   * Decoded but unchecked. Where the method's input is a stream, an `AsyncIterable` of items of which each is: iterated once at
   * most, one item asked for at a time. It ends with the caller's last item and fails with what broke the stream off, as a
   * `PosthasteError`. `return` on its iterator says that no more is wanted; it is called as soon as the call ends, in whatever
   * way, unless the items have ended before, and even if none was asked for: items that wait may then be dropped.
   */
  readonly payload: unknown
  readonly headers: Headers
  /** Milliseconds the caller still waits; undefined where it did not say. */
  readonly timeoutMs?: number | undefined
  /** The caller's id for the request; a new one is made where it sent none. */
  readonly id?: string | undefined
}

/** Who is told how a call went: one of the two, once. Never throws. */
export interface AnswerSink {
  answered(output: unknown): void
  /** There is no answer, and why. */
  unanswered(failure: PosthasteError): void
}

/** A call that has begun. */
export interface RunningCall {
  /**
   * The output, or a rejection with a `PosthasteError`. Where the method's output is a stream, an `AsyncIterable` of its items,
   * as soon as the handler has begun it. Iterate it once, one item at a time, and to its end, or say with `return` on its
   * iterator that nobody wants more, or cancel: until one of these, the call is under way. It fails with a `PosthasteError`
   * after the items that came before the failure.
   */
  readonly result: Promise<unknown>
  /**
   * Tells how the call went, at once where that is known, without the promise of {@link result}, of which nobody may ask then.
   * Only calls without streams have it, and not all of them.
   */
  tell?(sink: AnswerSink): void
  /** The caller is gone: the handler's signal aborts, and both streams end. Does nothing once the call has ended. */
  cancel(reason: PosthasteError): void
  /**
   * What is left of the work once the caller has its answer: a call that is cancelled, or whose time is up, fails at once, and
   * its handler may not heed that. For transports that bound how much is under way; costs nothing where nobody asks.
   *
   * @returns resolves when the handler has ended, and never rejects; undefined where it has ended already
   */
  unfinished(): Promise<void> | undefined
}

/** What a transport of clients is lent by the application. */
export interface ClientTransportHost {
  readonly clock: Clock
  readonly log: Log
  /** From 0 up to but not 1. */
  readonly random: () => number
}

/** What carries calls away from this application: the calling half. It belongs to one application, which closes it. */
export interface ClientTransport {
  readonly name: string
  /** Whether it carries methods with streams; without, clients of services that have one are refused. */
  readonly streams?: boolean | undefined
  /**
   * Whether calls without streams fail with nothing but a `PosthasteError`, and answer with a promise of the language where
   * they do not answer at once. What others fail with is wrapped by whoever calls, which costs each call another promise.
   */
  readonly failsTyped?: boolean | undefined
  /** Told what it may use, once, when the first client over it is made. Connects to nothing yet. */
  open?(host: ClientTransportHost): void
  /**
   * Makes one call. `timeoutMs` is what remains of the deadline; cancelling must reach the callee where it can.
   *
   * Where the method's output is a stream, the answer is an `AsyncIterable` of its items, undecided: it need not wait for the
   * callee. Whoever calls iterates it once, one item at a time, and begins at once. `return` on its iterator tells the callee
   * that nobody wants more; a cancellation reaches the callee for as long as the stream is under way, and makes `next` reject
   * with its reason.
   *
   * Where the method's input is a stream, it is taken from as {@link IncomingCall.payload} says: at most once, not before the
   * call is on its way, and no more than the callee is ready for, since a call of which nothing was taken may be made again.
   * Its failure means that the caller cannot go on: the callee is told, and the call fails with it.
   */
  call(method: CalledMethod, outgoing: OutgoingCall): MaybePromise<unknown>
  /**
   * Makes no calls from here on and lets go of what it holds; calls that are under way fail with UNAVAILABLE. Idempotent, and
   * harmless where nothing was ever opened: transports connect at the first call.
   */
  close(): Promise<void>
}

/** Which method is called. */
export interface CalledMethod {
  readonly service: string
  readonly method: string
  readonly contract: MethodContract
}

/** A call as it goes out. */
export interface OutgoingCall extends IncomingCall {
  /** Tells when the caller no longer waits. */
  readonly cancellation: Cancellation
}
