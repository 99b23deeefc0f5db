/**
 * A map for entries that come and go at a rate, few at a time.
 *
 * A `Map` would be right as well, but not fast: when it grows or tidies itself, the table that it leaves behind refers to
 * the next. Once a single such table has come to the old generation, as any full collection brings it there, every later
 * one outlives its young collection too, with all that it held. Nothing refers to the tables of a new `Map`, so one is
 * begun whenever four times as many entries have come as there are.
 */
export class RenewingMap<K, V extends {}> {
  #map = new Map<K, V>()
  /** How many the present `Map` has taken. */
  #taken = 0

  get size(): number {
    return this.#map.size
  }

  get(key: K): V | undefined {
    return this.#map.get(key)
  }

  /** Takes the place of the value that the key has, if there is one. */
  set(key: K, value: V): void {
    this.#taken++
    if (this.#taken > takenMin && this.#taken > 4 * this.#map.size) this.#renew()
    this.#map.set(key, value)
  }

  /** @returns whether it was there */
  delete(key: K): boolean {
    return this.#map.delete(key)
  }

  /** In the order in which the keys came. While this is gone through, entries may be deleted, but none may be set. */
  entries(): MapIterator<[K, V]> {
    return this.#map.entries()
  }

  #renew(): void {
    const before = this.#map
    this.#map = new Map()
    for (const [key, value] of before) this.#map.set(key, value)
    this.#taken = before.size + 1
  }
}

const takenMin = 64
