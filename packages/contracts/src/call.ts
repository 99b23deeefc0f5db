import type { PosthasteError } from './error.ts'

/** Which way a call goes: an RPC being made or served, a message being published or handled. */
export type CallKind = 'request' | 'serve' | 'publish' | 'handle'

/** Attributes that travel with a call, by lower-case name. */
export type Headers = Readonly<Record<string, string>>

/** A value, or a promise of it. Filters that have nothing to wait for pass values on without a promise. */
export type MaybePromise<T> = T | PromiseLike<T>

/**
 * One unit of work, in either half of the system: an RPC request, or a message being published or handled.
 * Immutable: a filter that wants to change something passes a derived call on, so that a retry outside of it starts
 * from what it was given, not from what an earlier attempt left behind.
 */
export interface Call<P = unknown> {
  readonly kind: CallKind
  /** What is called: `shop.Inventory/checkStock`, `shop.order.created`, or `shop.order.created@points` for a group. */
  readonly target: string
  /** Unique per unit of work and the same in every attempt: the message's id, or the request's. */
  readonly id: string
  readonly payload: P
  readonly headers: Headers
  /** When the caller gives up, on the process's monotonic clock (`Clock.monotonicMs`); `Infinity` where it never does. */
  readonly deadlineAtMs: number
  /** 1 for the first attempt. */
  readonly attempt: number
  /** Whether a repetition does no harm: true for messages, as the contract says for RPC. */
  readonly idempotent: boolean
  /** Tells when the work is no longer wanted. Cheap to carry and to ask. */
  readonly cancellation: Cancellation
  /** The same as an `AbortSignal`, made at the first look: pass it to `fetch` and the like. */
  readonly signal: AbortSignal
  /** What this call asks of the filters it passes, in place of their settings; undefined for most calls. */
  readonly overrides: CallOverrides | undefined
  /** A call with some things changed; this one stays as it is. */
  derive(change: CallChange): Call<P>
  /** A call with another payload, for validation and decoding. */
  withPayload<Q>(payload: Q): Call<Q>
}

/**
 * What one call asks of the filters it passes, in place of their settings. The filters stay the same, and so does what they
 * know: a call without retries still counts in the breaker of all the others. Where no such filter stands, it asks nothing.
 */
export interface CallOverrides {
  /** Attempts in total, the first included, 1 to 100; 1 for no retry. */
  readonly attempts?: number | undefined
  /** Milliseconds one attempt may take, 1 to 2^31-1. */
  readonly attemptTimeoutMs?: number | undefined
  /** `false`: no second attempt beside a slow one. */
  readonly hedge?: false | undefined
  /** `refresh` asks the callee and keeps the answer; `skip` neither takes an answer from the cache nor keeps one. */
  readonly cache?: 'refresh' | 'skip' | undefined
  /** `false`: fails where it would be answered for. */
  readonly fallback?: false | undefined
}

/** What a filter may change on the call it passes on. */
export interface CallChange {
  readonly headers?: Headers
  readonly deadlineAtMs?: number
  readonly attempt?: number
  readonly cancellation?: Cancellation
}

/**
 * Tells when work is no longer wanted. An `AbortSignal` costs microseconds to make and to combine, and most calls end
 * without anybody looking; this token costs a property, and its signal is made only when asked for.
 */
export interface Cancellation {
  /** Why the work is no longer wanted; undefined while it is. */
  readonly reason: PosthasteError | undefined
  /**
   * Calls `listener` once, when the work is cancelled; at once if it already is.
   * @returns takes the listener back; call it when the work is done, so that long-lived parents do not collect listeners
   */
  onCancel(listener: (reason: PosthasteError) => void): () => void
  /** The token as an `AbortSignal`, made at the first look. */
  readonly signal: AbortSignal
}
