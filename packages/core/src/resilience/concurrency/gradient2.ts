import { type Admitted, bounded, type LimitAlgorithm, type LimitBounds } from './algorithm.ts'

/** How Gradient2 is set. */
export interface Gradient2Settings extends LimitBounds {
  /** By how much calls may become slower before the limit shrinks, from 1. */
  readonly tolerance: number
  /** By how many the limit grows while calls do not become slower, from 0: the queue that is aimed at. */
  readonly queueSize: number
  /** How much of each change is made, above 0 and up to 1. */
  readonly smoothing: number
  /** The limit changes so often at most, in milliseconds. */
  readonly windowMs: number
  /** And only by so many calls. */
  readonly samplesMin: number
}

/** Quicker answers come from the process itself and say nothing about a callee. */
const roundTripMinMs = 0.1

/** The limit is never cut by more than half at a time, so that outliers do not shed everything. */
const gradientMin = 0.5

/** A baseline that is further above what calls take now is from worse times, and comes down by this factor. */
const baselineRatioMax = 2
const baselineDecay = 0.95

/**
 * Compares how long calls take now with how long they took over the last minutes: while that is the same the limit grows,
 * and when it gets longer there is a queue at the callee, and the limit shrinks. Learns from windows in which at least half
 * of the limit was under way only: others do not show what the callee can do.
 *
 * A share of dropped calls cuts the limit as well: what is refused or too late is not slower, and would not be seen.
 *
 * @see Netflix concurrency-limits `Gradient2Limit`, `WindowedLimit`
 */
export class Gradient2 implements LimitAlgorithm {
  readonly #settings: Gradient2Settings
  readonly #baseline = new MovingAverage()
  #limit: number
  #latestMs = 0
  #dueMs = Number.NEGATIVE_INFINITY
  // Of the present window.
  #answered = 0
  #dropped = 0
  #totalMs = 0
  #inFlightMax = 0

  constructor(settings: Gradient2Settings) {
    this.#settings = settings
    this.#limit = settings.initial
  }

  get limit(): number {
    return this.#limit
  }

  ended({ startedAtMs, inFlight }: Admitted, nowMs: number, dropped: boolean): void {
    const tookMs = nowMs - startedAtMs
    if (dropped) this.#dropped += 1
    else if (tookMs < roundTripMinMs) return
    else {
      this.#answered += 1
      this.#totalMs += tookMs
    }
    if (inFlight > this.#inFlightMax) this.#inFlightMax = inFlight
    if (nowMs <= this.#dueMs || this.#answered + this.#dropped < this.#settings.samplesMin) return
    this.#dueMs = nowMs + this.#settings.windowMs
    this.#update()
    this.#answered = this.#dropped = this.#totalMs = this.#inFlightMax = 0
  }

  figures(): Readonly<Record<string, number>> {
    return { roundTripMs: this.#latestMs, roundTripUsuallyMs: this.#baseline.value }
  }

  #update(): void {
    const slowness = this.#answered === 0 ? 1 : this.#compare(this.#totalMs / this.#answered)
    // Fewer are asked for than could be: what the callee can do does not show.
    if (this.#inFlightMax < this.#limit / 2) return
    const { queueSize, smoothing } = this.#settings
    const kept = 1 - this.#dropped / (this.#answered + this.#dropped)
    const gradient = Math.max(gradientMin, Math.min(1, slowness, kept))
    const aimed = this.#limit * gradient + queueSize
    this.#limit = bounded(this.#limit * (1 - smoothing) + aimed * smoothing, this.#settings)
  }

  /** How the time that calls usually take, with tolerance, compares with the time that they take now. */
  #compare(latestMs: number): number {
    this.#latestMs = latestMs
    const usualMs = this.#baseline.add(latestMs)
    if (usualMs / latestMs > baselineRatioMax) this.#baseline.value *= baselineDecay
    return (this.#settings.tolerance * usualMs) / latestMs
  }
}

/** The mean of the first values, and from then on an exponential average over some hundred of them. */
class MovingAverage {
  value = 0
  #count = 0
  #sum = 0

  add(value: number): number {
    if (this.#count < warmUp) {
      this.#count += 1
      this.#sum += value
      this.value = this.#sum / this.#count
    } else {
      this.value = this.value * (1 - weight) + value * weight
    }
    return this.value
  }
}

const warmUp = 10
const weight = 2 / (600 + 1)
