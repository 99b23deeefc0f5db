/**
 * Counts what the last so many calls were like: a ring in which each call takes the place of the one that leaves, with
 * running totals. Adding and reading cost the same whatever its length. While no call had a mark there is no ring, as all
 * places would be the same.
 *
 * @see resilience4j `FixedSizeSlidingWindowMetrics`
 */
export class CallWindow {
  readonly #size: number
  readonly #totals = [0, 0, 0]
  #calls = 0
  #next = 0
  #marks: Uint8Array | undefined = undefined

  /** Over the last `size` calls, from 1. */
  constructor(size: number) {
    this.#size = size
  }

  /** Counts one more call, with marks from 0 to 3, of which each of the two bits is counted by itself. */
  add(marks: number): void {
    if (this.#calls < this.#size) this.#calls++
    if (this.#marks === undefined) {
      if (marks === 0) return
      // Those before this one had no marks, so it does not matter where they stand.
      this.#marks = new Uint8Array(this.#size)
    }
    this.#count(this.#marks[this.#next]!, -1)
    this.#count(marks, 1)
    this.#marks[this.#next] = marks
    this.#next = this.#next + 1 === this.#size ? 0 : this.#next + 1
  }

  /** How many calls there are, up to the size. */
  get calls(): number {
    return this.#calls
  }

  /** How many of them have the mark: 1 or 2. */
  marked(mark: 1 | 2): number {
    return this.#totals[mark]!
  }

  #count(marks: number, by: 1 | -1): void {
    if ((marks & 1) !== 0) this.#totals[1]! += by
    if ((marks & 2) !== 0) this.#totals[2]! += by
  }
}
