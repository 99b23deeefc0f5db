/**
 * Objects that are made once and used again, the last one given back first. Only for what no code outside of its owner can
 * hold on to: who still had one would have the next user's.
 */
export class FreeList<T> {
  readonly #max: number
  readonly #free: T[] = []

  /** Keeps `max` objects at most; more than that are left to the garbage collector. */
  constructor(max: number) {
    this.#max = max
  }

  take(): T | undefined {
    return this.#free.pop()
  }

  give(one: T): void {
    if (this.#free.length < this.#max) this.#free.push(one)
  }
}
