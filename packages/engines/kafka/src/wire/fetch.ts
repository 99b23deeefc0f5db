import { type ByteReader, ByteWriter } from './bytes.ts'
import { type ReadBatch, readBatches } from './record-batch.ts'
import type { Request } from './request.ts'

/** From where to read a partition. */
export interface FetchPlace {
  readonly topic: string
  readonly topicId: string
  readonly partition: number
  readonly offset: number
}

/** How long to wait for something, and how much to take. */
export interface FetchSettings {
  readonly waitMsMax: number
  readonly bytesMax: number
  readonly partitionBytesMax: number
}

/** What was read of one partition. */
export interface Fetched {
  readonly topicId: string
  readonly partition: number
  readonly errorCode: number
  /** Everything before it is decided: neither in a transaction that is open nor behind one. */
  readonly stableOffset: number
  readonly startOffset: number
  /** Without markers and without what aborted transactions wrote. */
  readonly batches: readonly ReadBatch[]
  /** Where to go on reading. */
  readonly nextOffset: number
}

/** Version 17, without a session, of what is committed. */
export function fetchRecords(places: readonly FetchPlace[], settings: FetchSettings): Request<Fetched[]> {
  return {
    key: 1,
    version: 17,
    write() {
      const writer = new ByteWriter()
      writer.int32(settings.waitMsMax)
      writer.int32(1)
      writer.int32(settings.bytesMax)
      writer.int8(1)
      writer.int32(0)
      writer.int32(-1)
      const topics = Map.groupBy(places, ({ topicId }) => topicId)
      writer.unsignedVarint(topics.size + 1)
      for (const [topicId, partitions] of topics) {
        writer.uuid(topicId)
        writer.unsignedVarint(partitions.length + 1)
        for (const { partition, offset } of partitions) {
          writer.int32(partition)
          writer.int32(-1)
          writer.int64(BigInt(offset))
          writer.int32(-1)
          writer.int64(-1n)
          writer.int32(settings.partitionBytesMax)
          writer.tags()
        }
        writer.tags()
      }
      writer.unsignedVarint(1)
      writer.compactString('')
      writer.tags()
      return writer.written
    },
    read: (reader) => readAnswer(reader, places),
  }
}

function readAnswer(reader: ByteReader, places: readonly FetchPlace[]): Fetched[] {
  const offsets = new Map(places.map((each) => [`${each.topicId}/${each.partition}`, each.offset]))
  const found: Fetched[] = []
  reader.int32()
  const errorCode = reader.int16()
  reader.int32()
  for (let topics = reader.arrayLength(); topics > 0; topics -= 1) {
    const topicId = reader.uuid()
    for (let partitions = reader.arrayLength(); partitions > 0; partitions -= 1)
      found.push(readPartition(reader, topicId, offsets))
    reader.tags()
  }
  if (errorCode !== 0 && found.length === 0)
    return places.map(({ topicId, partition, offset }) => ({
      ...nothing,
      topicId,
      partition,
      errorCode,
      nextOffset: offset,
    }))
  return found
}

const nothing = { stableOffset: -1, startOffset: -1, batches: [] } as const

function readPartition(reader: ByteReader, topicId: string, offsets: ReadonlyMap<string, number>): Fetched {
  const partition = reader.int32()
  const errorCode = reader.int16()
  reader.int64()
  const [stableOffset, startOffset] = [reader.long(), reader.long()]
  const aborted: Aborted[] = []
  for (let count = reader.arrayLength(); count > 0; count -= 1) {
    aborted.push({ producerId: reader.int64(), firstOffset: reader.long() })
    reader.tags()
  }
  reader.int32()
  const size = reader.unsignedVarint() - 1
  // A view would keep all that came with it alive for as long as one record of it is.
  const bytes = size > 0 ? reader.raw(size) : Buffer.alloc(0)
  reader.tags()
  const from = offsets.get(`${topicId}/${partition}`) ?? 0
  const all = readBatches(bytes, from)
  const nextOffset = Math.max(from, all.at(-1)?.nextOffset ?? from)
  return { topicId, partition, errorCode, stableOffset, startOffset, batches: committed(all, aborted), nextOffset }
}

interface Aborted {
  readonly producerId: bigint
  readonly firstOffset: number
}

/** Leaves out markers, and what transactions wrote that were aborted in the end. */
function committed(batches: readonly ReadBatch[], aborted: readonly Aborted[]): ReadBatch[] {
  const waiting = aborted.toSorted((a, b) => a.firstOffset - b.firstOffset)
  const aborting = new Set<bigint>()
  return batches.filter((batch) => {
    while (waiting[0] !== undefined && waiting[0].firstOffset < batch.nextOffset)
      aborting.add((waiting.shift() as Aborted).producerId)
    if (batch.control) {
      if (batch.abort) aborting.delete(batch.producerId)
      return false
    }
    return !(batch.transactional && aborting.has(batch.producerId))
  })
}
