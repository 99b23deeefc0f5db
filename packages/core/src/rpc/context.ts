import type { Call, Cancellation, Clock, Headers } from '@posthaste/contracts'

/** What the handler of a method is given beside its input. */
export interface ServeContext {
  /** The request's id, the same in every attempt of the caller: good for logs and for recognising repetitions. */
  readonly id: string
  /** What is called: `shop.Inventory/checkStock`. */
  readonly target: string
  /** What the caller sent along, by lower-case name. Whatever carries the call adds its own; trust none unchecked. */
  readonly headers: Headers
  /** When the caller gives up, on the monotonic clock; `Infinity` where it never does. */
  readonly deadlineAtMs: number
  /** Tells when the answer is no longer wanted: the caller gave up, its deadline passed, or the server stops. */
  readonly cancellation: Cancellation
  /** The same as an `AbortSignal`, made at the first look: pass it to `fetch` and the like. */
  readonly signal: AbortSignal
  /** Milliseconds until the caller gives up, 0 from then on; `Infinity` where it never does. */
  remainingMs(): number
}

/** Shows a call to its handler. Hot path: one object, nothing computed before it is looked at. */
export class RequestContext implements ServeContext {
  readonly #call: Call
  readonly #clock: Clock

  constructor(call: Call, clock: Clock) {
    this.#call = call
    this.#clock = clock
  }

  get id(): string {
    return this.#call.id
  }

  get target(): string {
    return this.#call.target
  }

  get headers(): Headers {
    return this.#call.headers
  }

  get deadlineAtMs(): number {
    return this.#call.deadlineAtMs
  }

  get cancellation(): Cancellation {
    return this.#call.cancellation
  }

  get signal(): AbortSignal {
    return this.#call.signal
  }

  remainingMs(): number {
    return Math.max(0, this.#call.deadlineAtMs - this.#clock.monotonicMs())
  }
}
