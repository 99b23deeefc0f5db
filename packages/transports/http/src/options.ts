import { type Issue, PosthasteError } from '@posthaste/contracts'

/** How the HTTP transport listens, and what it refuses. Every limit has a default; none can be switched off. */
export interface HttpOptions {
  /** TCP port, 0 to 65,535; 0 lets the system choose one. Default 8080. */
  readonly port?: number | undefined
  /**
   * Address to listen on. Default `127.0.0.1`, so that nothing is reachable from outside until somebody asks for it;
   * `0.0.0.0` or `::` listens everywhere. There is no TLS here: put a proxy that has it in front.
   */
  readonly host?: string | undefined
  /** Largest request body, in bytes; more is answered with 413. Default 1 MiB, at most 1 GiB. */
  readonly bodyBytesMax?: number | undefined
  /** Deepest nesting of a JSON body; more is answered with 400. Default 64. */
  readonly bodyDepthMax?: number | undefined
  /** Largest request line and headers together, in bytes; more is answered with 431. Default 16 KiB. */
  readonly headerBytesMax?: number | undefined
  /** Milliseconds a client may take to send the request line and the headers; then 408. Default 10,000. */
  readonly headersTimeoutMs?: number | undefined
  /** Milliseconds a client may take to send the whole request; then 408. Default 30,000. */
  readonly requestTimeoutMs?: number | undefined
  /** Milliseconds a client may leave an answer unread before its connection is dropped. Default 30,000. */
  readonly responseTimeoutMs?: number | undefined
  /** Milliseconds an idle connection is kept for the next request. Default 5,000; below that of any proxy in front. */
  readonly keepAliveTimeoutMs?: number | undefined
  /** Most connections at a time; more are closed at once. Default 10,000. */
  readonly connectionsMax?: number | undefined
  /** Most requests at a time; more are answered with 503. Default 10,000. */
  readonly requestsMax?: number | undefined
  /** Where `GET` tells how the application is: 200, or 503 while it fails or drains. Default `/health`; false for nowhere. */
  readonly healthPath?: string | false | undefined
}

/** The options with every default in place. */
export type HttpSettings = { readonly [K in keyof HttpOptions]-?: Exclude<HttpOptions[K], undefined> }

const defaults: HttpSettings = {
  port: 8080,
  host: '127.0.0.1',
  bodyBytesMax: 1_048_576,
  bodyDepthMax: 64,
  headerBytesMax: 16_384,
  headersTimeoutMs: 10_000,
  requestTimeoutMs: 30_000,
  responseTimeoutMs: 30_000,
  keepAliveTimeoutMs: 5_000,
  connectionsMax: 10_000,
  requestsMax: 10_000,
  healthPath: '/health',
}

const dayMs = 86_400_000

const bounds: Readonly<Record<string, readonly [min: number, max: number]>> = {
  port: [0, 65_535],
  bodyBytesMax: [1, 1_073_741_824],
  bodyDepthMax: [1, 1_000],
  headerBytesMax: [1_024, 1_048_576],
  headersTimeoutMs: [1, dayMs],
  requestTimeoutMs: [1, dayMs],
  responseTimeoutMs: [1, dayMs],
  keepAliveTimeoutMs: [1, dayMs],
  connectionsMax: [1, 1_000_000],
  requestsMax: [1, 1_000_000],
}

/**
 * Fills in the defaults.
 * @throws CONFIG_INVALID listing every wrong or unknown option
 */
export function settingsOf(options: HttpOptions): HttpSettings {
  const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined))
  const settings = { ...defaults, ...given } as HttpSettings
  const issues = [...mistakes(settings)]
  if (issues.length === 0) return settings
  const list = issues.map((issue) => `${issue.path}: ${issue.message}`).join('; ')
  throw new PosthasteError('CONFIG_INVALID', `http options: ${list}`, { issues })
}

function* mistakes(settings: HttpSettings): Generator<Issue> {
  for (const [path, value] of Object.entries(settings)) {
    const message = mistakeIn(path, value)
    if (message !== undefined) yield { path, message }
  }
  // Node enforces the longer of the two, so that the shorter would silently mean nothing.
  if (settings.headersTimeoutMs > settings.requestTimeoutMs) {
    yield { path: 'headersTimeoutMs', message: `must not exceed requestTimeoutMs (${settings.requestTimeoutMs})` }
  }
}

function mistakeIn(name: string, value: unknown): string | undefined {
  const bound = bounds[name]
  if (bound !== undefined) {
    const [min, max] = bound
    if (Number.isInteger(value) && (value as number) >= min && (value as number) <= max) return undefined
    return `must be a whole number from ${min} to ${max}, not ${String(value)}`
  }
  if (name === 'host')
    return typeof value === 'string' && value !== '' ? undefined : 'must be an address or a host name'
  if (name === 'healthPath') {
    return value === false || (typeof value === 'string' && /^\/[\w./-]*$/.test(value))
      ? undefined
      : `must be a path such as '/health', or false, not ${String(value)}`
  }
  return `is not an option; there are ${Object.keys(defaults).join(', ')}`
}
