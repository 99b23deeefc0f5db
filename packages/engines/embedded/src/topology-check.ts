import {
  type ChannelSpec,
  type GroupSpec,
  type Issue,
  PosthasteError,
  type Topology,
  type TopologyDrift,
} from '@posthaste/contracts'
import { capabilities } from './features.ts'

const channelName = /^[A-Za-z0-9._-]{1,240}$/
/** What a group may be called. */
export const groupName = /^[A-Za-z0-9._-]{1,64}$/

/**
 * Refuses a topology that contradicts itself.
 *
 * @param kindOf the kind of a channel that exists
 * @throws CONFIG_INVALID listing every mistake
 */
export function refuseMistakes(
  { channels, groups }: Topology,
  kindOf: (channel: string) => ChannelSpec['kind'] | undefined,
): void {
  const issues: Issue[] = []
  const add = (path: string, mistakes: Iterable<Mistake>): void => {
    for (const [setting, message] of mistakes) issues.push({ path: `${path}.${setting}`, message })
  }
  const wanted = new Map(channels.map(({ name, kind }) => [name, kind]))
  for (const [at, spec] of channels.entries()) add(`channels.${at}`, channelMistakes(spec))
  for (const [at, spec] of groups.entries())
    add(`groups.${at}`, groupMistakes(spec, kindOf(spec.channel) ?? wanted.get(spec.channel)))
  if (issues.length === 0) return
  const list = issues.map(({ path, message }) => `${path}: ${message}`).join('; ')
  throw new PosthasteError('CONFIG_INVALID', `topology: ${list}`, { issues })
}

/** A setting, and what is wrong with it. */
type Mistake = readonly [setting: string, message: string]

function* channelMistakes(spec: ChannelSpec): Generator<Mistake> {
  const { name, kind, keyed, retention, alongside, priorities = 1, deduplicateForMs } = spec
  const { priorityLevels, deduplicateForMsMax } = capabilities
  if (!channelName.test(name)) yield ['name', `${name} is not 1 to 240 of A-Z a-z 0-9 . _ -`]
  if (kind === 'queue' && retention !== undefined) yield ['retention', `${name} is a queue: records go when settled`]
  if (alongside !== undefined) yield ['alongside', `${name}: there are no key ranges here`]
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
  if (!groupName.test(group)) yield ['group', `${group} is not 1 to 64 of A-Z a-z 0-9 . _ -`]
  if (kind === undefined) yield ['channel', `${channel} of ${group} is not declared`]
  if (kind === 'queue' && lifetime === 'temporary') yield ['lifetime', `${channel} is a queue: its group stays`]
}

/** In which settings a channel is other than it is wanted. */
export function driftOf(found: ChannelSpec, wanted: ChannelSpec): TopologyDrift[] {
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
