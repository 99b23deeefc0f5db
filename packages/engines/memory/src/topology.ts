import {
  type ChannelSpec,
  type Issue,
  PosthasteError,
  type Topology,
  type TopologyDrift,
  type TopologyReport,
} from '@posthaste/contracts'
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
  for (const { channel: name, group, from } of groups) {
    const channel = state.channels.get(name)
    if (channel === undefined || channel.groups.has(group) || drift.some((each) => each.name === name)) continue
    const [other] = channel.groups.keys()
    if (channel.spec.kind === 'queue' && other !== undefined) {
      drift.push({ name, setting: 'group', wanted: group, found: other })
    } else {
      channel.addGroup(group, from)
      created.push(`${name}@${group}`)
    }
  }
  return { created, drift }
}

const channelName = /^[A-Za-z0-9._-]{1,240}$/
const groupName = /^[A-Za-z0-9._-]{1,64}$/

function refuseContradictions({ channels, groups }: Topology, state: State): void {
  const issues: Issue[] = []
  const names = new Set([...state.channels.keys(), ...channels.map(({ name }) => name)])
  for (const [at, { name, kind, retention, alongside }] of channels.entries()) {
    const refuse = (setting: string, message: string) => issues.push({ path: `channels.${at}.${setting}`, message })
    if (!channelName.test(name)) refuse('name', `${name} is not 1 to 240 of A-Z a-z 0-9 . _ -`)
    if (kind === 'queue' && retention !== undefined) refuse('retention', `${name} is a queue: records go when settled`)
    if (alongside !== undefined) refuse('alongside', `${name}: there are no key ranges here`)
  }
  for (const [at, { channel, group }] of groups.entries()) {
    const refuse = (setting: string, message: string) => issues.push({ path: `groups.${at}.${setting}`, message })
    if (!groupName.test(group)) refuse('group', `${group} is not 1 to 64 of A-Z a-z 0-9 . _ -`)
    if (!names.has(channel)) refuse('channel', `${channel} of ${group} is not declared`)
  }
  if (issues.length === 0) return
  const list = issues.map(({ path, message }) => `${path}: ${message}`).join('; ')
  throw new PosthasteError('CONFIG_INVALID', `topology: ${list}`, { issues })
}

function* differences(wanted: ChannelSpec, found: ChannelSpec): Generator<TopologyDrift> {
  const settings = (spec: ChannelSpec) => ({
    kind: spec.kind,
    keyed: String(spec.keyed),
    'retention.forMs': String(spec.retention?.forMs ?? 'none'),
    'retention.bytesMax': String(spec.retention?.bytesMax ?? 'none'),
  })
  const existing: Readonly<Record<string, string>> = settings(found)
  for (const [setting, value] of Object.entries(settings(wanted))) {
    const other = existing[setting]
    if (other !== undefined && other !== value) yield { name: wanted.name, setting, wanted: value, found: other }
  }
}
