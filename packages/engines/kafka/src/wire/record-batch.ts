import { type CompressionAlgorithmValue, compressionsAlgorithms, crc32c } from '@platformatic/kafka'
import { ByteReader, ByteWriter } from './bytes.ts'

/** A record as Kafka keeps it. */
export interface KafkaRecord {
  readonly key: string | Uint8Array | undefined
  /** Undefined is a tombstone. */
  readonly value: Uint8Array | undefined
  /** Names and values in turn: `[name, value, name, value]`. */
  readonly headers: readonly (string | Uint8Array)[]
}

/** A record that was read. */
export interface ReadRecord {
  readonly offset: number
  readonly timestampMs: number
  readonly key: Buffer | undefined
  readonly value: Buffer | undefined
  /** Names and values in turn, as text. */
  readonly headers: readonly string[]
}

/** A batch that was read, and what stands in it. */
export interface ReadBatch {
  readonly baseOffset: number
  /** The offset after the last one, of records that compaction took, too. */
  readonly nextOffset: number
  readonly producerId: bigint
  readonly transactional: boolean
  /** Holds a marker of a transaction instead of records. */
  readonly control: boolean
  /** Of a marker: whether it ends an aborted transaction. */
  readonly abort: boolean
  readonly records: readonly ReadRecord[]
}

/** Who writes a batch, and how. */
export interface BatchSettings {
  readonly producerId: bigint
  readonly producerEpoch: number
  readonly sequence: number
  readonly transactional: boolean
  readonly timestampMs: number
  readonly compression: CompressionAlgorithmValue
}

/** Length of a batch without records. */
export const batchHeadBytes = 61

const lengthGap = 5
const attributesAt = 21
const transactionalBit = 0x10
const controlBit = 0x20
const compressionBits = 0x07

/**
 * Appends a batch of records to a request.
 * @see https://kafka.apache.org/documentation/#recordbatch
 */
export function writeBatch(writer: ByteWriter, records: readonly KafkaRecord[], settings: BatchSettings): void {
  const { producerId, producerEpoch, sequence, transactional, timestampMs, compression } = settings
  const start = writer.length
  const algorithm = compressionsAlgorithms[compression]
  writer.int64(0n)
  const lengthAt = writer.skip(4)
  writer.int32(-1)
  writer.int8(2)
  const crcAt = writer.skip(4)
  writer.int16(algorithm.bitmask | (transactional ? transactionalBit : 0))
  writer.int32(records.length - 1)
  writer.int64(BigInt(timestampMs))
  writer.int64(BigInt(timestampMs))
  writer.int64(producerId)
  writer.int16(producerEpoch)
  writer.int32(sequence)
  writer.int32(records.length)
  if (algorithm.bitmask === 0) {
    writeRecords(writer, records)
  } else {
    const plain = new ByteWriter()
    writeRecords(plain, records)
    writer.raw(algorithm.compressSync(plain.written))
  }
  writer.patchInt32(lengthAt, writer.length - lengthAt - 4)
  writer.patchUint32(crcAt, crc32c(writer.view(start + attributesAt, writer.length)))
}

function writeRecords(writer: ByteWriter, records: readonly KafkaRecord[]): void {
  for (let at = 0; at < records.length; at += 1) {
    const { key, value, headers } = records[at] as KafkaRecord
    const start = writer.skip(lengthGap)
    writer.int8(0)
    writer.varint(0)
    writer.varint(at)
    writer.sized(key)
    writer.sized(value)
    writer.varint(headers.length / 2)
    for (const each of headers) writer.sized(each)
    writer.closeGap(start, lengthGap)
  }
}

/**
 * Reads the batches of a fetch; one that is cut off at the end is left out, as the server may send one.
 * @throws Error when a checksum does not match: the bytes are not those that were written
 */
export function readBatches(bytes: Buffer, fromOffset: number): ReadBatch[] {
  const batches: ReadBatch[] = []
  let at = 0
  while (bytes.length - at >= batchHeadBytes) {
    const end = at + 12 + bytes.readInt32BE(at + 8)
    if (end > bytes.length) break
    batches.push(readBatch(bytes.subarray(at, end), fromOffset))
    at = end
  }
  return batches
}

function readBatch(bytes: Buffer, fromOffset: number): ReadBatch {
  const reader = new ByteReader(bytes)
  const baseOffset = reader.long()
  reader.at += 9
  if (reader.uint32() !== crc32c(bytes.subarray(attributesAt)))
    throw new Error(`the batch at offset ${baseOffset} does not match its checksum`)
  const attributes = reader.int16()
  const nextOffset = baseOffset + reader.int32() + 1
  const firstTimestampMs = reader.long()
  const maxTimestampMs = reader.long()
  const producerId = reader.int64()
  reader.at += 6
  const count = reader.int32()
  const body = decompressed(reader.raw(reader.left), attributes & compressionBits)
  const control = (attributes & controlBit) !== 0
  // With the time of the log's append, which is the server's, all records of a batch have its last.
  const appended = (attributes & 0x08) !== 0
  const records: ReadRecord[] = []
  const inner = new ByteReader(body)
  for (let at = 0; at < count; at += 1) {
    const end = inner.varint() + inner.at
    inner.at += 1
    const timestampMs = firstTimestampMs + inner.varint()
    const offset = baseOffset + inner.varint()
    if (offset >= fromOffset) {
      const [key, value] = [inner.sized(), inner.sized()]
      const headers: string[] = []
      for (let left = inner.varint(); left > 0; left -= 1) headers.push(inner.sizedText(), inner.sizedText())
      records.push({ offset, timestampMs: appended ? maxTimestampMs : timestampMs, key, value, headers })
    }
    inner.at = end
  }
  const abort = control && records[0]?.key?.readInt16BE(2) === 0
  const transactional = (attributes & transactionalBit) !== 0
  return { baseOffset, nextOffset, producerId, transactional, control, abort, records: control ? [] : records }
}

function decompressed(bytes: Buffer, bitmask: number): Buffer {
  if (bitmask === 0) return bytes
  const algorithm = Object.values(compressionsAlgorithms).find((each) => each.bitmask === bitmask)
  if (algorithm === undefined) throw new Error(`a batch is compressed by the unknown method ${bitmask}`)
  return Buffer.from(algorithm.decompressSync(bytes))
}
