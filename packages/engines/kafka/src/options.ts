import { type Issue, isDecodable, PosthasteError, tlsIssues } from '@posthaste/contracts'

/** Where a broker listens. */
export interface BrokerAddress {
  readonly host: string
  readonly port: number
}

/** How batches of records are compressed. */
export type Compression = 'none' | 'gzip' | 'snappy' | 'lz4' | 'zstd'

/** How to reach Kafka, and what its topics are to be like. */
export interface KafkaOptions {
  /** `kafka://host:9092`, or `kafkas://user:password@host:9094` with TLS and SASL. Several hosts with commas between them. */
  readonly url?: string | undefined
  /** The same as `host:port` each; in place of `url`. */
  readonly brokers?: readonly string[] | undefined
  /** Turns TLS on; PEM texts. */
  readonly tls?: TlsOptions | undefined
  /** Who we are to the server; in place of what stands in the url. */
  readonly sasl?: SaslOptions | undefined
  /** In front of every topic, group and transactional id; default: nothing. */
  readonly prefix?: string | undefined
  /** Partitions of topics that are made; 1 to 1,000, default 8. */
  readonly keyRanges?: number | undefined
  /** Replicas of topics that are made; default −1: as the server has it. */
  readonly replicas?: number | undefined
  /** Replicas that must have a record before it is confirmed; default: as the server has it. */
  readonly minInSyncReplicas?: number | undefined
  /** Further settings of the topics that are made, such as `compression.type`. */
  readonly topicConfig?: Readonly<Record<string, string>> | undefined
  /** How batches of records are compressed: `none` (default), `gzip`, `snappy`, `lz4` or `zstd`. */
  readonly compression?: Compression | undefined
  /** Largest body of one record, in bytes; 1,024 to 64 MiB, default 1 MiB. Topics are made so that they take it. */
  readonly bodyBytesMax?: number | undefined
  /** Time limit of publishes and settlements, in milliseconds; default 30,000. */
  readonly timeoutMs?: number | undefined
  /** After this long without a sign of life a member's partitions go to others, in milliseconds; default: as the server has it. */
  readonly sessionTimeoutMs?: number | undefined
  /** How long a member may take to end what it has in hand when a partition goes to another, in milliseconds; default 60,000. */
  readonly rebalanceTimeoutMs?: number | undefined
  /** After this long the server aborts a transaction that a process left open, in milliseconds; default 10,000. */
  readonly transactionTimeoutMs?: number | undefined
  /**
   * Names this process to the groups, so that it has its partitions again after a restart within the session timeout
   * (static membership). Unique per process.
   */
  readonly instanceId?: string | undefined
  /** Where a broker is reached that says it is elsewhere: through a tunnel or a proxy. */
  readonly reach?: ((advertised: BrokerAddress) => BrokerAddress) | undefined
}

/** Certificates, as PEM texts. */
export interface TlsOptions {
  readonly ca?: string | undefined
  readonly cert?: string | undefined
  readonly key?: string | undefined
  /** The name that the server's certificate must have; the host if absent. */
  readonly serverName?: string | undefined
}

/** A name and a password. */
export interface SaslOptions {
  /** Default `SCRAM-SHA-512`; `PLAIN` needs TLS to be safe. */
  readonly mechanism?: 'PLAIN' | 'SCRAM-SHA-256' | 'SCRAM-SHA-512' | undefined
  readonly username: string
  readonly password: string
}

/** Who we are to the server. */
export interface Credentials {
  readonly mechanism: 'PLAIN' | 'SCRAM-SHA-256' | 'SCRAM-SHA-512'
  readonly username: string
  readonly password: string
}

/** Options, checked and with their defaults. */
export interface Settings {
  readonly bootstrap: readonly BrokerAddress[]
  readonly tls: TlsOptions | undefined
  readonly sasl: Credentials | undefined
  readonly prefix: string
  readonly keyRanges: number
  readonly replicas: number
  readonly minInSyncReplicas: number | undefined
  readonly topicConfig: Readonly<Record<string, string>>
  readonly compression: Compression
  readonly bodyBytesMax: number
  readonly timeoutMs: number
  readonly sessionTimeoutMs: number | undefined
  readonly rebalanceTimeoutMs: number
  readonly transactionTimeoutMs: number
  readonly instanceId: string | undefined
  readonly reach: (advertised: BrokerAddress) => BrokerAddress
}

const mechanisms = ['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512'] as const
const compressions = ['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const
const known = new Set([
  ...['url', 'brokers', 'tls', 'sasl', 'prefix', 'keyRanges', 'replicas', 'minInSyncReplicas', 'topicConfig'],
  ...['compression', 'bodyBytesMax', 'timeoutMs', 'sessionTimeoutMs', 'rebalanceTimeoutMs', 'transactionTimeoutMs'],
  ...['instanceId', 'reach'],
])
const numbers: Readonly<Record<string, readonly [from: number, to: number]>> = {
  keyRanges: [1, 1_000],
  minInSyncReplicas: [1, 100],
  bodyBytesMax: [1_024, 67_108_864],
  timeoutMs: [1, 2_147_483_647],
  sessionTimeoutMs: [1, 2_147_483_647],
  rebalanceTimeoutMs: [1, 2_147_483_647],
  transactionTimeoutMs: [1, 900_000],
}

/**
 * Checks options and adds the defaults.
 * @throws CONFIG_INVALID listing every mistake
 */
export function settingsOf(options: KafkaOptions): Settings {
  if (typeof options !== 'object' || options === null) throw invalid([{ path: '', message: 'must be an object' }])
  const issues: Issue[] = []
  const add: Add = (path: string, message: string) => issues.push({ path, message })
  for (const path of Object.keys(options)) if (!known.has(path)) add(path, 'there is no such option')
  const values = options as Readonly<Record<string, unknown>>
  for (const [path, [from, to]] of Object.entries(numbers)) {
    const value = values[path]
    if (value !== undefined && !isWhole(value, from, to)) add(path, `is not a whole number from ${from} to ${to}`)
  }
  const { replicas = -1, prefix = '', compression = 'none', topicConfig = {}, instanceId, reach, sasl, tls } = options
  if (replicas !== -1 && !isWhole(replicas, 1, 100)) add('replicas', 'is not a whole number from 1 to 100, or -1')
  if (typeof prefix !== 'string' || !/^[A-Za-z0-9._-]{0,100}$/.test(prefix))
    add('prefix', 'is not at most 100 of A-Z a-z 0-9 . _ -')
  if (!compressions.includes(compression)) add('compression', `is not one of ${compressions.join(', ')}`)
  if (instanceId !== undefined && typeof instanceId !== 'string') add('instanceId', 'is no text')
  topicConfigMistakes(topicConfig, add)
  issues.push(...tlsIssues(tls))
  if (reach !== undefined && typeof reach !== 'function') add('reach', 'is no function')
  const place = addresses(options, add)
  const credentials = sasl ?? place.sasl
  if (credentials !== undefined) checkSasl(credentials, add)
  if (issues.length > 0) throw invalid(issues)
  return {
    bootstrap: place.brokers,
    tls: tls ?? (place.encrypted ? {} : undefined),
    sasl: credentials && { ...credentials, mechanism: credentials.mechanism ?? 'SCRAM-SHA-512' },
    prefix,
    keyRanges: options.keyRanges ?? 8,
    replicas,
    minInSyncReplicas: options.minInSyncReplicas,
    topicConfig,
    compression,
    bodyBytesMax: options.bodyBytesMax ?? 1_048_576,
    timeoutMs: options.timeoutMs ?? 30_000,
    sessionTimeoutMs: options.sessionTimeoutMs,
    rebalanceTimeoutMs: options.rebalanceTimeoutMs ?? 60_000,
    transactionTimeoutMs: options.transactionTimeoutMs ?? 10_000,
    instanceId,
    reach: reach ?? ((advertised) => advertised),
  }
}

type Add = (path: string, message: string) => void

function invalid(issues: readonly Issue[]): PosthasteError {
  const list = issues.map(({ path, message }) => (path === '' ? message : `${path}: ${message}`)).join('; ')
  return new PosthasteError('CONFIG_INVALID', `kafka engine: ${list}`, { issues })
}

function topicConfigMistakes(config: unknown, add: Add): void {
  if (typeof config !== 'object' || config === null || Array.isArray(config))
    return void add('topicConfig', 'is no object')
  for (const [name, value] of Object.entries(config))
    if (typeof value !== 'string') add(`topicConfig.${name}`, 'is no text')
}

function isWhole(value: unknown, from: number, to: number): boolean {
  return Number.isInteger(value) && (value as number) >= from && (value as number) <= to
}

function checkSasl(sasl: SaslOptions, add: Add): void {
  if (typeof sasl !== 'object') return void add('sasl', 'is no object')
  const { mechanism, username, password, ...others } = sasl
  for (const name of Object.keys(others)) add(`sasl.${name}`, 'there is no such option')
  if (mechanism !== undefined && !mechanisms.includes(mechanism))
    add('sasl.mechanism', `is not one of ${mechanisms.join(', ')}`)
  if (typeof username !== 'string' || username === '') add('sasl.username', 'is missing')
  if (typeof password !== 'string' || password === '') add('sasl.password', 'is missing')
}

interface Place {
  readonly brokers: readonly BrokerAddress[]
  readonly encrypted: boolean
  readonly sasl?: SaslOptions | undefined
}

function addresses({ url, brokers }: KafkaOptions, add: Add): Place {
  const nowhere = { brokers: [], encrypted: false }
  if ((url === undefined) === (brokers === undefined)) {
    add('url', 'either url or brokers says where Kafka is')
    return nowhere
  }
  if (brokers !== undefined) {
    if (!Array.isArray(brokers)) {
      add('brokers', 'is no list')
      return nowhere
    }
    if (brokers.length === 0) add('brokers', 'is empty')
    return { brokers: brokers.map((each, at) => address(each, `brokers.${at}`, add)), encrypted: false }
  }
  const parts = /^(kafkas?):\/\/(?:([^:@/]+):([^@/]*)@)?([^/@]+)\/?$/.exec(url ?? '')
  if (parts === null || !isDecodable(url ?? '')) {
    // The url itself may hold a password.
    add('url', 'is not kafka://host:port or kafkas://user:password@host:port, each % of it followed by two hex digits')
    return nowhere
  }
  const [, scheme, username, password, hosts = ''] = parts
  const sasl =
    username === undefined
      ? undefined
      : { username: decodeURIComponent(username), password: decodeURIComponent(password ?? '') }
  return { brokers: hosts.split(',').map((each) => address(each, 'url', add)), encrypted: scheme === 'kafkas', sasl }
}

function address(text: unknown, path: string, add: Add): BrokerAddress {
  const [, host = '', port = '9092'] =
    /^(\[[^\]]+\]|[^:[\]]+)(?::(\d{1,5}))?$/.exec(typeof text === 'string' ? text : '') ?? []
  if (host === '' || !isWhole(Number(port), 1, 65_535)) add(path, `${text} is not host:port`)
  return { host: host.replace(/^\[|\]$/g, ''), port: Number(port) }
}
