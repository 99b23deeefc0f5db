/** Random choices that are the same for the same seed, so that a run with faults can be had again. */
export interface Seeded {
  /** 0 ≤ x < 1. */
  next(): number
  /** A whole number from `least` to `most`, both included. */
  between(least: number, most: number): number
  /** One of a list that has at least one. */
  pick<T>(choices: readonly [T, ...T[]] | readonly T[]): T
  /** Whether a thing of this probability happens. */
  chance(probability: number): boolean
}

/** @see https://github.com/bryc/code/blob/master/jshash/PRNGs.md mulberry32 */
export function seeded(seed: number): Seeded {
  let state = seed >>> 0
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
  return {
    next,
    between: (least, most) => least + Math.floor(next() * (most - least + 1)),
    pick<T>(choices: readonly T[]): T {
      if (choices.length === 0) throw new RangeError('there is nothing to pick from')
      return choices[Math.floor(next() * choices.length)] as T
    },
    chance: (probability) => next() < probability,
  }
}
