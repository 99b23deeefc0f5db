import type { Cluster } from './cluster.ts'
import { scan } from './scan.ts'
import type { ReadRecord } from './wire/record-batch.ts'

/** A stretch of a partition, and how many bytes one of its offsets has on average. */
export interface Stretch {
  readonly from: number
  readonly until: number
  readonly bytesPerOffset: number
}

/** So many places of a partition are looked at, and so much is read there. */
const samplesMax = 16
const sampleBytes = 65_536

/**
 * About how many bytes the records of a partition have: looked at in places that lie evenly over it, which is all of it
 * where that is little. The server knows the size of its files alone, of which it drops none that has something left.
 */
export async function measured(
  cluster: Cluster,
  { topic, partition, from, until }: { topic: string; partition: number; from: number; until: number },
): Promise<Stretch[]> {
  const found: Stretch[] = []
  for (let at = from; at < until; ) {
    const least = from + Math.ceil(((until - from) * (found.length + 1)) / samplesMax)
    let bytes = 0
    const range = { topic, partition, from: at, until, pageBytes: sampleBytes }
    const seenUntil = await scan(cluster, range, (records) => {
      for (const each of records) bytes += sizeOf(each)
      return true
    })
    const next = Math.min(until, Math.max(seenUntil, least))
    found.push({ from: at, until: next, bytesPerOffset: bytes / Math.max(1, seenUntil - at) })
    at = next
  }
  return found
}

function sizeOf({ key, value, headers, id }: ReadRecord): number {
  let size = (key?.length ?? 0) + (value?.length ?? 0) + (id?.length ?? 0)
  for (const text of headers) size += text.length
  return size
}

/** From where on each partition has its share of the newest bytes, so that all have no more than a limit; 0 within it. */
export function withinBytes(
  partitions: ReadonlyMap<number, readonly Stretch[]>,
  bytesMax: number,
): Map<number, number> {
  const sizes = new Map([...partitions].map(([partition, stretches]) => [partition, sum(stretches)]))
  const total = [...sizes.values()].reduce((all, each) => all + each, 0)
  if (total <= bytesMax) return new Map([...partitions.keys()].map((partition) => [partition, 0]))
  return new Map(
    [...partitions].map(([partition, stretches]) => [
      partition,
      newestFrom(stretches, (bytesMax * (sizes.get(partition) as number)) / total),
    ]),
  )
}

function sum(stretches: readonly Stretch[]): number {
  return stretches.reduce((bytes, { from, until, bytesPerOffset }) => bytes + (until - from) * bytesPerOffset, 0)
}

/** The first offset of the newest that fit. */
function newestFrom(stretches: readonly Stretch[], bytes: number): number {
  let left = bytes
  for (const { from, until, bytesPerOffset } of stretches.toReversed()) {
    const size = (until - from) * bytesPerOffset
    if (size > left) return until - Math.floor(left / bytesPerOffset)
    left -= size
  }
  return 0
}
