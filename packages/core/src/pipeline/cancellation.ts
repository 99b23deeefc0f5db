import { type Cancellation, type PosthasteError, RenewingMap } from '@posthaste/contracts'

/** The token of work that nobody can cancel. */
export const neverCancelled: Cancellation = Object.freeze({
  reason: undefined,
  onCancel: () => doNothing,
  /** A new one at each look: a shared signal would collect the listeners of everybody. */
  get signal() {
    return new AbortController().signal
  },
})

/** The side of a cancellation that can cancel. */
export interface CancelSource {
  /** What the work is given. */
  readonly token: Cancellation
  /** Cancels the work; the first reason stands, later ones are dropped. Listeners run before this returns. */
  cancel(reason: PosthasteError): void
  /** Says that the work is done: the parent's cancellation no longer reaches the token. Idempotent. */
  release(): void
}

/**
 * A cancellation of its own, which also happens when `parent` is cancelled.
 *
 * Hot path: one object. The parent is asked, not listened to, until somebody listens here; so a call that ends without
 * anybody looking leaves no trace on its parent. What a listener throws is dropped, so that the others are still told.
 */
export function cancelSource(parent: Cancellation = neverCancelled): CancelSource {
  return new Source(parent)
}

/**
 * Says that the work has answered with `value`, and so is done; except that a stream has only begun when its head is there:
 * the caller's cancellation must go on reaching it.
 */
export function releaseAfter(source: CancelSource, value: unknown): void {
  if (typeof value === 'object' && value !== null && Symbol.asyncIterator in value) return
  source.release()
}

type Listener = (reason: PosthasteError) => void

/** A listener, wrapped, so that a function registered twice is told twice and can be taken back once. */
interface Entry {
  readonly tell: Listener
}

const doNothing = (): void => {}

/** Both sides in one object, because one is made per call and limit. */
class Source implements CancelSource, Cancellation {
  #parent: Cancellation
  #reason: PosthasteError | undefined = undefined
  /** The only one there is, as with most calls; where there are more, all stand in the map. */
  #only: Entry | undefined = undefined
  #listeners: RenewingMap<Entry, Listener> | undefined = undefined
  #leaveParent: (() => void) | undefined = undefined
  #controller: AbortController | undefined = undefined

  constructor(parent: Cancellation) {
    this.#parent = parent
  }

  get token(): Cancellation {
    return this
  }

  get reason(): PosthasteError | undefined {
    this.#reason ??= this.#parent.reason
    return this.#reason
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      const controller = new AbortController()
      this.#controller = controller
      this.onCancel((reason) => controller.abort(reason))
    }
    return this.#controller.signal
  }

  onCancel(tell: Listener): () => void {
    const reason = this.reason
    if (reason !== undefined) {
      quietly(tell, reason)
      return doNothing
    }
    if (this.#parent !== neverCancelled) this.#leaveParent ??= this.#parent.onCancel((cause) => this.#fire(cause))
    const entry = { tell }
    this.#add(entry)
    return () => this.#remove(entry)
  }

  cancel(reason: PosthasteError): void {
    if (this.reason === undefined) this.#fire(reason)
  }

  release(): void {
    // Taken over first, so that a parent cancelled before the release still shows.
    this.#reason ??= this.#parent.reason
    this.#parent = neverCancelled
    this.#leaveParent?.()
    this.#leaveParent = doNothing
  }

  #add(entry: Entry): void {
    if (this.#listeners !== undefined) this.#listeners.set(entry, entry.tell)
    else if (this.#only === undefined) this.#only = entry
    else {
      this.#listeners = new RenewingMap()
      this.#listeners.set(this.#only, this.#only.tell)
      this.#listeners.set(entry, entry.tell)
      this.#only = undefined
    }
  }

  #remove(entry: Entry): void {
    if (this.#only === entry) this.#only = undefined
    else if (this.#listeners?.delete(entry) !== true || this.#listeners.size > 0) return
    this.#leave()
  }

  /** Nobody listens any more: a stream that has ended leaves no trace on its parent either. */
  #leave(): void {
    if (this.#parent === neverCancelled) return
    this.#leaveParent?.()
    this.#leaveParent = undefined
  }

  #fire(reason: PosthasteError): void {
    this.#reason ??= reason
    const only = this.#only
    const listeners = this.#listeners
    this.release()
    this.#only = undefined
    if (only !== undefined) quietly(only.tell, this.#reason)
    if (listeners === undefined) return
    // A listener may take another one back while it runs, which is not told then.
    for (const [, tell] of listeners.entries()) quietly(tell, this.#reason)
    this.#listeners = undefined
  }
}

function quietly(tell: Listener, reason: PosthasteError): void {
  try {
    tell(reason)
  } catch {
    // The canceller cannot help it, and the other listeners must be told.
  }
}
