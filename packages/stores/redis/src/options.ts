import { type Issue, isDecodable, PosthasteError, tlsIssues } from '@posthaste/contracts'

/** Encryption, and who the two sides are. */
export interface RedisTls {
  /** The certificates to trust, as PEM; those of the system if absent. */
  readonly ca?: string | undefined
  /** The client's certificate, as PEM. */
  readonly cert?: string | undefined
  /** The key of `cert`, as PEM. */
  readonly key?: string | undefined
  /** The name that the server's certificate must have; the host's if absent. */
  readonly serverName?: string | undefined
}

/** How a store reaches its server. */
export interface RedisStoreOptions {
  /** `redis://[user:password@]host[:port][/db]`, or `rediss://…` for TLS. */
  readonly url: string
  /** Over those of the url. */
  readonly username?: string | undefined
  /** Over that of the url. */
  readonly password?: string | undefined
  readonly tls?: RedisTls | undefined
  /** Keys begin with `{prefix}:`; who shares a rate or results shares it. 1 to 64 of `A-Z a-z 0-9 . _ -`. Default: `posthaste`. */
  readonly prefix?: string | undefined
  /**
   * Milliseconds after which connecting, and after which a call, is given up as `UNAVAILABLE`, 10 to 60,000. Default: 1,000.
   */
  readonly timeoutMs?: number | undefined
}

/** Options in which nothing is left open. */
export interface CheckedOptions {
  readonly host: string
  readonly port: number
  readonly db: number
  readonly username: string | undefined
  readonly password: string | undefined
  /** Undefined: not encrypted. */
  readonly tls: RedisTls | undefined
  readonly prefix: string
  readonly timeoutMs: number
}

const prefixDefault = 'posthaste'
const timeoutMsDefault = 1_000
const timeoutMsBounds = { min: 10, max: 60_000 } as const

/** @throws CONFIG_INVALID listing every mistake */
export function checkOptions(what: string, options: RedisStoreOptions): CheckedOptions {
  const { url, username, password, tls, ...rest } = options
  const { prefix = prefixDefault, timeoutMs = timeoutMsDefault, ...unknown } = rest
  const issues: Issue[] = Object.keys(unknown).map((path) => ({ path, message: 'is not an option' }))
  const { encrypted, ...address } = addressOf(url, issues)
  const { min, max } = timeoutMsBounds
  if (!Number.isInteger(timeoutMs) || timeoutMs < min || timeoutMs > max)
    issues.push({ path: 'timeoutMs', message: `must be a whole number from ${min} to ${max}` })
  if (typeof prefix !== 'string' || !/^[A-Za-z0-9._-]{1,64}$/.test(prefix))
    issues.push({ path: 'prefix', message: 'must be 1 to 64 of A-Z a-z 0-9 . _ -' })
  for (const [path, value] of Object.entries({ username, password }))
    if (value !== undefined && typeof value !== 'string') issues.push({ path, message: 'must be text' })
  issues.push(...tlsIssues(tls))
  if (issues.length > 0) {
    const told = issues.map(({ path, message }) => `${path} ${message}`).join('; ')
    throw new PosthasteError('CONFIG_INVALID', `${what}(): ${told}`, { issues })
  }
  return {
    ...address,
    username: username ?? address.username,
    password: password ?? address.password,
    tls: tls ?? (encrypted ? {} : undefined),
    prefix,
    timeoutMs,
  }
}

function addressOf(url: unknown, issues: Issue[]) {
  const nowhere = { host: '', port: 0, db: 0, username: undefined, password: undefined, encrypted: false }
  const parsed = typeof url === 'string' && URL.canParse(url) && isDecodable(url) ? new URL(url) : undefined
  const db = parsed?.pathname.replace(/^\//, '') ?? ''
  // Not the url itself: it may hold a password.
  if (parsed === undefined || !/^rediss?:$/.test(parsed.protocol) || parsed.hostname === '' || !/^\d{0,5}$/.test(db)) {
    issues.push({ path: 'url', message: 'must be like redis://host:6379/0, or rediss:// for TLS' })
    return nowhere
  }
  return {
    host: parsed.hostname.replace(/^\[|\]$/g, ''),
    port: parsed.port === '' ? 6_379 : Number(parsed.port),
    db: Number(db),
    username: parsed.username === '' ? undefined : decodeURIComponent(parsed.username),
    password: parsed.password === '' ? undefined : decodeURIComponent(parsed.password),
    encrypted: parsed.protocol === 'rediss:',
  }
}
