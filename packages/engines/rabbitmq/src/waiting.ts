import { stepMs } from './ladder.ts'

/**
 * Counts what this process sent off to wait for its time: the server cannot tell whose messages stand in the ladder. By
 * steps of the ladder, so that a million of them are fewer numbers; each is counted until it has left the ladder for sure.
 */
export class Waiting {
  readonly #counts = new Map<string, Map<number, number>>()

  /** One more, for one group or, without one, for all of the channel. */
  add(channel: string, group: string | undefined, dueAtMs: number): void {
    const name = group === undefined ? channel : `${channel}@${group}`
    const counts = this.#counts.get(name) ?? new Map<number, number>()
    const step = Math.ceil(dueAtMs / stepMs) + 1
    counts.set(step, (counts.get(step) ?? 0) + 1)
    this.#counts.set(name, counts)
    if (counts.size > stepsMax) this.#forget(counts, dueAtMs)
  }

  /** How many a group waits for at this time. */
  count(channel: string, group: string, nowMs: number): number {
    let sum = 0
    for (const name of [channel, `${channel}@${group}`]) {
      const counts = this.#counts.get(name)
      if (counts === undefined) continue
      this.#forget(counts, nowMs)
      for (const count of counts.values()) sum += count
    }
    return sum
  }

  #forget(counts: Map<number, number>, nowMs: number): void {
    for (const step of counts.keys()) if (step * stepMs <= nowMs) counts.delete(step)
  }
}

const stepsMax = 250_000
