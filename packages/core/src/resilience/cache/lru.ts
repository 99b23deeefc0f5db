/** A bounded map: the entry used longest ago goes first. */
export class Lru<V> {
  /** From the one used longest ago to the latest. */
  readonly #entries = new Map<string, V>()
  readonly #sizeMax: number
  #evicted = 0

  constructor(sizeMax: number) {
    this.#sizeMax = sizeMax
  }

  get size(): number {
    return this.#entries.size
  }

  /** How many had to go for others. */
  get evicted(): number {
    return this.#evicted
  }

  /** Looking an entry up is using it. */
  get(key: string): V | undefined {
    const value = this.#entries.get(key)
    if (value === undefined) return undefined
    this.#entries.delete(key)
    this.#entries.set(key, value)
    return value
  }

  set(key: string, value: V): void {
    this.#entries.delete(key)
    this.#entries.set(key, value)
    if (this.#entries.size <= this.#sizeMax) return
    this.#entries.delete(this.#entries.keys().next().value ?? key)
    this.#evicted++
  }

  delete(key: string): void {
    this.#entries.delete(key)
  }

  clear(): void {
    this.#entries.clear()
  }
}
