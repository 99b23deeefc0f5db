/** How long after the end of a fault what flows again, in milliseconds. */
export interface Recovery {
  /** The first delivery to a handler. */
  readonly firstMs: number
  /** The first stretch in which as much was confirmed and handled as before the fault. */
  readonly fullMs: number
}

/** The stretch of time over which flow is judged, in milliseconds. */
export const windowMs = 500

/** How much of the flow before counts as all of it: pacing is not exact. */
const enough = 0.75

/** What flowed when: confirmations and deliveries. Times are those of one monotonic clock, in milliseconds, and never go back. */
export class Flow {
  readonly #confirmed: number[] = []
  readonly #delivered: number[] = []

  confirmed(atMs: number): void {
    this.#confirmed.push(atMs)
  }

  delivered(atMs: number): void {
    this.#delivered.push(atMs)
  }

  /** What flows in a window, on average over a time that ends now. */
  rate(nowMs: number, overMs: number): Rate {
    const perWindow = windowMs / overMs
    const since = nowMs - overMs
    return {
      confirmed: countBetween(this.#confirmed, since, nowMs) * perWindow,
      delivered: countBetween(this.#delivered, since, nowMs) * perWindow,
    }
  }

  /** How long it took from the end of a fault; undefined as long as it does not flow as before. */
  recovery(healedAtMs: number, before: Rate, nowMs: number): Recovery | undefined {
    const first = this.#delivered.find((atMs) => atMs >= healedAtMs)
    if (first === undefined) return undefined
    // What was only caught up after the fault before this one is more than ever flows in a steady state.
    const steady = Math.min(before.confirmed, before.delivered)
    for (let fromMs = healedAtMs; fromMs + windowMs <= nowMs; fromMs += windowMs / 10) {
      const confirmed = countBetween(this.#confirmed, fromMs, fromMs + windowMs)
      const delivered = countBetween(this.#delivered, fromMs, fromMs + windowMs)
      if (confirmed >= enough * before.confirmed && delivered >= enough * steady) {
        return { firstMs: Math.round(first - healedAtMs), fullMs: Math.round(Math.max(fromMs, first) - healedAtMs) }
      }
    }
    return undefined
  }
}

/** How much flows in one window. */
export interface Rate {
  readonly confirmed: number
  readonly delivered: number
}

/** How many of ascending times are from `from` up to but not `to`. */
function countBetween(times: readonly number[], from: number, to: number): number {
  let count = 0
  for (let at = times.length - 1; at >= 0; at -= 1) {
    const time = times[at] as number
    if (time < from) break
    if (time < to) count += 1
  }
  return count
}
