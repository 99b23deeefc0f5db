import { type Admitted, bounded, type LimitAlgorithm, type LimitBounds } from './algorithm.ts'

/** How AIMD is set. */
export interface AimdSettings extends LimitBounds {
  /** What is left of the limit after each call that was dropped or slow; 0.5 up to but not 1. */
  readonly backoffRatio: number
  /** A call that takes longer counts as dropped, in milliseconds. */
  readonly slowMs: number
}

/**
 * Additive increase, multiplicative decrease: one more with each call that went well while at least half of the limit was
 * under way, a tenth less with each that did not.
 *
 * @see Netflix concurrency-limits `AIMDLimit`
 */
export class Aimd implements LimitAlgorithm {
  readonly #settings: AimdSettings
  #limit: number

  constructor(settings: AimdSettings) {
    this.#settings = settings
    this.#limit = settings.initial
  }

  get limit(): number {
    return this.#limit
  }

  ended({ startedAtMs, inFlight }: Admitted, nowMs: number, dropped: boolean): void {
    const { backoffRatio, slowMs } = this.#settings
    if (dropped || nowMs - startedAtMs > slowMs) {
      this.#limit = bounded(Math.floor(this.#limit * backoffRatio), this.#settings)
    } else if (inFlight * 2 >= this.#limit) {
      this.#limit = bounded(this.#limit + 1, this.#settings)
    }
  }

  figures(): Readonly<Record<string, number>> {
    return {}
  }
}
