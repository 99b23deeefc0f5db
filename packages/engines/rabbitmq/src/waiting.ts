/**
 * Counts what this process sent off to wait for its time: the server cannot tell whose messages stand in the ladder. By
 * seconds, so that a million of them are a few numbers.
 */
export class Waiting {
  readonly #counts = new Map<string, Map<number, number>>()

  /** One more, for one group or, without one, for all of the channel. */
  add(channel: string, group: string | undefined, dueAtMs: number): void {
    const name = group === undefined ? channel : `${channel}@${group}`
    const counts = this.#counts.get(name) ?? new Map<number, number>()
    const second = Math.ceil(dueAtMs / 1_000)
    counts.set(second, (counts.get(second) ?? 0) + 1)
    this.#counts.set(name, counts)
    if (counts.size > secondsMax) this.#forget(counts, dueAtMs)
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
    for (const second of counts.keys()) if (second * 1_000 <= nowMs) counts.delete(second)
  }
}

const secondsMax = 100_000
