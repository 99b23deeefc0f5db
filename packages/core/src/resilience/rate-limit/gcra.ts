import type { RateDecision, RateLimit } from '@posthaste/contracts'

/** Asks for units of a rate. */
export interface RateAsk {
  /**
   * All that is known of the rate so far, in milliseconds: when the last unit that was taken would have come, had they come
   * evenly (the theoretical arrival time). `-Infinity` where nothing was taken yet.
   */
  readonly arrivalAtMs: number
  /** On the clock of `arrivalAtMs`. */
  readonly nowMs: number
  /** How many are asked for, from 0. */
  readonly units: number
}

/** What became of asking, and what is known from now on. */
export interface RateStep extends RateDecision {
  /** To be kept until it is over; from then on it says no more than `-Infinity`. */
  readonly arrivalAtMs: number
}

/**
 * The generic cell rate algorithm: lets units through at a rate, with bursts, and needs one number for it. In any time `t`
 * no more than `burst + t / unitMs` units pass. All units asked for are taken, or none. Pure.
 *
 * @see ITU-T I.371 annex A (virtual scheduling); redis-cell
 */
export function gcra({ arrivalAtMs, nowMs, units }: RateAsk, { unitMs, burst }: RateLimit): RateStep {
  const burstMs = unitMs * burst
  const nextMs = arrivalAfter(arrivalAtMs, nowMs, unitMs * units)
  const lateMs = nextMs - burstMs - nowMs
  const allowed = lateMs <= graceMs(unitMs)
  const keptMs = allowed ? nextMs : arrivalAtMs
  const resetAfterMs = Math.max(keptMs - nowMs, 0)
  return {
    allowed,
    arrivalAtMs: keptMs,
    remaining: Math.max(Math.floor((burstMs - resetAfterMs + graceMs(unitMs)) / unitMs), 0),
    retryAfterMs: retryAfter(allowed, units > burst, lateMs),
    resetAfterMs,
  }
}

/** When the last unit would come if those that cost `costMs` were taken now, whether or not that is allowed. */
export function arrivalAfter(arrivalAtMs: number, nowMs: number, costMs: number): number {
  return Math.max(arrivalAtMs, nowMs) + costMs
}

/** What rounding may add up to: a thousandth of a unit, and never more than a microsecond. */
export function graceMs(unitMs: number): number {
  return Math.min(unitMs, 1) / 1_000
}

function retryAfter(allowed: boolean, never: boolean, lateMs: number): number {
  if (allowed) return 0
  return never ? Number.POSITIVE_INFINITY : lateMs
}
