/** Below it, latencies are told apart by thousandths of a millisecond; above it, by an eighth of their own size. */
const exactUs = 8
const stepBits = 3
const steps = 2 ** stepBits
/** For 2^31 microseconds, 35 minutes, and all that is longer. */
const buckets = (31 - stepBits + 1) * steps
const usMax = 2 ** 31 - 1

/** After so many more latencies the quantile is worked out anew. */
const staleAfter = 32

/** What is measured, and for how long it counts. */
export interface LatencyQuantileSettings {
  /** Above 0 and below 1: 0.95 for what one in twenty exceeds. */
  readonly quantile: number
  /** Latencies count for this long at least, and for twice as long at most, in milliseconds. */
  readonly windowMs: number
  /** There is no quantile of fewer than this. */
  readonly samplesMin: number
}

/**
 * A quantile of the latencies of late, for decisions and not for reports: within an eighth of the true one. It counts in
 * buckets that grow with the latency, in two windows that take turns; so it takes the same few kilobytes and adding costs
 * the same, whatever was added. Worked out anew every few latencies, so asking costs nothing.
 *
 * @see http://hdrhistogram.org for buckets of this kind
 */
export class LatencyQuantile {
  readonly #settings: LatencyQuantileSettings
  #current = new Uint32Array(buckets)
  #previous = new Uint32Array(buckets)
  #count = 0
  #previousCount = 0
  #turnAtMs = Number.NEGATIVE_INFINITY
  /** How many more make the value stale. */
  #left = 0
  #valueMs: number | undefined = undefined

  constructor(settings: LatencyQuantileSettings) {
    this.#settings = settings
  }

  /** Counts a latency that was seen at `nowMs`, which never goes back. */
  add(latencyMs: number, nowMs: number): void {
    if (nowMs >= this.#turnAtMs) this.#turn(nowMs)
    this.#current[bucketOf(latencyMs)]! += 1
    this.#count += 1
    this.#left -= 1
  }

  /** The quantile in milliseconds at `nowMs`; undefined while too few latencies are known. */
  valueMs(nowMs: number): number | undefined {
    if (nowMs >= this.#turnAtMs) this.#turn(nowMs)
    if (this.#left <= 0) this.#work()
    return this.#valueMs
  }

  #turn(nowMs: number): void {
    const { windowMs } = this.#settings
    const idle = nowMs >= this.#turnAtMs + windowMs
    const emptied = this.#previous
    emptied.fill(0)
    this.#previous = this.#current
    this.#previousCount = this.#count
    this.#current = emptied
    this.#count = 0
    if (idle) {
      this.#previous.fill(0)
      this.#previousCount = 0
    }
    this.#turnAtMs = nowMs + windowMs
    this.#left = 0
  }

  #work(): void {
    const { quantile, samplesMin } = this.#settings
    const total = this.#count + this.#previousCount
    // Before there are enough, each one may be the last that was wanting.
    this.#left = total < samplesMin ? samplesMin - total : staleAfter
    this.#valueMs = total < samplesMin || total === 0 ? undefined : this.#valueAt(quantile * total)
  }

  /** Where so many latencies are not longer, taking those of a bucket for spread evenly over it. */
  #valueAt(rank: number): number {
    let below = 0
    let bucket = 0
    for (; bucket < buckets - 1; bucket++) {
      const here = this.#current[bucket]! + this.#previous[bucket]!
      if (below + here >= rank) break
      below += here
    }
    const here = this.#current[bucket]! + this.#previous[bucket]!
    const fromUs = lowestOf(bucket)
    const share = here === 0 ? 0 : Math.min((rank - below) / here, 1)
    return (fromUs + share * (lowestOf(bucket + 1) - fromUs)) / 1_000
  }
}

/** Eight buckets for each power of two: the three bits after the highest one say which. */
function bucketOf(latencyMs: number): number {
  const us = Math.min(Math.max(latencyMs * 1_000, 0), usMax) | 0
  if (us < exactUs) return us
  const exponent = 31 - Math.clz32(us)
  return (exponent - stepBits + 1) * steps + ((us >>> (exponent - stepBits)) & (steps - 1))
}

/** The shortest latency of a bucket, in microseconds. */
function lowestOf(bucket: number): number {
  if (bucket < steps) return bucket
  const exponent = Math.floor(bucket / steps) + stepBits - 1
  return (steps + (bucket % steps)) * 2 ** (exponent - stepBits)
}
