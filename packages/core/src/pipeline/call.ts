import type { Call, CallChange, CallKind, CallOverrides, Cancellation, Headers } from '@posthaste/contracts'
import { neverCancelled } from './cancellation.ts'

/** What a call is made of. */
export interface CallInit<P = unknown> {
  readonly kind: CallKind
  /** What is called: `shop.Inventory/checkStock`, `shop.order.created`, `shop.order.created@points`. */
  readonly target: string
  /** The same in every attempt. */
  readonly id: string
  readonly payload: P
  /** Names in lower case. Default: none. */
  readonly headers?: Headers
  /** On the monotonic clock, in milliseconds. Default: `Infinity`. */
  readonly deadlineAtMs?: number
  /** Default: 1. */
  readonly attempt?: number
  /** Default: false. */
  readonly idempotent?: boolean
  /** Default: nobody can cancel. */
  readonly cancellation?: Cancellation
  /** Default: none. */
  readonly overrides?: CallOverrides | undefined
}

/** Makes a call, at an edge. Filters derive from the one they are given instead. */
export function createCall<P>(init: CallInit<P>): Call<P> {
  return new PlainCall(init, init, init.payload)
}

const noHeaders: Headers = Object.freeze({})

/** Hot path: one object per call and derivation, the same shape always, no spreading. */
class PlainCall<P> implements Call<P> {
  readonly kind: CallKind
  readonly target: string
  readonly id: string
  readonly payload: P
  readonly headers: Headers
  readonly deadlineAtMs: number
  readonly attempt: number
  readonly idempotent: boolean
  readonly cancellation: Cancellation
  readonly overrides: CallOverrides | undefined
  #signal: AbortSignal | undefined

  constructor(base: CallInit, change: CallChange, payload: P) {
    this.kind = base.kind
    this.target = base.target
    this.id = base.id
    this.payload = payload
    this.headers = change.headers ?? base.headers ?? noHeaders
    this.deadlineAtMs = change.deadlineAtMs ?? base.deadlineAtMs ?? Number.POSITIVE_INFINITY
    this.attempt = change.attempt ?? base.attempt ?? 1
    this.idempotent = base.idempotent ?? false
    this.cancellation = change.cancellation ?? base.cancellation ?? neverCancelled
    this.overrides = base.overrides
    this.#signal = undefined
  }

  get signal(): AbortSignal {
    this.#signal ??= this.cancellation.signal
    return this.#signal
  }

  derive(change: CallChange): Call<P> {
    return new PlainCall(this, change, this.payload)
  }

  withPayload<Q>(payload: Q): Call<Q> {
    return new PlainCall(this, this, payload)
  }
}
