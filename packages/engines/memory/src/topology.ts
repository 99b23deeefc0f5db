import {
  type ChannelSpec,
  type GroupSpec,
  type Issue,
  PosthasteError,
  type Topology,
  type TopologyDrift,
  type TopologyReport,
} from '@posthaste/contracts'
import { capabilities } from './features.ts'
import type { Group } from './group.ts'
import { channelName, groupName } from './names.ts'
import type { State } from './store.ts'

/**
 * Makes channels and groups exist, and tells what exists with other settings.
 * @throws CONFIG_INVALID when the topology contradicts itself; nothing is made then
 */
export function declare({ channels, groups }: Topology, state: State): TopologyReport {
  refuseContradictions({ channels, groups }, state)
  const created: string[] = []
  const drift: TopologyDrift[] = []
  for (const wanted of channels) {
    const found = state.channels.get(wanted.name)?.spec
    if (found !== undefined) {
      drift.push(...differences(wanted, found))
    } else {
      state.addChannel(wanted)
      created.push(wanted.name)
    }
  }
  for (const wanted of groups) {
    const { channel: name, group, lifetime = 'durable' } = wanted
    const channel = state.channels.get(name)
    if (channel === undefined || drift.some((each) => each.name === name)) continue
    const found = channel.groups.get(group)
    const [other] = channel.groups.keys()
    if (found !== undefined) {
      if (found.lifetime !== lifetime) drift.push(lifetimeDrift(wanted, found))
    } else if (channel.spec.kind === 'queue' && other !== undefined) {
      drift.push({ name, setting: 'group', wanted: group, found: other })
    } else {
      channel.addGroup(wanted)
      created.push(`${name}@${group}`)
    }
  }
  return { created, drift }
}

function refuseContradictions({ channels, groups }: Topology, state: State): void {
  const issues: Issue[] = []
  const kinds = new Map([...state.channels.values()].map(({ spec }) => [spec.name, spec.kind]))
  for (const { name, kind } of channels) if (!kinds.has(name)) kinds.set(name, kind)
  for (const [at, spec] of channels.entries()) {
    for (const [setting, message] of channelMistakes(spec)) issues.push({ path: `channels.${at}.${setting}`, message })
  }
  for (const [at, spec] of groups.entries()) {
    const mistakes = groupMistakes(spec, kinds.get(spec.channel))
    for (const [setting, message] of mistakes) issues.push({ path: `groups.${at}.${setting}`, message })
  }
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
  if (!isWithin(priorities, priorityLevels)) {
    yield ['priorities', `${name}: ${priorities} is not a whole number from 1 to ${priorityLevels}`]
  } else if (keyed && priorities > 1) {
    yield ['priorities', `${name} is keyed: the order of a key and priorities exclude each other`]
  }
  if (deduplicateForMs !== undefined && !isWithin(deduplicateForMs, deduplicateForMsMax)) {
    yield ['deduplicateForMs', `${name}: ${deduplicateForMs} is not a whole number from 1 to ${deduplicateForMsMax}`]
  }
}

const isWithin = (value: number, max: number) => Number.isInteger(value) && value >= 1 && value <= max

function* groupMistakes(
  { channel, group, lifetime }: GroupSpec,
  kind: ChannelSpec['kind'] | undefined,
): Generator<Mistake> {
  if (!groupName.test(group)) yield ['group', `${group} is not 1 to 64 of A-Z a-z 0-9 . _ -`]
  if (kind === undefined) yield ['channel', `${channel} of ${group} is not declared`]
  if (kind === 'queue' && lifetime === 'temporary') yield ['lifetime', `${channel} is a queue: its group stays`]
}

function lifetimeDrift({ channel, group, lifetime = 'durable' }: GroupSpec, found: Group): TopologyDrift {
  return { name: `${channel}@${group}`, setting: 'lifetime', wanted: lifetime, found: found.lifetime }
}

function* differences(wanted: ChannelSpec, found: ChannelSpec): Generator<TopologyDrift> {
  const settings = (spec: ChannelSpec) => ({
    kind: spec.kind,
    keyed: String(spec.keyed),
    'retention.forMs': String(spec.retention?.forMs ?? 'none'),
    'retention.bytesMax': String(spec.retention?.bytesMax ?? 'none'),
    priorities: String(spec.priorities ?? 1),
    deduplicateForMs: String(spec.deduplicateForMs ?? 'none'),
  })
  const existing: Readonly<Record<string, string>> = settings(found)
  for (const [setting, value] of Object.entries(settings(wanted))) {
    const other = existing[setting]
    if (other !== undefined && other !== value) yield { name: wanted.name, setting, wanted: value, found: other }
  }
}
