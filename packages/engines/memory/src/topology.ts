import {
  channelDrift,
  checkTopology,
  lifetimeDrift,
  type Topology,
  type TopologyDrift,
  type TopologyReport,
} from '@posthaste/contracts'
import { capabilities } from './features.ts'
import type { State } from './store.ts'

/**
 * Makes channels and groups exist, and tells what exists with other settings.
 * @throws CONFIG_INVALID when the topology contradicts itself; nothing is made then
 */
export function declare({ channels, groups }: Topology, state: State): TopologyReport {
  checkTopology({ channels, groups }, { capabilities, kindOf: (name) => state.channels.get(name)?.spec.kind })
  const created: string[] = []
  const drift: TopologyDrift[] = []
  for (const wanted of channels) {
    const found = state.channels.get(wanted.name)?.spec
    if (found !== undefined) {
      drift.push(...channelDrift(found, wanted))
    } else {
      state.addChannel(wanted)
      created.push(wanted.name)
    }
  }
  for (const wanted of groups) {
    const { channel: name, group } = wanted
    const channel = state.channels.get(name)
    if (channel === undefined || drift.some((each) => each.name === name)) continue
    const found = channel.groups.get(group)
    const [other] = channel.groups.keys()
    if (found !== undefined) {
      drift.push(...lifetimeDrift(found.lifetime, wanted))
    } else if (channel.spec.kind === 'queue' && other !== undefined) {
      drift.push({ name, setting: 'group', wanted: group, found: other })
    } else {
      channel.addGroup(wanted)
      created.push(`${name}@${group}`)
    }
  }
  return { created, drift }
}
