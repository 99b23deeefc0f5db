import type { EngineCapabilities } from './capabilities.ts'
import { type Issue, PosthasteError } from './error.ts'
import type { ChannelSpec, GroupSpec, Topology, TopologyDrift } from './topology.ts'

/*
 * What every engine refuses, and what it calls drift: the same settings mean the same on each, so this is here, once.
 */

const channelName = /^[A-Za-z0-9._-]{1,240}$/
const groupName = /^[A-Za-z0-9._-]{1,64}$/

/** What an engine is, and what it has. */
export interface TopologyCheck {
  readonly capabilities: EngineCapabilities
  /** The kind of a channel that exists. */
  readonly kindOf: (channel: string) => ChannelSpec['kind'] | undefined
}

/**
 * Refuses a topology that contradicts itself, or asks for more than the engine declares. For engines, in `declare`.
 *
 * @throws CONFIG_INVALID listing every mistake
 */
export function checkTopology({ channels, groups }: Topology, { capabilities, kindOf }: TopologyCheck): void {
  const issues: Issue[] = []
  const add = (path: string, mistakes: Iterable<Mistake>): void => {
    for (const [setting, message] of mistakes) issues.push({ path: `${path}.${setting}`, message })
  }
  const wanted = new Map(channels.map(({ name, kind }) => [name, kind]))
  for (const [at, spec] of channels.entries()) add(`channels.${at}`, channelMistakes(spec, capabilities))
  for (const [at, spec] of groups.entries())
    add(`groups.${at}`, groupMistakes(spec, kindOf(spec.channel) ?? wanted.get(spec.channel)))
  refuseAll('topology', issues)
}

/**
 * Refuses a pattern, or the name of a group over it, that is none. For engines, in `patterns`.
 *
 * @throws CONFIG_INVALID listing every mistake
 */
export function checkPattern({ pattern, group }: { readonly pattern: string; readonly group?: string }): void {
  const issues: Issue[] = []
  if (pattern.length > patternLengthMax || !patternSyntax.test(pattern)) {
    const rule = `dotted words, * for one of them, ** at the end for one or more, ${patternLengthMax} characters at most`
    issues.push({ path: 'pattern', message: `${pattern} is not ${rule}` })
  }
  if (group !== undefined && !groupName.test(group)) issues.push({ path: 'group', message: groupRule(group) })
  refuseAll('pattern group', issues)
}

const patternSyntax = /^(?:(?:\*|[A-Za-z0-9_-]+)\.)*(?:\*\*?|[A-Za-z0-9_-]+)$/
const patternLengthMax = 240

/**
 * Tells which channels are of a pattern: logs whose name matches. Internal channels are of none. Make one per pattern, not
 * per channel.
 */
export function patternMatcher(pattern: string): (channel: Pick<ChannelSpec, 'name' | 'kind'>) => boolean {
  const words = pattern.split('.').map((word) => (word === '**' ? '.+' : word === '*' ? '[^.]+' : word))
  const matcher = new RegExp(`^${words.join('\\.')}$`)
  return ({ kind, name }) => kind === 'log' && !name.startsWith('posthaste.') && matcher.test(name)
}

function refuseAll(what: string, issues: readonly Issue[]): void {
  if (issues.length === 0) return
  const list = issues.map(({ path, message }) => `${path}: ${message}`).join('; ')
  throw new PosthasteError('CONFIG_INVALID', `${what}: ${list}`, { issues })
}

/** A setting, and what is wrong with it. */
type Mistake = readonly [setting: string, message: string]

function* channelMistakes(spec: ChannelSpec, capabilities: EngineCapabilities): Generator<Mistake> {
  const { name, kind, keyed, retention, priorities = 1, deduplicateForMs } = spec
  const { priorityLevels, deduplicateForMsMax } = capabilities
  if (!channelName.test(name)) yield ['name', `${name} is not 1 to 240 of A-Z a-z 0-9 . _ -`]
  if (kind === 'queue' && retention !== undefined) yield ['retention', `${name} is a queue: records go when settled`]
  if (!isWithin(priorities, priorityLevels))
    yield ['priorities', `${name}: ${priorities} is not a whole number from 1 to ${priorityLevels}`]
  if (keyed && priorities > 1)
    yield ['priorities', `${name} is keyed: the order of a key and priorities exclude each other`]
  if (deduplicateForMs !== undefined && !isWithin(deduplicateForMs, deduplicateForMsMax))
    yield ['deduplicateForMs', `${name}: ${deduplicateForMs} is not a whole number from 1 to ${deduplicateForMsMax}`]
}

function isWithin(value: number, max: number): boolean {
  return Number.isInteger(value) && value >= 1 && value <= max
}

function* groupMistakes(
  { channel, group, lifetime }: GroupSpec,
  kind: ChannelSpec['kind'] | undefined,
): Generator<Mistake> {
  if (!groupName.test(group)) yield ['group', groupRule(group)]
  if (kind === undefined) yield ['channel', `${channel} of ${group} is not declared`]
  if (kind === 'queue' && lifetime === 'temporary') yield ['lifetime', `${channel} is a queue: its group stays`]
}

function groupRule(group: string): string {
  return `${group} is not 1 to 64 of A-Z a-z 0-9 . _ -`
}

/** In which settings a channel is other than it is wanted. */
export function channelDrift(found: ChannelSpec, wanted: ChannelSpec): TopologyDrift[] {
  const settings = (spec: ChannelSpec): Record<string, unknown> => ({
    kind: spec.kind,
    keyed: spec.keyed,
    'retention.forMs': spec.retention?.forMs,
    'retention.bytesMax': spec.retention?.bytesMax,
    priorities: spec.priorities ?? 1,
    deduplicateForMs: spec.deduplicateForMs,
  })
  const has = settings(found)
  return Object.entries(settings(wanted))
    .filter(([setting, value]) => has[setting] !== value)
    .map(([setting, value]) => ({
      name: wanted.name,
      setting,
      wanted: String(value ?? 'none'),
      found: String(has[setting] ?? 'none'),
    }))
}

/** Whether a group lives otherwise than it is wanted. */
export function lifetimeDrift(
  found: GroupSpec['lifetime'] = 'durable',
  { channel, group, lifetime: wanted = 'durable' }: GroupSpec,
): TopologyDrift[] {
  return found === wanted ? [] : [{ name: `${channel}@${group}`, setting: 'lifetime', wanted, found }]
}
