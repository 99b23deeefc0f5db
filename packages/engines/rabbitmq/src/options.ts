import { type Issue, isDecodable, PosthasteError, tlsIssues } from '@posthaste/contracts'

/** Options of the RabbitMQ engine. */
export interface RabbitmqOptions {
  /** `amqp://user:password@host:port/vhost`, or `amqps:` for TLS. The user and the vhost may also be given below. */
  readonly url: string
  /** Further nodes of the cluster as `host:port`; tried in turn when a connection is lost. */
  readonly hosts?: readonly string[] | undefined
  readonly username?: string | undefined
  readonly password?: string | undefined
  readonly vhost?: string | undefined
  /** Certificates as PEM; with it the connection is encrypted whatever the url says. */
  readonly tls?: RabbitmqTls | undefined
  /** Put before the names of all exchanges and queues: up to 60 of `A-Z a-z 0-9 . _ -`. Default: nothing. */
  readonly prefix?: string | undefined
  /** Key ranges of a keyed channel when it is made: how many members of a group can share it. 1 to 256; default 8. */
  readonly keyRanges?: number | undefined
  /** Within this many milliseconds every publish, settlement and declaration is answered. Default 30,000. */
  readonly timeoutMs?: number | undefined
  /** How long a connection may be silent before it counts as dead, in milliseconds from 1,000 on. Default 10,000. */
  readonly heartbeatMs?: number | undefined
  /** How often members look whether they read more key ranges than their share, in milliseconds. Default 5,000. */
  readonly rebalanceMs?: number | undefined
  /** The server's `consumer_timeout`, in milliseconds: what is unsettled for longer is taken back. Default 1,800,000. */
  readonly consumerTimeoutMs?: number | undefined
  /** The server's `frame_max`, in bytes. Default 131,072. */
  readonly frameBytesMax?: number | undefined
  /** Channels that are carried by exchanges which exist, or are shared with others. By channel. */
  readonly exchanges?: Readonly<Record<string, ExchangeMapping>> | undefined
}

/** What encrypts connections. */
export interface RabbitmqTls {
  /** Who may have signed the server's certificate; the system's authorities if absent. */
  readonly ca?: string | undefined
  /** Our own certificate and its key, where the server asks for one. */
  readonly cert?: string | undefined
  readonly key?: string | undefined
  /** The name that the server's certificate must have; the host of the url if absent. */
  readonly serverName?: string | undefined
}

/** How an unkeyed channel uses an exchange of another making. */
export interface ExchangeMapping {
  readonly exchange: string
  readonly type: 'direct' | 'fanout' | 'headers' | 'topic'
  /** What is published is published with it. Default: the channel's name. */
  readonly routingKey?: string | undefined
  /** What groups are bound with: a pattern, where the type is `topic`. Default: the routing key. */
  readonly bindingKey?: string | undefined
  /** For `headers`: what is published has them, and groups are bound with them. */
  readonly headers?: Readonly<Record<string, string>> | undefined
  /** For `headers`: whether all of them must match, or any. Default: `all`. */
  readonly match?: 'all' | 'any' | undefined
}

/** Options with all defaults filled in. */
export interface Settings {
  readonly url: string
  readonly hosts: readonly string[]
  readonly username: string | undefined
  readonly password: string | undefined
  readonly vhost: string | undefined
  readonly tls: RabbitmqTls | undefined
  readonly prefix: string
  readonly keyRanges: number
  readonly timeoutMs: number
  readonly heartbeatMs: number
  readonly rebalanceMs: number
  readonly consumerTimeoutMs: number
  readonly frameBytesMax: number
  readonly exchanges: ReadonlyMap<string, ExchangeMapping>
}

/** @throws CONFIG_INVALID listing every mistake */
export function checkOptions(options: RabbitmqOptions): Settings {
  const issues: Issue[] = []
  const add = (path: string, message: string) => issues.push({ path, message })
  if (typeof options !== 'object' || options === null) throw invalid([{ path: '', message: 'must be an object' }])
  for (const name of Object.keys(options)) if (!known.has(name)) add(name, 'is not an option of the RabbitMQ engine')
  urlMistakes(options, add)
  for (const name of ['username', 'password', 'vhost'] as const)
    if (options[name] !== undefined && typeof options[name] !== 'string') add(name, 'must be text')
  const { prefix = '', hosts = [], tls, exchanges = {} } = options
  if (typeof prefix !== 'string' || !/^[A-Za-z0-9._-]{0,60}$/.test(prefix))
    add('prefix', 'must be up to 60 of A-Z a-z 0-9 . _ -')
  if (!Array.isArray(hosts) || !hosts.every((host) => typeof host === 'string' && /^[^:\s]+:\d+$/.test(host)))
    add('hosts', 'must be a list of host:port')
  issues.push(...tlsIssues(tls))
  exchangeMistakes(exchanges, add)
  const numbers = Object.fromEntries(
    Object.entries(bounds).map(([name, [fallback, min, max]]) => {
      const value = options[name as keyof typeof bounds] ?? fallback
      if (!Number.isInteger(value) || value < min || value > max)
        add(name, `must be a whole number from ${min} to ${max}`)
      return [name, value]
    }),
  ) as Record<keyof typeof bounds, number>
  if (issues.length > 0) throw invalid(issues)
  const { url, username, password, vhost } = options
  const mapped = new Map(Object.entries(exchanges))
  return { url, hosts, username, password, vhost, tls, prefix, ...numbers, exchanges: mapped }
}

type Add = (path: string, message: string) => void

/** Default, least and most. */
const bounds = {
  keyRanges: [8, 1, 256],
  timeoutMs: [30_000, 100, 3_600_000],
  heartbeatMs: [10_000, 1_000, 3_600_000],
  rebalanceMs: [5_000, 50, 3_600_000],
  consumerTimeoutMs: [1_800_000, 60_000, 2 ** 40],
  frameBytesMax: [131_072, 4_096, 2 ** 31 - 1],
} as const

const known = new Set([
  ...['url', 'hosts', 'username', 'password', 'vhost', 'tls', 'prefix', 'exchanges'],
  ...Object.keys(bounds),
])

function urlMistakes({ url }: RabbitmqOptions, add: Add): void {
  if (typeof url !== 'string' || !URL.canParse(url)) return void add('url', 'must be amqp://… or amqps://…')
  // The url may hold a password, so no message repeats it.
  const { protocol, hostname } = new URL(url)
  if (!isDecodable(url)) add('url', 'must have two hex digits after each %')
  if (protocol !== 'amqp:' && protocol !== 'amqps:') add('url', 'must begin with amqp: or amqps:')
  if (hostname === '') add('url', 'must name a host')
}

function exchangeMistakes(exchanges: Readonly<Record<string, ExchangeMapping>>, add: Add): void {
  const names = ['exchange', 'type', 'routingKey', 'bindingKey', 'headers', 'match']
  for (const [channel, mapping] of Object.entries(exchanges)) {
    const path = `exchanges.${channel}`
    for (const name of Object.keys(mapping)) if (!names.includes(name)) add(`${path}.${name}`, 'is not an option')
    if (typeof mapping.exchange !== 'string' || mapping.exchange === '') add(`${path}.exchange`, 'must be a name')
    if (!['direct', 'fanout', 'headers', 'topic'].includes(mapping.type))
      add(`${path}.type`, 'must be direct, fanout, headers or topic')
    if (mapping.type === 'headers' && mapping.headers === undefined)
      add(`${path}.headers`, 'must say which headers match')
    if (mapping.type !== 'headers' && mapping.headers !== undefined)
      add(`${path}.headers`, 'mean something for the type headers alone')
    if (!['all', 'any', undefined].includes(mapping.match)) add(`${path}.match`, 'must be all or any')
  }
}

function invalid(issues: readonly Issue[]): PosthasteError {
  const text = issues.map(({ path, message }) => `${path} ${message}`.trimStart()).join('; ')
  return new PosthasteError('CONFIG_INVALID', `rabbitmq(): ${text}`, { issues })
}
