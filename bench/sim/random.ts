/** From 0 up to but not 1. */
export type Random = () => number

/**
 * Randomness that a seed decides (mulberry32). Give each use a stream of its own, named: then what one contestant draws
 * does not change when calls arrive for all of them.
 */
export function seededRandom(seed: number, stream: string): Random {
  let state = seed | 0
  for (const char of stream) state = Math.imul(state ^ char.charCodeAt(0), 0x01000193)
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** How long something takes, in milliseconds; the mean is what the name says. */
export type Distribution = (random: Random) => number

/** Memoryless, as arrivals that know nothing of each other. */
export function exponential(meanMs: number): Distribution {
  return (random) => -meanMs * Math.log(1 - random())
}

/** Skewed to the right, as service times are; `sigma` is the deviation of the logarithm: 0.5 has a p99 of 2.8 means. */
export function logNormal(meanMs: number, sigma: number): Distribution {
  const mu = Math.log(meanMs) - sigma ** 2 / 2
  return (random) => Math.exp(mu + sigma * normal(random))
}

/** Box and Muller. */
function normal(random: Random): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random())
}
