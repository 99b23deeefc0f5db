import type { Engine } from '@posthaste/contracts'
import type { ServerName } from '../engines/recipe.ts'

/** An engine behind a network, and how it is reached in a run. */
export interface NetworkedEngine {
  readonly name: string
  readonly server: ServerName
  /** An engine that connects to loopback at that port. Leases are short, so that what vanished is missed soon. */
  connect(port: number): Promise<Engine> | Engine
}

/** How long a lease lasts in a run, in milliseconds. */
const leaseMs = 3_000
const timeoutMs = 10_000
const keyRanges = 4

interface EngineModule {
  readonly [factory: string]: (options: Readonly<Record<string, unknown>>) => Engine
}

/** Loads an engine's factory; the engines have the names of their packages. */
async function factoryOf(name: string): Promise<(options: Readonly<Record<string, unknown>>) => Engine> {
  const module = (await import(`../../packages/engines/${name}/src/index.ts`)) as EngineModule
  const factory = module[name]
  if (factory === undefined) throw new Error(`@posthaste/${name} exports no ${name}()`)
  return factory
}

const own: Readonly<Record<string, (port: number) => Readonly<Record<string, unknown>>>> = {
  redis: (port) => ({ url: `redis://127.0.0.1:${port}`, sessionMs: leaseMs, reconnectMs: leaseMs, timeoutMs }),
  broker: (port) => ({ url: `link://127.0.0.1:${port}`, sessionMs: leaseMs, timeoutMs }),
  nats: (port) => ({ url: `nats://127.0.0.1:${port}`, leaseMs, timeoutMs, keyRanges }),
  rabbitmq: (port) => ({ url: `amqp://guest:guest@127.0.0.1:${port}`, timeoutMs, keyRanges }),
  // A broker names itself by its own address, which would lead past the proxy.
  kafka: (port) => ({
    brokers: [`127.0.0.1:${port}`],
    reach: () => ({ host: '127.0.0.1', port }),
    sessionTimeoutMs: leaseMs,
    timeoutMs,
    keyRanges,
  }),
}

/** The engines that have a network between them and their data, those first that start fast. */
export const networkedEngines = ['redis', 'broker', 'nats', 'kafka', 'rabbitmq'] as const
export type NetworkedName = (typeof networkedEngines)[number]

/** Those that give back a message without a key as a copy. */
export const copying: ReadonlySet<NetworkedName> = new Set<NetworkedName>(['nats', 'rabbitmq'])

/**
 * Those that send again by themselves what an outage has left without an answer, and whose servers do not recognise it: to
 * remember the ids of all records for as long as an outage lasts costs a server more than repeating a few.
 */
export const resending: ReadonlySet<NetworkedName> = new Set<NetworkedName>(['nats'])

/** An engine's way in, for members that each come by a port of their own. */
export async function connectorOf(name: NetworkedName): Promise<(port: number) => Engine> {
  const factory = await factoryOf(name)
  return (port) => factory(own[name]?.(port) ?? {})
}
