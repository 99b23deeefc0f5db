import {
  type ChannelSpec,
  channelDrift,
  checkTopology,
  type EngineCapabilities,
  type GroupSpec,
  lifetimeDrift,
  type Topology,
  type TopologyDrift,
  type TopologyReport,
} from '@posthaste/contracts'
import { createTopics, type NewTopic, setSessionTimeout } from './admin.ts'
import type { Cluster } from './cluster.ts'
import { delayBuckets } from './delay-buckets.ts'
import { hasCode, mapped } from './errors.ts'
import { recordBytesBeside } from './features.ts'
import type { Names } from './names.ts'
import { notePartitions } from './notes.ts'
import { fromOutside, partitionPosition, readPositions, writePositions } from './positions.ts'
import type { Producer } from './producer.ts'
import { channelLine, groupLine, type Registry, type RegistryLine, registeredGroup } from './registry.ts'
import { offsetsOf } from './scan.ts'

/** What declaring works with. */
export interface TopologyPlace {
  readonly cluster: Cluster
  readonly names: Names
  readonly registry: Registry
  readonly producer: Producer
  readonly capabilities: EngineCapabilities
  /** Names the engine, for the groups that go with it. */
  readonly token: string
  /** The number of partitions that was asked for; undefined where any is fine. */
  readonly keyRangesWanted: number | undefined
}

/**
 * Makes channels and groups exist, and tells what exists with other settings.
 * @throws CONFIG_INVALID when the topology contradicts itself or a name is no topic's; nothing is made then
 */
export async function declare(topology: Topology, place: TopologyPlace): Promise<TopologyReport> {
  const { registry, capabilities, names, cluster } = place
  await registry.refresh()
  checkTopology(topology, { capabilities, kindOf: (name) => registry.channel(name)?.spec.kind })
  for (const { name } of topology.channels) names.check(name)
  const found = new Set(registry.channels.keys())
  const made = await makeTopics(topology.channels, place)
  const drift: TopologyDrift[] = []
  for (const wanted of topology.channels) {
    const known = registry.channel(wanted.name)
    if (known !== undefined) drift.push(...channelDrift(known.spec, wanted), ...partitionDrift(wanted.name, place))
  }
  const isNew = ({ name }: ChannelSpec) => !found.has(name)
  await write(place, topology.channels.filter(isNew).map(channelLine))
  const created = topology.channels
    .filter((each) => isNew(each) && made.has(names.topic(each.name)))
    .map(({ name }) => name)
  const lines: RegistryLine[] = []
  const groupIds: string[] = []
  for (const wanted of topology.groups) {
    if (drift.some(({ name }) => name === wanted.channel)) continue
    const differs = groupDrift(wanted, registry)
    drift.push(...differs)
    if (differs.length > 0) continue
    const known = registry.channel(wanted.channel)?.groups.get(wanted.group)
    const entry = known ?? registeredGroup(wanted, place.token)
    const groupId = names.groupId(wanted.channel, wanted.group, entry.token)
    groupIds.push(groupId)
    if (known !== undefined) continue
    await begin(wanted, groupId, place)
    lines.push(groupLine(wanted.channel, entry))
    created.push(`${wanted.channel}@${wanted.group}`)
  }
  const { sessionTimeoutMs } = cluster.settings
  if (sessionTimeoutMs !== undefined) await setSessionTimeout(cluster, groupIds, sessionTimeoutMs)
  await write(place, lines)
  return { created, drift }
}

/** Topics of channels that are not there, and those that the engine needs itself. */
async function makeTopics(channels: readonly ChannelSpec[], { cluster, names, registry }: TopologyPlace) {
  const { settings } = cluster
  const sizes = {
    'max.message.bytes': String(settings.bodyBytesMax + recordBytesBeside),
    ...(settings.minInSyncReplicas !== undefined && { 'min.insync.replicas': String(settings.minInSyncReplicas) }),
  }
  // The engine deletes what no group needs; the server, which does not know what is needed, deletes nothing.
  const keep = { ...sizes, 'retention.ms': '-1', 'retention.bytes': '-1', ...settings.topicConfig }
  const compacted = {
    ...sizes,
    'cleanup.policy': 'compact',
    'segment.bytes': '16777216',
    'min.cleanable.dirty.ratio': '0.1',
  }
  const wanted: NewTopic[] = [
    // The server's time, which is read off what is written there.
    { name: names.registry, partitions: 1, config: { ...compacted, 'message.timestamp.type': 'LogAppendTime' } },
    { name: names.notes, partitions: notePartitions, config: compacted },
    {
      name: names.delays,
      partitions: delayBuckets,
      config: { ...sizes, 'retention.ms': '-1', 'retention.bytes': '-1' },
    },
    ...channels
      .filter(({ name }) => registry.channel(name) === undefined)
      .map(({ name }) => ({ name: names.topic(name), partitions: settings.keyRanges, config: keep })),
  ]
  try {
    const known = channels
      .map(({ name }) => names.topic(name))
      .filter((name) => cluster.topicIfKnown(name) === undefined)
    const missing = wanted.filter(({ name }) => cluster.topicIfKnown(name) === undefined)
    if (known.length > 0) await cluster.refresh([...new Set([...known, ...missing.map(({ name }) => name)])])
    return await createTopics(
      cluster,
      wanted.filter(({ name }) => cluster.topicIfKnown(name) === undefined),
    )
  } catch (error) {
    // A name that no topic can have, or that differs from that of another topic in '.' and '_' alone.
    throw mapped(error, 'kafka engine: a topic cannot be made', hasCode(error, 17) ? 'CONFIG_INVALID' : undefined)
  }
}

function partitionDrift(name: string, { cluster, names, keyRangesWanted }: TopologyPlace): TopologyDrift[] {
  const found = cluster.topicIfKnown(names.topic(name))?.leaders.length
  if (keyRangesWanted === undefined || found === undefined || found === keyRangesWanted) return []
  return [{ name, setting: 'keyRanges', wanted: String(keyRangesWanted), found: String(found) }]
}

function groupDrift(wanted: GroupSpec, registry: Registry): TopologyDrift[] {
  const { channel: name, group } = wanted
  const channel = registry.channel(name)
  const found = channel?.groups.get(group)
  if (found !== undefined) return lifetimeDrift(found.lifetime, wanted)
  const [other] = channel?.groups.keys() ?? []
  if (channel?.spec.kind !== 'queue' || other === undefined) return []
  return [{ name, setting: 'group', wanted: group, found: other }]
}

/** Writes down where a group begins, which makes it exist. Where it stands already, it stays. */
async function begin(wanted: GroupSpec, groupId: string, { cluster, names, registry }: TopologyPlace): Promise<void> {
  const { channel, from, lifetime } = wanted
  const topic = names.topic(channel)
  const partitions = [...(await cluster.topic(topic)).leaders.keys()]
  const isQueue = registry.channel(channel)?.spec.kind === 'queue'
  const known = lifetime === 'temporary' ? new Map() : await readPositions(cluster, groupId, { topic, partitions })
  // What was taken out of a queue before it had a group stays out.
  const before = isQueue ? await readPositions(cluster, names.groupId(channel, ''), { topic, partitions }) : known
  const at = isQueue || from === 'earliest' ? 'first' : 'end'
  const offsets = await offsetsOf(cluster, topic, { partitions, at })
  const positions = partitions
    .filter((each) => !known.has(each))
    .map((each) => before.get(each) ?? { offset: offsets.get(each) ?? 0, done: new Uint8Array(0), addressedFrom: 0 })
  const missing = partitions.filter((each) => !known.has(each))
  if (missing.length === 0) return
  const list = missing.map((each, index) => partitionPosition(each, positions[index] as (typeof positions)[number]))
  await writePositions(cluster, fromOutside(groupId, topic, list))
}

/** Writes lines of the registry, and reads it so far. */
export async function write(
  { producer, registry, names }: TopologyPlace,
  lines: readonly RegistryLine[],
): Promise<void> {
  if (lines.length === 0) return
  const routed = lines.map(({ key, value }) => ({
    topic: names.registry,
    partition: 0,
    bytes: 1_024,
    record: { key, value: value === undefined ? undefined : Buffer.from(value), headers: [], id: undefined },
  }))
  for (const outcome of await producer.send(routed, new Array(routed.length))) if (!outcome.ok) throw outcome.error
  await registry.refresh()
}
