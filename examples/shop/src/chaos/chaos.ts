import { consoleLog, type LogLevel } from 'posthaste'
import { filterDeps } from 'posthaste/pipeline'
import { type Chaos, chaos } from 'posthaste/resilience'

/** Trouble that is made on purpose. */
export interface Trouble {
  /** The share of calls and messages that each kind of fault hits, 0 to 1. */
  readonly rate: number
  /** Trouble with the same seed draws the same. Default: a new one each time. */
  readonly seed?: number | undefined
  readonly logLevel: LogLevel
}

const latencyMs = [5, 250] as const

/**
 * A source of trouble for everything that it stands around: answers that are late, calls that are refused, and answers
 * that are lost, so that nobody can tell whether anything was done.
 */
export function troubleMaker({ rate, seed, logLevel }: Trouble): Chaos {
  const deps = filterDeps({ log: consoleLog({ level: logLevel }), target: 'everything between the services' })
  const faults = { latency: { rate, ms: latencyMs }, error: { rate }, abort: { rate } }
  return chaos(faults, seed === undefined ? deps : { ...deps, random: seeded(seed) })
}

/** Numbers from 0 up to but not 1, the same for a seed: a linear congruential generator is random enough for trouble. */
export function seeded(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
}
