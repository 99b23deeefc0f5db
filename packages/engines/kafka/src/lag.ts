import type { Lag } from '@posthaste/contracts'
import type { Cluster } from './cluster.ts'
import type { FoundGroup } from './groups.ts'
import type { Names } from './names.ts'
import { readPositions } from './positions.ts'
import { fromKafka, internalHeaders } from './record-codec.ts'
import { committedEnd, offsetsOf, scan } from './scan.ts'
import { Window } from './window.ts'
import type { ReadRecord } from './wire/record-batch.ts'

/** Up to so many offsets of a partition are read and counted; how many of those behind are records is not looked at. */
const countedMax = 10_000

/** Counts what a group has before it; `inFlight` and `noted` are as the process that asks knows them. */
export async function readLag(
  cluster: Cluster,
  names: Names,
  found: FoundGroup & { readonly inFlight: number; readonly noted: number },
): Promise<Lag> {
  const { topic, groupId, entry, channel, inFlight, noted } = found
  const isOurs = (internal: Readonly<Record<string, string>>) =>
    [undefined, entry.group].includes(internal[internalHeaders.group])
  const ready = await undone(cluster, { topic, groupId }, (read, window) => {
    const { internal } = fromKafka(read, '', { topic, partition: 0 })
    const isStale = internal[internalHeaders.group] !== undefined && read.offset < window.addressedFrom
    return isOurs(internal) && !isStale
  })
  const waiting = await undone(cluster, { topic: names.delays, groupId: delaysGroup(names) }, (read) => {
    const { internal } = fromKafka(read, '', { topic, partition: 0 })
    return internal[internalHeaders.channel] === channel.spec.name && isOurs(internal)
  })
  return { ready, waiting, inFlight, noted }
}

/** The group of all processes that let go on what is due. */
export function delaysGroup(names: Names): string {
  return names.delays
}

async function undone(
  cluster: Cluster,
  { topic, groupId }: { readonly topic: string; readonly groupId: string },
  counts: (read: ReadRecord, window: Window) => boolean,
): Promise<number> {
  const partitions = [...(await cluster.topic(topic)).leaders.keys()]
  const [positions, first, end] = await Promise.all([
    readPositions(cluster, groupId, { topic, partitions }),
    offsetsOf(cluster, topic, { partitions, at: 'first' }),
    committedEnd(cluster, topic, partitions),
  ])
  const counted = await Promise.all(
    partitions.map(async (partition) => {
      const window = new Window(positions.get(partition) ?? { offset: 0, done: new Uint8Array(0), addressedFrom: 0 })
      const from = Math.max(window.watermark, first.get(partition) ?? 0)
      const until = end.get(partition) ?? 0
      let count = Math.max(0, until - from - countedMax)
      await scan(cluster, { topic, partition, from, until: Math.min(until, from + countedMax) }, (records) => {
        for (const read of records) if (!window.isDone(read.offset) && counts(read, window)) count += 1
      })
      return count
    }),
  )
  return counted.reduce((sum, each) => sum + each, 0)
}
