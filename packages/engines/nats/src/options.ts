import { type Issue, isDecodable, PosthasteError, tlsIssues } from '@posthaste/contracts'

/** Encryption of the connection. */
export interface NatsTls {
  /** PEM of the certificates to trust; those of the system if absent. */
  readonly ca?: string | undefined
  /** PEM of the client's certificate, where the server asks for one. */
  readonly cert?: string | undefined
  /** PEM of the key of `cert`. */
  readonly key?: string | undefined
  /** The name that the server's certificate must have, where it is not the host's. */
  readonly serverName?: string | undefined
}

/** Options of the NATS engine. */
export interface NatsOptions {
  /** `nats://host:port` or `tls://host:port`, with `user:password@` or `token@` where the server asks for them. */
  readonly url?: string | undefined
  /** Several servers of one cluster; instead of `url`. */
  readonly urls?: readonly string[] | undefined
  readonly tls?: NatsTls | undefined
  /** With `password`. Instead of credentials in the url. */
  readonly user?: string | undefined
  readonly password?: string | undefined
  readonly token?: string | undefined
  /** Seed of an NKey. */
  readonly nkeySeed?: string | undefined
  /** Content of a credentials file: a user's JWT and the seed of its key. */
  readonly creds?: string | undefined
  /**
   * Stands before the names of all streams and subjects; 1 to 14 of `A-Z a-z 0-9 _ -`. Installations with different
   * prefixes share a server without seeing each other. Default: `posthaste`.
   */
  readonly prefix?: string | undefined
  /** Into how many ranges the keys of a channel are divided when it is made: 1 to 64. Default: 8. */
  readonly keyRanges?: number | undefined
  /** Copies of each stream in a cluster: 1, 3 or 5. Default: 1. */
  readonly replicas?: number | undefined
  /** How long publishing, settling and declaring may take, an outage included, in milliseconds. Default: 30,000. */
  readonly timeoutMs?: number | undefined
  /**
   * How long a delivery and a key range stay with a process that is not heard of, in milliseconds; 500 at least.
   * Default: 30,000.
   */
  readonly leaseMs?: number | undefined
}

/** Options with all defaults. */
export interface NatsSettings {
  readonly servers: readonly string[]
  readonly tls: NatsTls | undefined
  readonly credentials: Pick<NatsOptions, 'user' | 'password' | 'token' | 'nkeySeed' | 'creds'>
  readonly prefix: string
  readonly keyRanges: number
  readonly replicas: number
  readonly timeoutMs: number
  readonly leaseMs: number
}

const timerMsMax = 2_147_483_647

const known = new Set(
  'url urls tls user password token nkeySeed creds prefix keyRanges replicas timeoutMs leaseMs'.split(' '),
)
const texts = ['user', 'password', 'token', 'nkeySeed', 'creds'] as const

/** @throws CONFIG_INVALID listing every mistake; never with a credential in it */
export function settingsOf(options: NatsOptions): NatsSettings {
  if (typeof options !== 'object' || options === null) throw invalid([{ path: '', message: 'must be an object' }])
  const issues: Issue[] = []
  const must = (holds: boolean, path: string, message: string): void => {
    if (!holds) issues.push({ path, message })
  }
  const {
    url,
    urls,
    tls,
    prefix = 'posthaste',
    keyRanges = 8,
    replicas = 1,
    timeoutMs = 30_000,
    leaseMs = 30_000,
  } = options
  for (const name of Object.keys(options)) must(known.has(name), name, 'is not an option of the NATS engine')
  must((url === undefined) !== (urls === undefined), 'url', 'must be there, or urls instead')
  const servers = Array.isArray(urls) ? urls : url === undefined ? [] : [url]
  must(url !== undefined || servers.length > 0, 'urls', 'must be a list that names a server at least')
  for (const [at, each] of servers.entries()) {
    const path = urls === undefined ? 'url' : `urls.${at}`
    must(isServer(each), path, 'must be like nats://host:port or tls://host:port, each % followed by two hex digits')
  }
  for (const name of texts) {
    must(options[name] === undefined || typeof options[name] === 'string', name, 'must be text')
  }
  must((options.user === undefined) === (options.password === undefined), 'password', 'user and password go together')
  issues.push(...tlsIssues(tls))
  must(
    typeof prefix === 'string' && /^[A-Za-z0-9_-]{1,14}$/.test(prefix),
    'prefix',
    'must be 1 to 14 of A-Z a-z 0-9 _ -',
  )
  must(isWithin(keyRanges, 1, 64), 'keyRanges', 'must be a whole number from 1 to 64')
  must([1, 3, 5].includes(replicas), 'replicas', 'must be 1, 3 or 5')
  must(isWithin(timeoutMs, 100, timerMsMax), 'timeoutMs', `must be a whole number from 100 to ${timerMsMax}`)
  must(isWithin(leaseMs, 500, timerMsMax), 'leaseMs', `must be a whole number from 500 to ${timerMsMax}`)
  if (issues.length > 0) throw invalid(issues)
  return { servers, tls, prefix, keyRanges, replicas, timeoutMs, leaseMs, credentials: credentialsOf(options, servers) }
}

function invalid(issues: readonly Issue[]): PosthasteError {
  const list = issues.map(({ path, message }) => `${path} ${message}`.trimStart()).join('; ')
  return new PosthasteError('CONFIG_INVALID', `nats(): ${list}`, { issues })
}

function isServer(url: unknown): boolean {
  if (typeof url !== 'string' || !URL.canParse(url) || !isDecodable(url)) return false
  const { protocol, hostname } = new URL(url)
  return (protocol === 'nats:' || protocol === 'tls:') && hostname !== ''
}

function isWithin(value: number, least: number, most: number): boolean {
  return Number.isInteger(value) && value >= least && value <= most
}

/** Those of the options, else those in the first url that has any: one without a password is a token. */
function credentialsOf(options: NatsOptions, servers: readonly string[]): NatsSettings['credentials'] {
  const { user, password, token, nkeySeed, creds } = options
  if ([user, token, nkeySeed, creds].some((each) => each !== undefined)) {
    return { user, password, token, nkeySeed, creds }
  }
  for (const server of servers) {
    const { username, password: secret } = new URL(server)
    if (username === '') continue
    const name = decodeURIComponent(username)
    return secret === '' ? { token: name } : { user: name, password: decodeURIComponent(secret) }
  }
  return {}
}
