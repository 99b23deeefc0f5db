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

/** Options of the redis engine. */
export interface RedisOptions {
  /** `redis://[user:password@]host[:port][/db]`, or `rediss://…` for TLS. */
  readonly url: string
  /** Over those of the url. */
  readonly username?: string | undefined
  /** Over that of the url. */
  readonly password?: string | undefined
  readonly tls?: RedisTls | undefined
  /**
   * Names the installation: keys begin with `{prefix}:`, and applications that share messages share it. 1 to 64 of
   * `A-Z a-z 0-9 . _ -`. Default: `posthaste`.
   */
  readonly prefix?: string | undefined
  /** Milliseconds after which a publish or a settlement is answered with `UNAVAILABLE`, 100 to 600,000. Default: 30,000. */
  readonly timeoutMs?: number | undefined
  /**
   * Milliseconds without a sign of life after which a process counts as vanished and others take what it had in hand,
   * 300 to 600,000. It bounds how long a process may be too busy to say anything. Default: 30,000.
   */
  readonly sessionMs?: number | undefined
  /**
   * Milliseconds that a process whose connection is gone has to come back before it counts as vanished, 300 to `sessionMs`.
   * Default: 10,000, or `sessionMs` where that is shorter.
   */
  readonly reconnectMs?: number | undefined
  /** Milliseconds after which a group looks for what other clients have added to its stream, 10 to 60,000. Default: 1,000. */
  readonly pollMs?: number | undefined
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
  readonly sessionMs: number
  readonly reconnectMs: number
  readonly pollMs: number
}

/** @throws CONFIG_INVALID listing every mistake */
export function checkOptions(options: RedisOptions, engine = 'redis'): CheckedOptions {
  if (typeof options !== 'object' || options === null)
    throw invalid(engine, [{ path: '', message: 'must be an object' }])
  const { url, username, password, tls, prefix = 'posthaste', ...rest } = options
  const { timeoutMs = 30_000, sessionMs = 30_000, pollMs = 1_000, ...others } = rest
  const { reconnectMs = Math.min(10_000, sessionMs), ...unknown } = others
  const mistakes: Issue[] = []
  const { encrypted, ...address } = addressOf(url, mistakes)
  const within = (path: string, value: unknown, [min, max]: readonly [number, number]) => {
    if (typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max) return
    mistakes.push({ path, message: `must be a whole number from ${min} to ${max}` })
  }
  within('timeoutMs', timeoutMs, [100, 600_000])
  within('sessionMs', sessionMs, [300, 600_000])
  // Nothing is said of it twice where `sessionMs` is wrong.
  if (others.reconnectMs !== undefined)
    within('reconnectMs', reconnectMs, [300, Math.min(600_000, sessionMs) || 600_000])
  within('pollMs', pollMs, [10, 60_000])
  if (typeof prefix !== 'string' || !/^[A-Za-z0-9._-]{1,64}$/.test(prefix))
    mistakes.push({ path: 'prefix', message: 'must be 1 to 64 of A-Z a-z 0-9 . _ -' })
  for (const [path, value] of Object.entries({ username, password }))
    if (value !== undefined && typeof value !== 'string') mistakes.push({ path, message: 'must be text' })
  mistakes.push(...tlsIssues(tls))
  for (const path of Object.keys(unknown)) mistakes.push({ path, message: `is not an option of the ${engine} engine` })
  if (mistakes.length > 0) throw invalid(engine, mistakes)
  return {
    ...address,
    username: username ?? address.username,
    password: password ?? address.password,
    tls: tls ?? (encrypted ? {} : undefined),
    prefix,
    timeoutMs,
    sessionMs,
    reconnectMs,
    pollMs,
  }
}

function invalid(engine: string, issues: readonly Issue[]): PosthasteError {
  const text = issues.map(({ path, message }) => `${path} ${message}`.trimStart()).join('; ')
  return new PosthasteError('CONFIG_INVALID', `${engine}(): ${text}`, { issues })
}

function addressOf(url: unknown, mistakes: Issue[]) {
  const nowhere = { host: '', port: 0, db: 0, username: undefined, password: undefined, encrypted: false }
  const parsed = typeof url === 'string' && URL.canParse(url) && isDecodable(url) ? new URL(url) : undefined
  const db = parsed?.pathname.replace(/^\//, '') ?? ''
  // Not the url itself: it may hold a password.
  if (parsed === undefined || !/^rediss?:$/.test(parsed.protocol) || parsed.hostname === '' || !/^\d{0,5}$/.test(db)) {
    mistakes.push({ path: 'url', message: 'must be like redis://host:6379/0, or rediss:// for TLS' })
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
