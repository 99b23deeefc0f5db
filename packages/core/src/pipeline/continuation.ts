import { FreeList } from './free-list.ts'

/**
 * What a filter does when an asynchronous call ends. Made once per filter; what differs from call to call is the token.
 * Whatever either returns, a promise included, or throws takes the place of the outcome: to leave it as it is, return the
 * value and throw what was thrown.
 */
export interface Continuation<T> {
  succeeded(value: unknown, token: T): unknown
  failed(thrown: unknown, token: T): unknown
}

/**
 * Goes on when a promise settles, as `result.then(…, …)` would with two closures over `token`. Anything that can be awaited
 * is followed, and ends once, whatever it does.
 *
 * Hot path: the promise that `then` makes, and nothing else. The handlers given to it belong to an object that is used
 * again once they were called. A promise calls one of two handlers, once, and nobody else has them; so no call can reach
 * the next user of such an object, and one whose promise never settles is never used again.
 */
export function continueWith<R, T>(result: PromiseLike<R>, continuation: Continuation<T>, token: T): Promise<R> {
  const handlers = free.take() ?? new Handlers()
  handlers.continuation = continuation as Continuation<unknown>
  handlers.token = token
  return follow(result, handlers.onValue, handlers.onThrown) as Promise<R>
}

/**
 * `then` of the language itself, on the promise itself where it is one: neither a thenable that calls back twice nor
 * one whose `then` was replaced reaches handlers that are used again.
 */
export function follow<T, R>(
  result: PromiseLike<T>,
  onValue: (value: T) => R | PromiseLike<R>,
  onThrown: (thrown: unknown) => R | PromiseLike<R>,
): Promise<R> {
  return chain.call(Promise.resolve(result), onValue as (value: unknown) => unknown, onThrown) as Promise<R>
}

const chain = Promise.prototype.then

/** As many promises at a time, several for each call, find their handlers made; more than that have their own made. */
const freeMax = 4_096

const noContinuation: Continuation<unknown> = {
  succeeded: (value) => value,
  failed(thrown) {
    throw thrown
  },
}

class Handlers {
  continuation: Continuation<unknown> = noContinuation
  token: unknown = undefined

  readonly onValue = (value: unknown): unknown => {
    const { continuation, token } = this
    this.#release()
    return continuation.succeeded(value, token)
  }

  readonly onThrown = (thrown: unknown): unknown => {
    const { continuation, token } = this
    this.#release()
    return continuation.failed(thrown, token)
  }

  /** Before anything else runs, and without what belonged to the call, which nothing here may keep alive. */
  #release(): void {
    this.continuation = noContinuation
    this.token = undefined
    free.give(this)
  }
}

const free = new FreeList<Handlers>(freeMax)
