import { dirname, resolve } from 'node:path'
import { PosthasteError } from '@posthaste/contracts'
import type { BrokerConfig, HealthConfig, TlsConfig } from './config.ts'
import { defaults, limitBounds, limitDefaults, perConnection } from './defaults.ts'
import { Fields } from './fields.ts'
import { openness } from './openness.ts'
import { usersOf } from './users.ts'

type Environment = Readonly<Record<string, string | undefined>>

/**
 * The configuration that a file and the environment say together; the environment has the last word. Its names are
 * `POSTHASTE_BROKER_` and those of the file in capitals: `POSTHASTE_BROKER_DATA_DIR`, `…_LISTEN` (several with commas),
 * `…_TLS_CERT_FILE`, `…_HEALTH_PORT`.
 * Paths come out absolute: those of the file are relative to where it stands, those of the environment to the working directory.
 * @param text JSON of the configuration file; undefined where there is none
 * @param file where the text was read; without it, its paths are relative to the working directory, too
 * @throws CONFIG_INVALID listing every mistake, with what to do about it
 */
export function configOf(text: string | undefined, environment: Environment, file?: string): BrokerConfig {
  const root = Fields.root(merged(located(parsed(text), file === undefined ? '' : dirname(file)), environment))
  const dataDir = root.needed('dataDir')
  const config: BrokerConfig = {
    dataDir,
    snapshotsDir: root.text('snapshotsDir') ?? `${dataDir}.snapshots`,
    listen: root.texts('listen') ?? defaults.listen,
    tls: tlsOf(root.object('tls')),
    users: usersOf(root.objects('users')),
    insecure: root.flag('insecure') ?? defaults.insecure,
    limits: limitsOf(root.object('limits')),
    health: healthOf(root),
    drainMs: root.whole('drainMs', [0, 600_000]) ?? defaults.drainMs,
  }
  root.nothingElse()
  for (const { path, message } of openness(config)) root.mistake(path, message)
  refuse(root)
  return config
}

function refuse(root: Fields): void {
  const { mistakes: issues } = root
  if (issues.length === 0) return
  const list = issues.map(({ path, message }) => `${path}: ${message}`).join('; ')
  throw new PosthasteError('CONFIG_INVALID', `broker configuration: ${list}`, { issues })
}

function parsed(text: string | undefined): Record<string, unknown> {
  if (text === undefined) return {}
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (cause) {
    throw new PosthasteError('CONFIG_INVALID', `broker configuration: it is no JSON: ${(cause as Error).message}`)
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>
  throw new PosthasteError('CONFIG_INVALID', 'broker configuration: it must be a JSON object')
}

/** Has the paths of a file begin where it stands. What is no text is found to be wrong with the rest. */
function located(given: Record<string, unknown>, dir: string): Record<string, unknown> {
  const at = (value: unknown): unknown => (typeof value === 'string' && value !== '' ? resolve(dir, value) : value)
  const within = (fields: Record<string, unknown>, names: readonly string[]): Record<string, unknown> =>
    Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, names.includes(name) ? at(value) : value]))
  const { tls } = given
  const all = within(given, ['dataDir', 'snapshotsDir'])
  if (typeof tls !== 'object' || tls === null || Array.isArray(tls)) return all
  return { ...all, tls: within(tls as Record<string, unknown>, ['certFile', 'keyFile', 'caFile']) }
}

const prefix = 'POSTHASTE_BROKER_'

type Kind = 'text' | 'path' | 'list' | 'number' | 'flag'

/** Where each variable goes, and what its text stands for. */
const variables: Readonly<Record<string, readonly [path: string, as: Kind]>> = {
  DATA_DIR: ['dataDir', 'path'],
  SNAPSHOTS_DIR: ['snapshotsDir', 'path'],
  LISTEN: ['listen', 'list'],
  INSECURE: ['insecure', 'flag'],
  DRAIN_MS: ['drainMs', 'number'],
  TLS_CERT_FILE: ['tls.certFile', 'path'],
  TLS_KEY_FILE: ['tls.keyFile', 'path'],
  TLS_CA_FILE: ['tls.caFile', 'path'],
  TLS_CLIENTS: ['tls.clients', 'text'],
  HEALTH_HOST: ['health.host', 'text'],
  HEALTH_PORT: ['health.port', 'number'],
  LIMITS_CONNECTIONS_MAX: ['limits.connectionsMax', 'number'],
  LIMITS_CHANNELS_MAX: ['limits.channelsMax', 'number'],
  LIMITS_GROUPS_MAX: ['limits.groupsMax', 'number'],
  LIMITS_TEMPORARY_GROUPS_MAX: ['limits.temporaryGroupsMax', 'number'],
  LIMITS_SESSIONS_MAX: ['limits.sessionsMax', 'number'],
  LIMITS_SUBSCRIPTIONS_MAX: ['limits.subscriptionsMax', 'number'],
  LIMITS_BYTES_IN_FLIGHT_MAX: ['limits.bytesInFlightMax', 'number'],
  LIMITS_BYTES_IN_HAND_MAX: ['limits.bytesInHandMax', 'number'],
  LIMITS_BODY_BYTES_MAX: ['limits.bodyBytesMax', 'number'],
  LIMITS_SESSION_MS_MAX: ['limits.sessionMsMax', 'number'],
}

/** Of the same prefix, and for others: clients, and whoever reads the file. */
const foreign: readonly string[] = ['CONFIG', 'URL', 'TOKEN']

/** What a variable stands for; text that is none of its kind stays text, and is found to be wrong with the rest. */
function valueFrom(text: string, as: Kind): unknown {
  if (as === 'path') return resolve(text)
  if (as === 'list') return text.split(',').map((each) => each.trim())
  if (as === 'number') return /^\d+$/.test(text) ? Number(text) : text
  if (as === 'flag') return text === 'true' ? true : text === 'false' ? false : text
  return text
}

function merged(file: Record<string, unknown>, environment: Environment): Record<string, unknown> {
  const all: Record<string, unknown> = { ...file }
  for (const [name, text] of Object.entries(environment)) {
    if (text === undefined || text === '' || !name.startsWith(prefix)) continue
    const own = name.slice(prefix.length)
    if (foreign.includes(own)) continue
    const found = variables[own]
    if (found === undefined) {
      all[name] = text
      continue
    }
    const [path, as] = found
    const [first = '', second] = path.split('.')
    if (second === undefined) all[first] = valueFrom(text, as)
    else {
      const before = all[first]
      const inner = typeof before === 'object' && before !== null ? before : {}
      all[first] = { ...inner, [second]: valueFrom(text, as) }
    }
  }
  return all
}

function tlsOf(fields: Fields | undefined): TlsConfig | undefined {
  if (fields === undefined) return undefined
  const caFile = fields.text('caFile')
  const tls: TlsConfig = {
    certFile: fields.needed('certFile'),
    keyFile: fields.needed('keyFile'),
    caFile,
    clients: fields.choice('clients', ['none', 'accepted', 'required']) ?? (caFile === undefined ? 'none' : 'required'),
  }
  if (tls.clients !== 'none' && caFile === undefined)
    fields.mistake('caFile', 'is needed to verify the certificates of clients')
  fields.nothingElse()
  return tls
}

/** What is asked for nothing of its own grows with the connections. */
const { sessionsMax: _, subscriptionsMax: __, ...fixed } = limitDefaults

function limitsOf(fields: Fields | undefined): BrokerConfig['limits'] {
  const limits: Record<string, number> = { ...fixed }
  for (const [name, bounds] of Object.entries(limitBounds)) {
    const value = fields?.whole(name, bounds)
    if (value !== undefined) limits[name] = value
  }
  fields?.nothingElse()
  return { ...perConnection(limits.connectionsMax ?? 0), ...limits } as unknown as BrokerConfig['limits']
}

/** `false` for none. */
function healthOf(root: Fields): HealthConfig | undefined {
  if (root.isFalse('health')) return undefined
  const fields = root.object('health')
  if (fields === undefined) return defaults.health
  const health = {
    host: fields.text('host') ?? '127.0.0.1',
    port: fields.whole('port', [0, 65_535]) ?? 7421,
  }
  fields.nothingElse()
  return health
}
