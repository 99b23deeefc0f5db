import type { Call, MaybePromise } from './call.ts'

/** Whatever does the work of a call: a handler, a publisher, a transport, or a filter around one of these. */
export type Service<P = unknown, R = unknown> = (call: Call<P>) => MaybePromise<R>

/**
 * Something that stands around a service: a timeout, a retry, a breaker, a check. It is written once, for every payload
 * and result, and so wraps an RPC as well as a message; the same value may even stand in both stacks at once.
 *
 * A filter may answer without calling `next`, call it again, or change the call on its way in or the result on its way
 * out. It must not keep state on the call (derive a new one), and must be safe to use by many calls at a time.
 *
 * @see "Your Server as a Function" (Eriksen 2013), tower `Layer`
 */
export interface Filter {
  /** Its place in a stack, by name: `timeout`, `retry`, `breaker`, … A stack is edited by role. */
  readonly role: string
  /** Does its part and passes the call on. May return the value itself where nothing needs waiting for. */
  apply<P, R>(call: Call<P>, next: Service<P, R>): MaybePromise<R>
  /** What it is and how it is set, for consoles and logs. Pure, and the same for as long as it lives. */
  describe(): FilterDescription
  /** Where it stands at this moment and what it has counted. Changes nothing; cheap enough to ask every second. */
  snapshot?(): FilterSnapshot
  /**
   * Milliseconds until it is worth asking this filter again, 0 while it takes calls. Asked before work is taken on: a
   * consumer withholds credit meanwhile, so that an open breaker pauses a queue instead of failing its messages.
   */
  notReadyForMs?(): number
  /**
   * Has `wake` called once when it may be worth asking before that time is over, for a filter that learns of it, as of a place
   * that has become free. Whoever asked first is told first, and as many as there are places.
   * @returns takes `wake` back; does nothing once it was called
   */
  onceReady?(wake: () => void): () => void
}

/** A filter's account of itself: its role and its settings, with units in their names. */
export interface FilterDescription {
  readonly role: string
  readonly [setting: string]: unknown
}

/** A filter's state: its role, where it stands, and what it has counted since it was made, with units in their names. */
export interface FilterSnapshot {
  readonly role: string
  readonly [figure: string]: unknown
}

/**
 * Something that a filter did and that is out of the ordinary: it repeated, refused, answered for somebody, changed its
 * state. For metrics and live views; a call that passes a filter as if it were not there causes none.
 */
export interface FilterEvent {
  /** The filter's role: `retry`, `breaker`, … */
  readonly role: string
  /** What happened, of a closed list per role: `retried`, `opened`, `refused`, … */
  readonly kind: string
  /** What the filter stands in front of. */
  readonly target: string
  readonly [detail: string]: unknown
}
