import { createSecureContext } from 'node:tls'
import { type Issue, tlsIssues } from '@posthaste/contracts'
import { addressOf, type LinkAddress } from '../connection/address.ts'
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
import type { DialOptions, DialTls } from '../connection/options.ts'

/** What a dialer goes by. */
export interface DialSettings {
  readonly address: LinkAddress
  readonly limits: LimitSettings
  readonly tls: DialTls | undefined
  readonly token: DialOptions['token']
  readonly compression: boolean
  readonly waitingMax: number
  readonly handoverMs: number
  readonly backoffMs: number
  readonly backoffMsMax: number
  readonly agent: string
}

const hourMs = 3_600_000
const backoffMsDefault = 50
const backoffMsMaxDefault = 5_000
const ownNames = [
  'url',
  'tls',
  'token',
  'compression',
  'waitingMax',
  'handoverMs',
  'backoffMs',
  'backoffMsMax',
  'agent',
]

/** Lists what is wrong with the options of a dialer, unknown ones included; nothing where `dial` takes them. */
export function dialIssues(options: DialOptions): readonly Issue[] {
  const address = addressOf(options.url)
  const issues: Issue[] = [...unknownOptions(options, [...ownNames, ...limitNames]), ...limitIssues(options)]
  if (typeof address === 'string') issues.push({ path: 'url', message: address })
  const tlsMistakes = tlsIssues(options.tls)
  issues.push(...(tlsMistakes.length > 0 ? tlsMistakes : pemIssues(options.tls)), ...ownIssues(options))
  if (typeof address !== 'string' && address.kind !== 'tls' && options.tls !== undefined) {
    issues.push({ path: 'tls', message: 'needs a url that begins with links://' })
  }
  return issues
}

/**
 * Checks the options of a dialer, and fills in the defaults.
 * @throws CONFIG_INVALID listing every wrong or unknown option
 */
export function dialSettings(options: DialOptions): DialSettings {
  refuseMistakes('dial', dialIssues(options))
  return {
    address: addressOf(options.url) as LinkAddress,
    limits: limitsOf(options),
    tls: options.tls,
    token: options.token,
    compression: options.compression ?? true,
    waitingMax: options.waitingMax ?? 10_000,
    handoverMs: options.handoverMs ?? 5_000,
    backoffMs: options.backoffMs ?? backoffMsDefault,
    backoffMsMax: options.backoffMsMax ?? backoffMsMaxDefault,
    agent: options.agent ?? 'posthaste',
  }
}

/** What cannot be read would fail each attempt to connect. */
function pemIssues(tls: DialTls | undefined): readonly Issue[] {
  if (tls === undefined) return []
  const { ca, cert, key } = tls
  try {
    createSecureContext({ ca, cert, key })
    return []
  } catch (thrown) {
    return [{ path: 'tls', message: (thrown as Error).message }]
  }
}

function* ownIssues(options: DialOptions): Generator<Issue> {
  const numbers = [
    ['waitingMax', 0, 1_000_000],
    ['handoverMs', 0, hourMs],
    ['backoffMs', 1, hourMs],
    ['backoffMsMax', 1, hourMs],
  ] as const
  for (const [path, least, most] of numbers) {
    const message = numberMistake(options[path], least, most)
    if (message !== undefined) yield { path, message }
  }
  const { backoffMs, backoffMsMax, token, compression, agent } = options
  if ((backoffMs ?? backoffMsDefault) > (backoffMsMax ?? backoffMsMaxDefault)) {
    yield { path: 'backoffMsMax', message: 'must be at least backoffMs' }
  }
  if (token !== undefined && typeof token !== 'function' && (typeof token !== 'string' || token === '')) {
    yield { path: 'token', message: 'must be text, or a function that returns it' }
  }
  if (compression !== undefined && typeof compression !== 'boolean') {
    yield { path: 'compression', message: 'must be true or false' }
  }
  if (agent !== undefined && !isAgent(agent)) yield { path: 'agent', message: 'must be text of 1 to 255 characters' }
}
