import type { Issue } from '@posthaste/contracts'
import { addressOf, type LinkAddress, pathMistake } from '../connection/address.ts'
import {
  isAgent,
  type LimitSettings,
  limitIssues,
  limitNames,
  limitsOf,
  numberMistake,
  refuseMistakes,
  unknownOptions,
} from '../connection/limits.ts'
import type { ListenOptions, ListenTls } from '../connection/options.ts'
import { portDefault } from '../wire/constants.ts'

/** What a listener goes by. */
export interface ListenSettings {
  readonly address: LinkAddress
  readonly mode: number
  readonly limits: LimitSettings
  readonly tls: ListenTls | undefined
  readonly codecs: readonly string[]
  /** undefined where nothing is to be compressed. */
  readonly compressAboveBytes: number | undefined
  readonly authenticate: ListenOptions['authenticate']
  readonly agent: string
}

const ownNames = ['url', 'host', 'port', 'path', 'mode', 'tls', 'codecs', 'compression', 'authenticate', 'agent']
const tlsNames = ['key', 'cert', 'ca', 'clientCertificate']
const codecsLengthMax = 8_192
const compressAboveDefault = 1_024

/** Lists what is wrong with the options of a listener, unknown ones included; nothing where `listen` takes them. */
export function listenIssues(options: ListenOptions): readonly Issue[] {
  const address = placeOf(options)
  const issues: Issue[] = [...unknownOptions(options, [...ownNames, ...limitNames]), ...limitIssues(options)]
  if (typeof address === 'string') issues.push({ path: placePath(options), message: address })
  issues.push(...ownIssues(options), ...tlsMistakes(options.tls))
  if (typeof address !== 'string') issues.push(...fitIssues(options, address))
  return issues
}

/**
 * Checks the options of a listener, and fills in the defaults.
 * @throws CONFIG_INVALID listing every wrong or unknown option
 */
export function listenSettings(options: ListenOptions): ListenSettings {
  refuseMistakes('listen', listenIssues(options))
  return {
    address: placeOf(options) as LinkAddress,
    mode: options.mode ?? 0o600,
    limits: limitsOf(options),
    tls: options.tls,
    codecs: options.codecs,
    compressAboveBytes: compressAbove(options.compression),
    authenticate: options.authenticate,
    agent: options.agent ?? 'posthaste',
  }
}

function placePath({ url, path }: ListenOptions): string {
  if (url !== undefined) return 'url'
  return path === undefined ? 'host' : 'path'
}

/** Where to listen, or what is wrong with that. */
function placeOf({ url, host, port, path, tls }: ListenOptions): LinkAddress | string {
  if (url !== undefined) return addressOf(url)
  if (path !== undefined) return pathMistake(path) ?? { kind: 'unix', path }
  if (host !== undefined && (typeof host !== 'string' || host === '')) return 'must be a name or an address'
  return { kind: tls === undefined ? 'tcp' : 'tls', host: host ?? '127.0.0.1', port: port ?? portDefault }
}

function* fitIssues({ url, host, port, path, mode, tls }: ListenOptions, address: LinkAddress): Generator<Issue> {
  const places = [url, path, host ?? port].filter((place) => place !== undefined)
  if (places.length > 1) yield { path: 'url', message: 'says where to listen, and so do path, host or port: give one' }
  if (mode !== undefined && address.kind !== 'unix') yield { path: 'mode', message: 'is for Unix sockets' }
  if (address.kind === 'tls' && tls === undefined) yield { path: 'tls', message: 'is needed for links://' }
  if (address.kind !== 'tls' && tls !== undefined) yield { path: 'tls', message: `has no effect on ${address.kind}` }
}

function* ownIssues(options: ListenOptions): Generator<Issue> {
  const { codecs, compression, authenticate, agent } = options
  const portMessage = numberMistake(options.port, 0, 65_535)
  if (portMessage !== undefined) yield { path: 'port', message: portMessage }
  const modeMessage = numberMistake(options.mode, 0, 0o777)
  if (modeMessage !== undefined) yield { path: 'mode', message: modeMessage }
  if (!isCodecs(codecs))
    yield {
      path: 'codecs',
      message: `must list 1 to 255 different content types, of ${codecsLengthMax} characters together`,
    }
  yield* compressionIssues(compression)
  if (authenticate !== undefined && typeof authenticate !== 'function') {
    yield { path: 'authenticate', message: 'must be a function' }
  }
  if (agent !== undefined && !isAgent(agent)) yield { path: 'agent', message: 'must be text of 1 to 255 characters' }
}

function isCodecs(codecs: unknown): boolean {
  if (!Array.isArray(codecs) || codecs.length === 0 || codecs.length > 255) return false
  if (new Set(codecs).size !== codecs.length) return false
  // All of them have to fit in HELLO.
  if (JSON.stringify(codecs).length > codecsLengthMax) return false
  return codecs.every((codec) => typeof codec === 'string' && codec.length > 0 && codec.length <= 255)
}

function* compressionIssues(compression: unknown): Generator<Issue> {
  if (compression === undefined || typeof compression === 'boolean') return
  if (typeof compression !== 'object' || compression === null) {
    yield { path: 'compression', message: 'must be true, false or { aboveBytes }' }
    return
  }
  for (const { path, message } of unknownOptions(compression, ['aboveBytes'])) {
    yield { path: `compression.${path}`, message }
  }
  const { aboveBytes } = compression as { readonly aboveBytes?: unknown }
  const message = numberMistake(aboveBytes, 0, 2 ** 31 - 1)
  if (message !== undefined) yield { path: 'compression.aboveBytes', message }
}

function compressAbove(compression: ListenOptions['compression']): number | undefined {
  if (compression === undefined || compression === false) return undefined
  return compression === true ? compressAboveDefault : (compression.aboveBytes ?? compressAboveDefault)
}

function* tlsMistakes(tls: unknown): Generator<Issue> {
  if (tls === undefined) return
  if (typeof tls !== 'object' || tls === null) {
    yield { path: 'tls', message: 'must be an object' }
    return
  }
  for (const { path, message } of unknownOptions(tls, tlsNames)) yield { path: `tls.${path}`, message }
  const { key, cert, ca, clientCertificate } = tls as Readonly<Record<string, unknown>>
  for (const [name, value] of Object.entries({ key, cert })) {
    if (typeof value !== 'string' || value === '') yield { path: `tls.${name}`, message: 'must be PEM text' }
  }
  if (ca !== undefined && typeof ca !== 'string') yield { path: 'tls.ca', message: 'must be PEM text' }
  if (clientCertificate === undefined) return
  if (!['none', 'optional', 'required'].includes(clientCertificate as string)) {
    yield { path: 'tls.clientCertificate', message: 'must be none, optional or required' }
  } else if (clientCertificate !== 'none' && ca === undefined) {
    yield { path: 'tls.ca', message: 'is needed to tell whose certificates are good' }
  }
}
