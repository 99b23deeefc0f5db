import type { MaybePromise } from '@posthaste/contracts'
import { isPromiseLike } from '../../pipeline/maybe-promise.ts'

const doNothing = (): void => {}

/**
 * Keeps the order of calls where some things take time to be made and others do not: nothing of a lane is passed on before
 * what came earlier. What fails is left out.
 */
export class InOrder {
  /** By lane, the turn of whoever came last; gone once that is over, so that most of the time there is none. */
  readonly #tails = new Map<string, Promise<void>>()

  /** Hot path: passes what is there straight on, unless its lane waits. */
  pass<T, R>(lane: string, made: MaybePromise<T>, on: (made: T) => Promise<R>): Promise<R> {
    const before = this.#tails.get(lane)
    if (before === undefined && !isPromiseLike(made)) return on(made)
    const thing = Promise.resolve(made)
    // It may fail before its turn; whoever passed it hears of that when it comes.
    thing.catch(doNothing)
    const turn = before === undefined ? thing : before.then(() => thing)
    const passed = turn.then(on)
    // Behind the line above: the next turn begins when this thing has been passed on, however long that goes on.
    const tail = turn.then(doNothing, doNothing)
    this.#tails.set(lane, tail)
    void tail.then(() => {
      if (this.#tails.get(lane) === tail) this.#tails.delete(lane)
    })
    return passed
  }
}
