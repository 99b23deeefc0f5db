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
   * Takes calls from here on.
   * @returns where it listens, as URLs
   * @throws CONFIG_INVALID when two methods claim one route; UNAVAILABLE when the address cannot be bound
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
  /** Decoded but unchecked. */
  readonly payload: unknown
  readonly headers: Headers
  /** Milliseconds the caller still waits; undefined where it did not say. */
  readonly timeoutMs?: number | undefined
  /** The caller's id for the request; a new one is made where it sent none. */
  readonly id?: string | undefined
}

/** A call that has begun. */
export interface RunningCall {
  /** The output, or a rejection with a `PosthasteError`. */
  readonly result: Promise<unknown>
  /** The caller is gone: the handler's signal aborts. Does nothing once the call has ended. */
  cancel(reason: PosthasteError): void
}

/** What carries calls away from this application: the calling half. */
export interface ClientTransport {
  readonly name: string
  /** Makes one call. `timeoutMs` is what remains of the deadline; cancelling must reach the callee where it can. */
  call(method: CalledMethod, outgoing: OutgoingCall): MaybePromise<unknown>
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
