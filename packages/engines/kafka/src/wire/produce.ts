import type { ByteReader } from './bytes.ts'
import { ByteWriter } from './bytes.ts'
import { type BatchSettings, type KafkaRecord, writeBatch } from './record-batch.ts'
import type { Request } from './request.ts'

/** Records for one partition. */
export interface PartitionBatch {
  readonly topic: string
  readonly partition: number
  readonly records: readonly KafkaRecord[]
  readonly settings: BatchSettings
}

/** What became of the batch of one partition. */
export interface ProduceResult {
  readonly topic: string
  readonly partition: number
  /** 0 where it stands. */
  readonly errorCode: number
  readonly errorMessage: string | undefined
  /** When the server stored it by its own clock; −1 where the topic keeps the times of those who write. */
  readonly appendTimeMs: number
}

/** A request to store batches, one for each partition. */
export interface ProduceRequest {
  readonly transactionalId?: string | undefined
  readonly timeoutMs: number
  readonly batches: readonly PartitionBatch[]
}

/** Version 12: partitions join the transaction by being written to. @see KIP-890 */
export function produce({ transactionalId, timeoutMs, batches }: ProduceRequest): Request<ProduceResult[]> {
  return {
    key: 0,
    version: 12,
    write() {
      const writer = new ByteWriter(4_096)
      writer.compactString(transactionalId)
      writer.int16(-1)
      writer.int32(timeoutMs)
      const topics = Map.groupBy(batches, ({ topic }) => topic)
      writer.unsignedVarint(topics.size + 1)
      for (const [topic, partitions] of topics) {
        writer.compactString(topic)
        writer.unsignedVarint(partitions.length + 1)
        for (const batch of partitions) writePartition(writer, batch)
        writer.tags()
      }
      writer.tags()
      return writer.written
    },
    read: results,
  }
}

const sizeGap = 5

function writePartition(writer: ByteWriter, { partition, records, settings }: PartitionBatch): void {
  writer.int32(partition)
  // The size in front of the records is a plain varint of the size plus one, of five bytes here whatever its value.
  const at = writer.skip(sizeGap)
  writeBatch(writer, records, settings)
  writer.patchPaddedVarint(at, writer.length - at - sizeGap + 1)
  writer.tags()
}

function results(reader: ByteReader): ProduceResult[] {
  const found: ProduceResult[] = []
  for (let topics = reader.arrayLength(); topics > 0; topics -= 1) {
    const topic = reader.compactString() ?? ''
    for (let partitions = reader.arrayLength(); partitions > 0; partitions -= 1) {
      const [partition, errorCode] = [reader.int32(), reader.int16()]
      reader.int64()
      const appendTimeMs = reader.long()
      reader.int64()
      let recordError: string | undefined
      for (let errors = reader.arrayLength(); errors > 0; errors -= 1) {
        reader.int32()
        recordError ??= reader.compactString()
        reader.tags()
      }
      const errorMessage = reader.compactString() ?? recordError
      reader.tags()
      found.push({ topic, partition, errorCode, errorMessage, appendTimeMs })
    }
    reader.tags()
  }
  return found
}
