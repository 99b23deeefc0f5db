import { PosthasteError } from '@posthaste/contracts'

/** What an engine is asked for with. */
export interface EngineWanted {
  readonly url: string
  /** Begins the names of everything on a server that others use, too. */
  readonly prefix?: string | undefined
  /** Proves to a broker who asks. */
  readonly token?: string | undefined
  /** PEM, and the name that the server's certificate must have. */
  readonly tls?: TlsWanted | undefined
  /** Whether a data directory that does not exist is to be made. */
  readonly mayCreate: boolean
}

/** What encrypts the way to a server. */
export interface TlsWanted {
  readonly ca?: string | undefined
  readonly cert?: string | undefined
  readonly key?: string | undefined
}

/** Who speaks to the server of a URL. */
export type EngineKind = 'embedded' | 'broker' | 'rabbitmq' | 'kafka' | 'nats' | 'redis'

const kinds: Readonly<Record<string, EngineKind>> = {
  'embedded:': 'embedded',
  'link:': 'broker',
  'links:': 'broker',
  'link+unix:': 'broker',
  'amqp:': 'rabbitmq',
  'amqps:': 'rabbitmq',
  'kafka:': 'kafka',
  'kafkas:': 'kafka',
  'nats:': 'nats',
  'tls:': 'nats',
  'redis:': 'redis',
  'rediss:': 'redis',
}

const examples =
  'embedded:./data, link://host:7420, links://host, amqp://host, kafka://host:9092, nats://host:4222 or redis://host:6379'

/**
 * Which engine a URL means. No message repeats the URL, since it may hold a password.
 * @throws INVALID_ARGUMENT when it is none, or an option is not of that engine
 */
export function kindOf({ url, prefix, token, tls }: EngineWanted): EngineKind {
  const protocol = /^[a-z][a-z+.-]*:/i.exec(url)?.[0].toLowerCase()
  const kind = protocol === undefined ? undefined : kinds[protocol]
  if (kind === undefined) {
    const what = protocol === undefined ? 'the engine is no URL' : `there is no engine for ${protocol}`
    throw new PosthasteError('INVALID_ARGUMENT', what, { remedy: `Give --engine a URL such as ${examples}.` })
  }
  const refuse = (option: string, message: string): never => {
    throw new PosthasteError('INVALID_ARGUMENT', `${option} ${message}`, { remedy: `Leave ${option} out.` })
  }
  if (prefix !== undefined && (kind === 'embedded' || kind === 'broker')) refuse('--prefix', `means nothing to ${kind}`)
  if (token !== undefined && kind !== 'broker') refuse('--token', 'is for link:// and links:// alone')
  if (tls !== undefined && kind === 'embedded') refuse('--tls-…', 'means nothing to embedded')
  return kind
}

/**
 * The directory of `embedded:./data`, `embedded:/var/data` and `embedded:///var/data`.
 * @throws INVALID_ARGUMENT when there is none
 */
export function directoryOf(url: string): string {
  const dir = url.slice('embedded:'.length).replace(/^\/\/(?=\/|\.)/, '')
  if (dir !== '' && !dir.startsWith('//')) return dir
  throw new PosthasteError('INVALID_ARGUMENT', 'embedded: names no directory', {
    remedy: 'Write embedded:./data or embedded:/var/lib/posthaste.',
  })
}
