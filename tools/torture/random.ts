/** A source of chance that a seed reproduces. */
export interface Random {
  /** From 0 up to but not 1. */
  next(): number
  /** A whole number from `min` to `max`, both included. */
  integer(min: number, max: number): number
  /** True in this share of the cases, 0 to 1. */
  chance(share: number): boolean
  /** One of the items, which must not be empty. */
  pick<T>(items: readonly T[]): T
}

/**
 * Two seeds make a stream of their own, so that each life of the system has one.
 * @see mulberry32, Tommy Ettinger; passes gjrand, and is four lines long
 */
export function seededRandom(seed: number, stream = 0): Random {
  let state = (Math.imul(seed, 0x9e3779b1) ^ Math.imul(stream + 1, 0x85ebca6b)) >>> 0
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
  const integer = (min: number, max: number): number => min + Math.floor(next() * (max - min + 1))
  return { next, integer, chance: (share) => next() < share, pick: (items) => items[integer(0, items.length - 1)]! }
}
