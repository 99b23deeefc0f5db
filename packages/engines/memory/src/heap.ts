/** A binary heap: cheap access to the first of many items whose order is known only pairwise. */
export class Heap<T> implements Iterable<T> {
  readonly #items: T[] = []
  readonly #before: (a: T, b: T) => boolean

  /** `before` tells whether `a` comes out earlier than `b`; it must not change for an item while that is in the heap. */
  constructor(before: (a: T, b: T) => boolean) {
    this.#before = before
  }

  get size(): number {
    return this.#items.length
  }

  /** The first item, left in place. */
  peek(): T | undefined {
    return this.#items[0]
  }

  push(item: T): void {
    this.#items.push(item)
    this.#rise(this.#items.length - 1)
  }

  /** Takes the first item out. */
  pop(): T | undefined {
    const first = this.#items[0]
    const last = this.#items.pop()
    if (last !== undefined && this.#items.length > 0) this.#replace(0, last)
    return first
  }

  /** Takes an item out wherever it is, in linear time. */
  remove(item: T): boolean {
    const at = this.#items.indexOf(item)
    if (at < 0) return false
    const last = this.#items.pop() as T
    if (at < this.#items.length) this.#replace(at, last)
    return true
  }

  /** Takes out every item for which that is so. */
  removeWhere(isGone: (item: T) => boolean): void {
    const kept = this.#items.filter((item) => !isGone(item))
    this.clear()
    for (const item of kept) this.push(item)
  }

  clear(): void {
    this.#items.length = 0
  }

  /** Every item, in no particular order. */
  [Symbol.iterator](): Iterator<T> {
    return this.#items.values()
  }

  #replace(at: number, item: T): void {
    this.#items[at] = item
    this.#rise(at)
    this.#sink(at)
  }

  #rise(from: number): void {
    const items = this.#items
    const before = this.#before
    const item = items[from] as T
    let at = from
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (!before(item, items[parent] as T)) break
      items[at] = items[parent] as T
      at = parent
    }
    items[at] = item
  }

  #sink(from: number): void {
    const items = this.#items
    const before = this.#before
    const item = items[from] as T
    let at = from
    for (;;) {
      let child = 2 * at + 1
      if (child >= items.length) break
      if (child + 1 < items.length && before(items[child + 1] as T, items[child] as T)) child += 1
      if (!before(items[child] as T, item)) break
      items[at] = items[child] as T
      at = child
    }
    items[at] = item
  }
}
