/**
 * Acknowledges with as few frames as can be: all tags of a channel up to one, where all of them are settled, and one by one
 * what is settled above a gap. Tags of a channel count from 1 without holes.
 */
export class AckWindow {
  /** The lowest tag that is not acknowledged. */
  #low = 1
  /** What is acknowledged above it. */
  readonly #above = new Set<number>()

  /** Settles tags, each of them once. */
  settle(tags: readonly number[], ack: (deliveryTag: number, multiple: boolean) => void): void {
    const [only] = tags
    if (tags.length === 1 && only === this.#low && this.#above.size === 0) {
      this.#low += 1
      ack(only, false)
      return
    }
    const rest = new Set(tags)
    // `multiple` must name a tag that is still open, so the highest of this batch.
    let [last, count] = [0, 0]
    for (;;) {
      if (rest.delete(this.#low)) {
        last = this.#low
        count += 1
      } else if (!this.#above.delete(this.#low)) break
      this.#low += 1
    }
    if (last > 0) ack(last, count > 1)
    for (const tag of rest) {
      this.#above.add(tag)
      ack(tag, false)
    }
  }
}
