import { type Issue, isDecodable, PosthasteError, tlsIssues } from '@posthaste/contracts'

/** Encryption, and who the two sides are. */
export interface BrokerTls {
  /** The certificates to trust, as PEM; those of the system if absent. */
  readonly ca?: string | undefined
  /** The client's certificate, as PEM. */
  readonly cert?: string | undefined
  /** The key of `cert`, as PEM. */
  readonly key?: string | undefined
  /** The name that the broker's certificate must have; the host's if absent. */
  readonly serverName?: string | undefined
}

/** Options of the engine on a Posthaste broker. */
export interface BrokerOptions {
  /** `link://host[:port]`, `links://host[:port]` for TLS, or `link+unix:///path`. The port is 7420 if absent. */
  readonly url: string
  /** Proves who this client is; asked for at each connection where it is a function. */
  readonly token?: string | (() => string | Promise<string>) | undefined
  readonly tls?: BrokerTls | undefined
  /** Milliseconds after which a publish or a settlement is answered with `UNAVAILABLE`, 100 to 600,000. Default: 30,000. */
  readonly timeoutMs?: number | undefined
  /**
   * Milliseconds that a process which is not heard of keeps its deliveries: one that is back within that time goes on as if
   * nothing had been, and of one that is not others take over what it had in hand. 300 to 600,000, and no more than the broker
   * allows. Default: 10,000.
   */
  readonly sessionMs?: number | undefined
}

/** Options in which nothing is left open. */
export interface CheckedOptions {
  readonly url: string
  readonly token: BrokerOptions['token']
  readonly tls: BrokerTls | undefined
  readonly timeoutMs: number
  readonly sessionMs: number
}

/** @throws CONFIG_INVALID listing every mistake */
export function checkOptions(options: BrokerOptions | string): CheckedOptions {
  const given: unknown = typeof options === 'string' ? { url: options } : options
  if (typeof given !== 'object' || given === null) throw invalid([{ path: '', message: 'must be a url or an object' }])
  const { url, token, tls, timeoutMs = 30_000, sessionMs = 10_000, ...unknown } = given as BrokerOptions
  const mistakes: Issue[] = []
  if (!isAddress(url))
    mistakes.push({ path: 'url', message: 'must be like link://host:7420, links://host:7420 or link+unix:///path' })
  if (token !== undefined && typeof token !== 'string' && typeof token !== 'function')
    mistakes.push({ path: 'token', message: 'must be text, or a function that gives it' })
  const within = (path: string, value: unknown, [min, max]: readonly [number, number]) => {
    if (typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max) return
    mistakes.push({ path, message: `must be a whole number from ${min} to ${max}` })
  }
  within('timeoutMs', timeoutMs, [100, 600_000])
  within('sessionMs', sessionMs, [300, 600_000])
  mistakes.push(...tlsIssues(tls))
  if (tls !== undefined && isAddress(url) && !url.startsWith('links:'))
    mistakes.push({ path: 'tls', message: 'is for links:// alone' })
  for (const path of Object.keys(unknown)) mistakes.push({ path, message: 'is not an option of the broker engine' })
  if (mistakes.length > 0) throw invalid(mistakes)
  return { url, token, tls, timeoutMs, sessionMs }
}

function invalid(issues: readonly Issue[]): PosthasteError {
  const text = issues.map(({ path, message }) => `${path} ${message}`.trimStart()).join('; ')
  return new PosthasteError('CONFIG_INVALID', `broker(): ${text}`, { issues })
}

/** Users and passwords do not belong there: they end up in logs. */
function isAddress(url: unknown): url is string {
  if (typeof url !== 'string' || !URL.canParse(url) || !isDecodable(url)) return false
  const { protocol, hostname, pathname, username, password } = new URL(url)
  if (username !== '' || password !== '') return false
  return /^links?:$/.test(protocol) ? hostname !== '' : protocol === 'link+unix:' && pathname.length > 1
}
