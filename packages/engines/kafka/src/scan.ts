import { listOffsetsV9 } from '@platformatic/kafka'
import type { Cluster } from './cluster.ts'
import { KafkaError, kafkaCodes } from './errors.ts'
import { rest } from './waiting.ts'
import { fetchRecords } from './wire/fetch.ts'
import type { ReadRecord } from './wire/record-batch.ts'

/** A place in the order of time of a partition: its first offset, the one after its last, or the first of a time. */
export type OffsetQuery = 'first' | 'end' | { readonly atMs: number }

const codes = { first: -2n, end: -1n }

/**
 * Offsets of partitions of a topic, by partition; −1 where no record is that late.
 * @param committedOnly whether the end is before what open transactions have written
 */
export async function offsetsOf(
  cluster: Cluster,
  topic: string,
  query: { readonly partitions: readonly number[]; readonly at: OffsetQuery; readonly committedOnly?: boolean },
): Promise<Map<number, number>> {
  const { partitions, at, committedOnly = false } = query
  const timestamp = typeof at === 'string' ? codes[at] : BigInt(Math.max(0, Math.ceil(at.atMs)))
  return cluster.persistently(async () => {
    const byLeader = new Map<number, number[]>()
    for (const partition of partitions) {
      const leader = await cluster.leader(topic, partition)
      byLeader.set(leader, [...(byLeader.get(leader) ?? []), partition])
    }
    const found = new Map<number, number>()
    try {
      await Promise.all(
        [...byLeader].map(async ([leader, indexes]) => {
          const list = indexes.map((partitionIndex) => ({ partitionIndex, currentLeaderEpoch: -1, timestamp }))
          const isolation = committedOnly ? 1 : 0
          const lane = cluster.lane(leader, 'lookup')
          const answer = await lane.call(listOffsetsV9.api, -1, isolation, [{ name: topic, partitions: list }])
          for (const { partitions: each } of answer.topics)
            for (const { partitionIndex, offset } of each) found.set(partitionIndex, Number(offset))
        }),
      )
    } catch (error) {
      await cluster.refresh([topic])
      throw error
    }
    return found
  })
}

/** How long a commit that was answered may take to be seen, and how often it is looked for. */
const commitMsMax = 500
const commitRestMs = 5

/**
 * Where what is committed of partitions ends. A server answers a commit before its records can be read: what stands there
 * when it is asked for is waited for a moment, so that who was answered finds what it has written. What a transaction
 * keeps open for longer is left out.
 */
export async function committedEnd(
  cluster: Cluster,
  topic: string,
  partitions: readonly number[],
): Promise<Map<number, number>> {
  const { clock } = cluster.host
  const untilMs = clock.monotonicMs() + commitMsMax
  const written = await offsetsOf(cluster, topic, { partitions, at: 'end' })
  for (;;) {
    const committed = await offsetsOf(cluster, topic, { partitions, at: 'end', committedOnly: true })
    const isWhole = partitions.every((each) => (committed.get(each) ?? 0) >= (written.get(each) ?? 0))
    if (isWhole || clock.monotonicMs() >= untilMs) return committed
    await rest(clock, commitRestMs)
  }
}

/** What to read of a partition. */
export interface ScanRange {
  readonly topic: string
  readonly partition: number
  readonly from: number
  /** Where to end, this one not included. */
  readonly until: number
  /** How much of it is one page; 4 MiB. */
  readonly pageBytes?: number | undefined
}

const waitMsMax = 100
const pageBytesDefault = 4_194_304

/**
 * Reads what is committed of a stretch of a partition, page by page, until `take` says that it has enough. Waits for
 * transactions that are open in it to end.
 * @returns where it went on to: everything before it was seen
 */
export async function scan(
  cluster: Cluster,
  { topic, partition, from, until, pageBytes = pageBytesDefault }: ScanRange,
  take: (records: readonly ReadRecord[]) => boolean | undefined,
): Promise<number> {
  let offset = from
  while (offset < until) {
    const page = await cluster.persistently(() => fetchPage(cluster, { topic, partition, offset, pageBytes }))
    if (page.startOffset > offset && page.errorCode !== 0) {
      offset = page.startOffset
      continue
    }
    const records = page.batches.flatMap((batch) => batch.records).filter((each) => each.offset < until)
    const isEnough = records.length > 0 && take(records) === true
    if (isEnough) return (records.at(-1)?.offset ?? offset) + 1
    offset = Math.max(offset, page.nextOffset)
  }
  // A batch may go on behind the end.
  return Math.min(offset, Math.max(from, until))
}

interface Page {
  readonly topic: string
  readonly partition: number
  readonly offset: number
  readonly pageBytes: number
}

async function fetchPage(cluster: Cluster, { topic, partition, offset, pageBytes }: Page) {
  const leader = await cluster.leader(topic, partition)
  const { id: topicId } = await cluster.topic(topic)
  const lane = cluster.lane(leader, 'scan')
  const settings = { waitMsMax, bytesMax: pageBytes, partitionBytesMax: pageBytes }
  const [page] = await lane.send(fetchRecords([{ topic, topicId, partition, offset }], settings))
  if (page === undefined) throw new KafkaError(5, `partition ${partition} of ${topic}`)
  if (page.errorCode === kafkaCodes.offsetOutOfRange) {
    const first = (await offsetsOf(cluster, topic, { partitions: [partition], at: 'first' })).get(partition) ?? 0
    return { ...page, startOffset: Math.max(first, offset + 1) }
  }
  if (page.errorCode !== 0) {
    await cluster.refresh([topic])
    throw new KafkaError(page.errorCode, `partition ${partition} of ${topic}`)
  }
  return page
}
