import {
  type ChannelSpec,
  channelDrift,
  checkTopology,
  type EngineCapabilities,
  type GroupSpec,
  type Topology,
  type TopologyDrift,
  type TopologyReport,
} from '@posthaste/contracts'
import type { Run } from './session.ts'
import { Packer } from './wire.ts'

/** What declaring needs. */
export interface TopologyNeeds {
  readonly run: Run
  readonly capabilities: EngineCapabilities
  /** The session that temporary groups belong to. */
  readonly session: string
}

/** Settings of a channel, as the server keeps them; `false` for what it has not. */
export type Settings = readonly [
  kind: ChannelSpec['kind'],
  keyed: boolean,
  forMs: number | false,
  bytesMax: number | false,
  priorities: number,
  deduplicateForMs: number | false,
]

/**
 * Makes channels and groups exist, and tells what exists with other settings.
 * @throws CONFIG_INVALID when the topology contradicts itself; nothing is made then
 */
export async function declare(topology: Topology, needs: TopologyNeeds): Promise<TopologyReport> {
  const { channels, groups } = topology
  const known = await kinds(topology, needs.run)
  checkTopology(topology, { capabilities: needs.capabilities, kindOf: (name) => known.get(name) })
  const created: string[] = []
  const drift: TopologyDrift[] = []
  if (channels.length > 0) {
    const found = await declareChannels(channels, needs.run)
    for (const [at, wanted] of channels.entries()) {
      const spec = found[at]
      if (spec === undefined) created.push(wanted.name)
      else drift.push(...channelDrift(spec, wanted))
    }
  }
  const drifted = new Set(drift.map(({ name }) => name))
  const wanted = groups.filter(({ channel }) => !drifted.has(channel))
  for (const [at, outcome] of (await declareGroups(wanted, needs)).entries()) {
    const { channel, group, lifetime = 'durable' } = wanted[at] as GroupSpec
    if (outcome === 0) created.push(`${channel}@${group}`)
    else if (outcome !== 1) {
      const [setting, found] = outcome
      if (setting === 'lifetime') drift.push({ name: `${channel}@${group}`, setting, wanted: lifetime, found })
      else drift.push({ name: channel, setting, wanted: group, found })
    }
  }
  return { created, drift }
}

async function kinds({ channels, groups }: Topology, run: Run) {
  const names = [...new Set([...channels.map(({ name }) => name), ...groups.map(({ channel }) => channel)])]
  const packer = new Packer().array(1).array(names.length)
  for (const name of names) packer.text(name)
  const found = (await run('channels', packer.take())).value() as readonly (Settings | false)[]
  return new Map(names.map((name, at) => [name, (found[at] || undefined)?.[0]]))
}

/** @returns for each what there was; undefined where it was made */
async function declareChannels(channels: readonly ChannelSpec[], run: Run) {
  const packer = new Packer().array(1).array(channels.length)
  const numberOrNo = (value: number | undefined) => (value === undefined ? packer.no() : packer.number(value))
  for (const { name, kind, keyed, retention, priorities = 1, deduplicateForMs } of channels) {
    packer.array(2).text(name).array(6).text(kind).yesOrNo(keyed)
    numberOrNo(retention?.forMs)
    numberOrNo(retention?.bytesMax)
    numberOrNo(priorities)
    numberOrNo(deduplicateForMs)
  }
  const found = (await run('declareChannels', packer.take())).value() as readonly (Settings | 0)[]
  return found.map((settings, at) => (settings === 0 ? undefined : specOf(channels[at]?.name ?? '', settings)))
}

/** The channel that has these settings. */
export function specOf(name: string, settings: Settings): ChannelSpec {
  const [kind, keyed, forMs, bytesMax, priorities, deduplicateForMs] = settings
  const retention = { ...(forMs !== false && { forMs }), ...(bytesMax !== false && { bytesMax }) }
  return { name, kind, keyed, retention, priorities, deduplicateForMs: deduplicateForMs || undefined }
}

/** @returns for each 0 where it was made, 1 where it is there, or the setting that is other than wanted */
export async function declareGroups(
  groups: readonly GroupSpec[],
  { run, session }: Omit<TopologyNeeds, 'capabilities'>,
) {
  if (groups.length === 0) return []
  const packer = new Packer().array(2).text(session).array(groups.length)
  for (const { channel, group, from, lifetime = 'durable' } of groups) {
    packer.array(4).text(channel).text(group).text(from).text(lifetime)
  }
  return (await run('declareGroups', packer.take())).value() as readonly (0 | 1 | readonly [string, string])[]
}
