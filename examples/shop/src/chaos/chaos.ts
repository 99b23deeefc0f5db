import { type App, type CommandContract, consoleLog, type LogLevel, type MessageHandler } from 'posthaste'
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

/** What services are put up in: an application, or one whose services trouble each other. */
export interface ServiceHost extends Pick<App, 'on' | 'serve' | 'client'> {
  handle<C extends CommandContract>(command: C, handler: MessageHandler<C>): void
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

/** Has a source of trouble stand right behind every client and in front of every handler of a message. */
export function troubled(app: App, trouble: Chaos): ServiceHost {
  return {
    client: (service, options) => app.client(service, { ...options, chaos: trouble }),
    serve: (service, handlers, options) => app.serve(service, handlers, options),
    on: (event, options, handler) => app.on(event, { ...options, chaos: trouble }, handler),
    handle: (command, handler) => app.handle(command, { chaos: trouble }, handler),
  }
}

/** Numbers from 0 up to but not 1, the same for a seed: a linear congruential generator is random enough for trouble. */
export function seeded(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
}
