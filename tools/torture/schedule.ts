import { type Random, seededRandom } from './random.ts'

/** When a life is to end. */
export interface Kill {
  /** Counted from the start of the process, or from when the system is ready. */
  readonly from: 'spawn' | 'ready'
  readonly afterMs: number
}

const bootShare = 0.15
const bootMs = { min: 20, max: 450 }
const shortShare = 0.6
const shortMs = { min: 1, max: 200 }
const longMs = { min: 200, max: 600 }

/** The kills of a run: some while the system starts, most soon after, some after it has run for a while. */
export function killSchedule(seed: number, kills: number): Kill[] {
  const random = seededRandom(seed)
  return Array.from({ length: kills }, () => killFrom(random))
}

function killFrom(random: Random): Kill {
  if (random.chance(bootShare)) return { from: 'spawn', afterMs: random.integer(bootMs.min, bootMs.max) }
  const { min, max } = random.chance(shortShare) ? shortMs : longMs
  return { from: 'ready', afterMs: random.integer(min, max) }
}

/** One kill in this many brings a message into the world that kills by itself, several times. */
const killsPerPoison = 14

/** Whether the life that ends by a kill publishes poison. */
export function isPoisoned(seed: number, kill: number): boolean {
  return seededRandom(seed, kill + 1).chance(1 / killsPerPoison)
}
