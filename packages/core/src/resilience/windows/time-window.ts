/**
 * Counts what happened lately: a ring of buckets, moved on by time and not by use, with running totals. Adding and
 * reading cost the same whatever was counted; after an idle stretch nothing old is left.
 *
 * @see resilience4j `SlidingTimeWindowMetrics`
 */
export class TimeWindow {
  readonly #bucketMs: number
  readonly #buckets: number
  readonly #counters: number
  /** Bucket after bucket, each with its counters. An array of small integers is smaller than a typed one of this length. */
  readonly #counts: number[]
  readonly #totals: number[]
  #current = Number.NEGATIVE_INFINITY

  /** `windowMs` long, forgetting in steps of `windowMs / buckets`; counts `counters` things, numbered from 0. */
  constructor(size: { readonly windowMs: number; readonly buckets: number; readonly counters: number }) {
    this.#bucketMs = size.windowMs / size.buckets
    this.#buckets = size.buckets
    this.#counters = size.counters
    this.#counts = new Array<number>(size.buckets * size.counters).fill(0)
    this.#totals = new Array<number>(size.counters).fill(0)
  }

  /** Counts one more, or so many, at `nowMs`, which never goes back. */
  add(counter: number, nowMs: number, count = 1): void {
    this.#advance(nowMs)
    this.#counts[(this.#current % this.#buckets) * this.#counters + counter]! += count
    this.#totals[counter]! += count
  }

  /** How many were counted in the buckets that end with the one of `nowMs`. */
  total(counter: number, nowMs: number): number {
    this.#advance(nowMs)
    return this.#totals[counter]!
  }

  clear(): void {
    this.#counts.fill(0)
    this.#totals.fill(0)
  }

  #advance(nowMs: number): void {
    const bucket = Math.floor(nowMs / this.#bucketMs)
    if (bucket <= this.#current) return
    if (bucket - this.#current >= this.#buckets) {
      this.clear()
    } else {
      for (let passed = this.#current + 1; passed <= bucket; passed++) this.#empty(passed % this.#buckets)
    }
    this.#current = bucket
  }

  #empty(index: number): void {
    for (let counter = 0; counter < this.#counters; counter++) {
      const at = index * this.#counters + counter
      this.#totals[counter]! -= this.#counts[at]!
      this.#counts[at] = 0
    }
  }
}
