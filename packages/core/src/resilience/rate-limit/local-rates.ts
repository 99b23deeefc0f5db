import type { Clock, RateDecision, RateLimit, RateLimitStore } from '@posthaste/contracts'
import { systemClock } from '../../pipeline/clock.ts'
import { integerOption, readOptions } from '../../pipeline/options.ts'
import { gcra } from './gcra.ts'

/**
 * Rates by key: one number for each. A key whose number is over is as good as new and forgotten, some with each new one;
 * where there are too many nevertheless, the one that was asked for longest ago is.
 */
export class LocalRates {
  readonly #clock: Clock
  readonly #keysMax: number
  /** When each key's last unit would have come; from the key asked for longest ago to the latest. */
  readonly #arrivals = new Map<string, number>()

  constructor(clock: Clock, keysMax: number) {
    this.#clock = clock
    this.#keysMax = keysMax
  }

  /** How many keys are remembered. */
  get size(): number {
    return this.#arrivals.size
  }

  /** Takes units of a key, all or none; a refusal changes nothing but the order in which keys are forgotten. */
  take(key: string, units: number, limit: RateLimit): RateDecision {
    const nowMs = this.#clock.monotonicMs()
    const known = this.#arrivals.get(key)
    if (known === undefined) this.#makeRoom(nowMs)
    else this.#arrivals.delete(key)
    const step = gcra({ arrivalAtMs: known ?? Number.NEGATIVE_INFINITY, nowMs, units }, limit)
    if (step.arrivalAtMs > nowMs) this.#arrivals.set(key, step.arrivalAtMs)
    return step
  }

  /** Two at a time, so that more is forgotten than is added for as long as there is something to forget. */
  #makeRoom(nowMs: number): void {
    const oldest = this.#arrivals.entries()
    for (let looked = 0; looked < 2; looked += 1) {
      const next = oldest.next()
      if (next.done) return
      const [key, arrivalAtMs] = next.value
      if (arrivalAtMs <= nowMs || this.#arrivals.size >= this.#keysMax) this.#arrivals.delete(key)
    }
  }
}

/** How much a store in memory remembers. */
export interface MemoryRateLimitsOptions {
  /** Keys at a time, 1 to 10,000,000; the one asked for longest ago is forgotten first. Default: 100,000. */
  readonly keysMax?: number | undefined
}

/**
 * Rates in the memory of one process, for tests and for what runs in one process alone.
 *
 * @throws CONFIG_INVALID when an option is wrong
 */
export function memoryRateLimits(options: MemoryRateLimitsOptions = {}, clock: Clock = systemClock): RateLimitStore {
  const { keysMax } = readOptions<{ keysMax: number }>('memoryRateLimits', options, {
    options: { keysMax: integerOption(100_000, { min: 1, max: 10_000_000 }) },
  })
  const rates = new LocalRates(clock, keysMax)
  return { name: 'memory', take: (key, units, limit) => rates.take(key, units, limit) }
}
