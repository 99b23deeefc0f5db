/** Cleared slots at the front are dropped when there are this many, and more of them than items. */
const slackMin = 1_024

/** First in, first out. Hot path: amortised constant time, which `Array.shift` is not. */
export class Fifo<T> {
  #items: (T | undefined)[] = []
  #head = 0

  get length(): number {
    return this.#items.length - this.#head
  }

  push(item: T): void {
    this.#items.push(item)
  }

  shift(): T | undefined {
    if (this.#head === this.#items.length) return undefined
    const item = this.#items[this.#head]
    // Let go at once: an item may be large, and the slot may live long.
    this.#items[this.#head++] = undefined
    if (this.#head === this.#items.length) this.#cut()
    else if (this.#head >= slackMin && this.#head * 2 > this.#items.length) this.#cut()
    return item
  }

  #cut(): void {
    this.#items = this.#items.slice(this.#head)
    this.#head = 0
  }
}
