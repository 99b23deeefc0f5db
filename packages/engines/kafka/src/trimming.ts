import type { Retention } from '@posthaste/contracts'
import { deleteRecords } from './admin.ts'
import { neededFrom } from './browsing.ts'
import { measured, type Stretch, withinBytes } from './byte-retention.ts'
import type { Cluster } from './cluster.ts'
import type { Names } from './names.ts'
import { readPositions } from './positions.ts'
import type { ChannelEntry } from './registry.ts'
import { offsetsOf } from './scan.ts'

/**
 * Deletes what nobody needs any more: in a queue what is settled, in a log what all groups have settled and retention does
 * not keep. The server, which does not know what groups need, is told to delete nothing by itself.
 */
export async function trim(cluster: Cluster, names: Names, channel: ChannelEntry): Promise<void> {
  const { spec, groups } = channel
  if (groups.size === 0) return
  const topic = names.topic(spec.name)
  const partitions = [...(await cluster.topic(topic)).leaders.keys()]
  const needed = await neededFrom({ cluster, names }, { spec: { ...spec, retention: undefined }, groups }, partitions)
  const kept = await keptFrom(cluster, { topic, partitions, retention: spec.retention })
  const first = await offsetsOf(cluster, topic, { partitions, at: 'first' })
  const cuts = new Map<number, number>()
  for (const partition of partitions) {
    const cut = Math.min(needed.get(partition)?.offset ?? 0, kept.get(partition) ?? Number.POSITIVE_INFINITY)
    if (cut > (first.get(partition) ?? 0)) cuts.set(partition, cut)
  }
  if (cuts.size > 0) await deleteRecords(cluster, topic, cuts)
}

interface Keeping {
  readonly topic: string
  readonly partitions: readonly number[]
  readonly retention: Retention | undefined
}

/** From where on retention keeps a log: what is neither too old nor too much; nothing where it keeps nothing. */
async function keptFrom(cluster: Cluster, { topic, partitions, retention }: Keeping): Promise<Map<number, number>> {
  const { forMs, bytesMax } = retention ?? {}
  if (forMs === undefined && bytesMax === undefined) return new Map()
  const young = forMs === undefined ? new Map<number, number>() : await youngFrom(cluster, { topic, partitions }, forMs)
  const newest =
    bytesMax === undefined ? new Map<number, number>() : await newestFrom(cluster, { topic, partitions }, bytesMax)
  return new Map(partitions.map((each) => [each, Math.max(young.get(each) ?? 0, newest.get(each) ?? 0)]))
}

type Partitions = Omit<Keeping, 'retention'>

async function youngFrom(cluster: Cluster, { topic, partitions }: Partitions, forMs: number) {
  const found = await offsetsOf(cluster, topic, { partitions, at: { atMs: cluster.host.clock.nowMs() - forMs } })
  return new Map([...found].map(([partition, offset]) => [partition, offset < 0 ? Number.POSITIVE_INFINITY : offset]))
}

async function newestFrom(cluster: Cluster, { topic, partitions }: Partitions, bytesMax: number) {
  const [first, end] = await Promise.all([
    offsetsOf(cluster, topic, { partitions, at: 'first' }),
    offsetsOf(cluster, topic, { partitions, at: 'end', committedOnly: true }),
  ])
  const sizes = new Map<number, readonly Stretch[]>()
  for (const partition of partitions) {
    const stretch = { topic, partition, from: first.get(partition) ?? 0, until: end.get(partition) ?? 0 }
    sizes.set(partition, await measured(cluster, stretch))
  }
  return withinBytes(sizes, bytesMax)
}

/** The delays and their steps: what has gone on. */
export async function trimDelays(cluster: Cluster, names: Names, groupId: string): Promise<void> {
  const topic = names.delays
  const partitions = [...(await cluster.topic(topic)).leaders.keys()]
  const positions = await readPositions(cluster, groupId, { topic, partitions })
  const first = await offsetsOf(cluster, topic, { partitions, at: 'first' })
  const cuts = [...positions].filter(([partition, { offset }]) => offset > (first.get(partition) ?? 0))
  if (cuts.length > 0)
    await deleteRecords(cluster, topic, new Map(cuts.map(([partition, { offset }]) => [partition, offset])))
}
