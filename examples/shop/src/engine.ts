import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { embedded } from '@posthaste/embedded'
import type { Engine } from 'posthaste'
import { UsageError } from './settings.ts'
import { type Store, table } from './store/store.ts'

/** Which server carries the shop's messages, and for whom. */
interface ServerOptions {
  readonly url: string
  /** Begins the names of everything on the server that is this shop's. */
  readonly prefix: string
}

type Connect = (options: ServerOptions) => Engine

/** Loaded when asked for: a shop needs the client of one server at most. */
const byServer: Readonly<Record<string, () => Promise<Connect>>> = {
  rabbitmq: async () => (await import('@posthaste/rabbitmq')).rabbitmq,
  kafka: async () => (await import('@posthaste/kafka')).kafka,
  nats: async () => (await import('@posthaste/nats')).nats,
  redis: async () => (await import('@posthaste/redis')).redis,
  // Our own broker has no prefixes: a shop has one to itself.
  broker: async () => {
    const { broker } = await import('@posthaste/broker')
    return ({ url }) => broker(url)
  },
}

/** What speaks to the server of a URL, by the URL's scheme. */
const servers: Readonly<Record<string, string>> = {
  'amqp:': 'rabbitmq',
  'amqps:': 'rabbitmq',
  'kafka:': 'kafka',
  'kafkas:': 'kafka',
  'nats:': 'nats',
  'tls:': 'nats',
  'redis:': 'redis',
  'rediss:': 'redis',
  'link:': 'broker',
  'links:': 'broker',
}

/** The engine of a shop: that of the server it is told to use, or else the embedded one beside its state. */
export async function engineOf(
  url: string | undefined,
  { dir, store }: { dir: string; store: Store },
): Promise<Engine> {
  if (url === undefined) return embedded({ dir: join(dir, 'engine') })
  const connect = await byServer[serverOf(url)]!()
  return connect({ url, prefix: `${await installationOf(store)}-` })
}

/**
 * Which kind of server a URL names.
 * @throws UsageError when it names none
 */
export function serverOf(url: string): string {
  const known = Object.keys(servers).map((scheme) => `${scheme}//`)
  // The URL itself is not repeated, since it may hold a password.
  if (!URL.canParse(url)) throw new UsageError(`the engine must be a URL, which begins with one of ${known.join(', ')}`)
  const { protocol } = new URL(url)
  const server = servers[protocol]
  if (server !== undefined) return server
  throw new UsageError(`there is no engine for ${protocol}//, only for ${known.join(', ')}`)
}

const installation = table<string>('installation')

/**
 * Names the shop of this store on a server that others use, too: messages speak of orders that stand in one store and no
 * other. Made up once, and gone with the store.
 */
export function installationOf(store: Store): Promise<string> {
  return store.transact((tx) => {
    const known = tx.get(installation, 'name')
    const name = known ?? `shop-${randomBytes(4).toString('hex')}`
    if (known === undefined) tx.put(installation, ['name'], name)
    return name
  })
}
