import type { Retention } from '@posthaste/contracts'
import { deleteRecords } from './admin.ts'
import { neededFrom } from './browsing.ts'
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

/** From where on retention keeps a log; nothing where it keeps nothing. */
async function keptFrom(cluster: Cluster, { topic, partitions, retention }: Keeping): Promise<Map<number, number>> {
  const { forMs, bytesMax } = retention ?? {}
  if (forMs === undefined) return bytesMax === undefined ? new Map() : new Map(partitions.map((each) => [each, 0]))
  const atMs = cluster.host.clock.nowMs() - forMs
  const found = await offsetsOf(cluster, topic, { partitions, at: { atMs } })
  return new Map([...found].map(([partition, offset]) => [partition, offset < 0 ? Number.POSITIVE_INFINITY : offset]))
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
