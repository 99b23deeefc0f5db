import type { MaybePromise } from '@posthaste/contracts'
import { isPromiseLike } from '../../pipeline/maybe-promise.ts'

/** A thing's place in its lane. */
interface Place {
  /** Passes the thing on, or tells that there is none; undefined until it is made. */
  leave: (() => void) | undefined
  next: Place | undefined
}

/** Who waits, in the order of the calls. */
interface Lane {
  first: Place
  last: Place
}

/**
 * Keeps the order of calls where some things take time to be made and others do not: nothing of a lane is passed on before
 * what came earlier. What fails is left out.
 */
export class InOrder {
  /** Gone once nobody waits, so that most of the time there is none. */
  readonly #lanes = new Map<string, Lane>()

  /**
   * Hot path: passes what is there straight on, unless its lane waits. What has waited is passed on in one go, so that it may
   * still leave together.
   * @param on never throws
   */
  pass<T, R>(name: string, made: MaybePromise<T>, on: (made: T) => Promise<R>): Promise<R> {
    if (!isPromiseLike(made) && !this.#lanes.has(name)) return on(made)
    return new Promise((resolve, reject) => {
      const place = this.#placeIn(name)
      if (!isPromiseLike(made)) {
        place.leave = () => resolve(on(made))
        return
      }
      const settle = (leave: () => void): void => {
        place.leave = leave
        this.#advance(name)
      }
      made.then(
        (thing) => settle(() => resolve(on(thing))),
        (thrown) => settle(() => reject(thrown)),
      )
    })
  }

  #placeIn(name: string): Place {
    const place: Place = { leave: undefined, next: undefined }
    const lane = this.#lanes.get(name)
    if (lane === undefined) this.#lanes.set(name, { first: place, last: place })
    else {
      lane.last.next = place
      lane.last = place
    }
    return place
  }

  #advance(name: string): void {
    const lane = this.#lanes.get(name)!
    let place: Place | undefined = lane.first
    while (place?.leave !== undefined) {
      place.leave()
      const { next }: Place = place
      // One that has come to the old generation would keep all that came later from leaving the young one.
      place.next = undefined
      place = next
    }
    if (place === undefined) this.#lanes.delete(name)
    else lane.first = place
  }
}
