import { type Issue, PosthasteError } from '@posthaste/contracts'
import type { LinkLimits } from './options.ts'

/** The limits with every default in place. */
export type LimitSettings = { readonly [K in keyof LinkLimits]-?: Exclude<LinkLimits[K], undefined> }

const kib = 1024
const mib = 1024 * kib
const gib = 1024 * mib

/** What holds where nobody says otherwise. */
export const limitDefaults: LimitSettings = {
  // With room for a message of 64 KiB and what goes with it.
  frameBytesMax: 128 * kib,
  messageBytesMax: 16 * mib,
  metadataBytesMax: 16 * kib,
  streamWindow: 256 * kib,
  connectionWindow: 4 * mib,
  unfinishedBytesMax: 64 * mib,
  unconsumedBytesMax: 16 * mib,
  unsentBytesMax: 64 * mib,
  keepaliveMs: 10_000,
  keepaliveTimeoutMs: 5_000,
  handshakeMs: 5_000,
  stallMs: 30_000,
  streamsMax: 4_096,
  connectionsMax: 10_000,
  handshakesMax: 256,
  cancelsMax: 1_000,
  pingsMax: 100,
}

const hourMs = 3_600_000

const limitBounds: Readonly<Record<keyof LinkLimits, readonly [least: number, most: number]>> = {
  frameBytesMax: [16 * kib, 16 * mib - 1],
  messageBytesMax: [kib, gib],
  metadataBytesMax: [kib, 64 * kib],
  streamWindow: [16 * kib, gib],
  connectionWindow: [16 * kib, gib],
  unfinishedBytesMax: [kib, 4 * gib],
  unconsumedBytesMax: [64 * kib, 4 * gib],
  unsentBytesMax: [64 * kib, 4 * gib],
  keepaliveMs: [100, hourMs],
  keepaliveTimeoutMs: [100, hourMs],
  handshakeMs: [100, 600_000],
  stallMs: [100, hourMs],
  streamsMax: [1, 1_000_000],
  connectionsMax: [1, 1_000_000],
  handshakesMax: [1, 1_000_000],
  cancelsMax: [1, 1_000_000],
  pingsMax: [1, 1_000_000],
}

/** Names of all limits. */
export const limitNames = Object.keys(limitBounds) as readonly (keyof LinkLimits)[]

/** The limits among some options, with the defaults where one is absent. */
export function limitsOf(options: LinkLimits): LimitSettings {
  const limits: Record<string, number> = { ...limitDefaults }
  for (const name of limitNames) limits[name] = options[name] ?? limitDefaults[name]
  return limits as unknown as LimitSettings
}

/** Lists what is wrong with the limits among some options, each by itself and against the others. */
export function limitIssues(options: LinkLimits): readonly Issue[] {
  const issues: Issue[] = []
  for (const name of limitNames) {
    const [least, most] = limitBounds[name]
    const message = numberMistake(options[name], least, most)
    if (message !== undefined) issues.push({ path: name, message })
  }
  return issues.length > 0 ? issues : relationIssues(limitsOf(options))
}

/** Says what is wrong with a whole number that may be absent. */
export function numberMistake(value: unknown, least: number, most: number): string | undefined {
  if (value === undefined) return undefined
  if (Number.isInteger(value) && (value as number) >= least && (value as number) <= most) return undefined
  return `must be a whole number from ${least} to ${most}`
}

function relationIssues(limits: LimitSettings): readonly Issue[] {
  const issues: Issue[] = []
  const atLeast = (name: keyof LimitSettings, other: keyof LimitSettings): void => {
    if (limits[name] < limits[other]) issues.push({ path: name, message: `must be at least ${other}` })
  }
  atLeast('frameBytesMax', 'metadataBytesMax')
  atLeast('connectionWindow', 'streamWindow')
  atLeast('unfinishedBytesMax', 'messageBytesMax')
  atLeast('unsentBytesMax', 'messageBytesMax')
  return issues
}

/**
 * Reports mistakes, all at once.
 * @throws CONFIG_INVALID where there are any
 */
export function refuseMistakes(what: string, issues: readonly Issue[]): void {
  if (issues.length === 0) return
  const list = issues.map(({ path, message }) => `${path}: ${message}`).join('; ')
  throw new PosthasteError('CONFIG_INVALID', `${what}: ${list}`, { issues })
}

/** Lists the options that do not exist. */
export function unknownOptions(options: object, known: readonly string[]): readonly Issue[] {
  const names = Object.entries(options).filter(([name, value]) => value !== undefined && !known.includes(name))
  return names.map(([path]) => ({ path, message: 'is not an option' }))
}

/** Whether something can name a program to the other side. */
export function isAgent(agent: unknown): boolean {
  return typeof agent === 'string' && agent.length > 0 && agent.length <= 255
}
