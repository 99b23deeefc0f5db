import { type CompressionAlgorithmValue, compressionsAlgorithms, crc32c } from '@platformatic/kafka'
import { ByteReader, ByteWriter } from './bytes.ts'

/** A record as Kafka keeps it. */
export interface KafkaRecord {
  readonly key: string | Uint8Array | undefined
  /** Undefined is a tombstone. */
  readonly value: Uint8Array | undefined
  /** Names and values in turn: `[name, value, name, value]`. Records that have the same share one list: it is written once. */
  readonly headers: readonly (string | Uint8Array)[]
  /** The value of a last header, `ce_id`, which no two records share. */
  readonly id: string | undefined
}

/** A record that was read. */
export interface ReadRecord {
  readonly offset: number
  readonly timestampMs: number
  readonly key: Buffer | undefined
  readonly value: Buffer | undefined
  /** Names and values in turn, as text; one list for records of a batch that stand behind each other and have the same. */
  readonly headers: readonly string[]
  /** The value of `ce_id`, where that is the last header; it is not in the list then. */
  readonly id: string | undefined
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

/** Records below it have a length of one or two bytes, mostly. */
const lengthBytesMin = 4_096
/** The name of the last header, behind its length. */
const idName = Buffer.from('\x0ace_id')
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

/** Hot path: headers are encoded once for records that share them, and copied. */
function writeRecords(writer: ByteWriter, records: readonly KafkaRecord[]): void {
  let latest: KafkaRecord | undefined
  let [from, to] = [0, 0]
  for (let at = 0; at < records.length; at += 1) {
    const record = records[at] as KafkaRecord
    const { key, value, headers, id } = record
    const isShared =
      latest !== undefined && latest.headers === headers && (latest.id === undefined) === (id === undefined)
    const gap = (value?.length ?? 0) + (isShared ? to - from : 0) < lengthBytesMin ? 2 : 3
    const start = writer.skip(gap)
    writer.int8(0)
    writer.varint(0)
    writer.varint(at)
    writer.sized(key)
    writer.sized(value)
    if (isShared) {
      from = writer.repeat(from, to)
    } else {
      from = writer.length
      writer.varint(headers.length / 2 + (id === undefined ? 0 : 1))
      for (const each of headers) writer.sized(each)
    }
    to = writer.length
    latest = record
    if (id !== undefined) {
      writer.raw(idName)
      writer.sized(id)
    }
    const moved = writer.closeGap(start, gap)
    from += moved
    to += moved
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
  const headersReader = new HeadersReader(inner)
  for (let at = 0; at < count; at += 1) {
    const end = inner.varint() + inner.at
    inner.at += 1
    const timestampMs = firstTimestampMs + inner.varint()
    const offset = baseOffset + inner.varint()
    if (offset >= fromOffset) {
      const [key, value] = [inner.sized(), inner.sized()]
      const headers = headersReader.read(end)
      records.push({
        offset,
        timestampMs: appended ? maxTimestampMs : timestampMs,
        key,
        value,
        headers,
        id: headersReader.id,
      })
    }
    inner.at = end
  }
  const abort = control && records[0]?.key?.readInt16BE(2) === 0
  const transactional = (attributes & transactionalBit) !== 0
  return { baseOffset, nextOffset, producerId, transactional, control, abort, records: control ? [] : records }
}

/** Reads the headers of records behind each other: those that are, byte by byte, as of the last record are not read again. */
class HeadersReader {
  readonly #reader: ByteReader
  #headers: readonly string[] = []
  /** Where the headers stand that were read last, without the id behind them; nowhere at first. */
  #from = 0
  #to = 0
  /** The last header of the record that was read last, where that is `ce_id`. */
  id: string | undefined

  constructor(reader: ByteReader) {
    this.#reader = reader
  }

  read(end: number): readonly string[] {
    const reader = this.#reader
    const from = reader.at
    if (this.id !== undefined && this.#isSame(end)) {
      reader.at = from + this.#to - this.#from + idName.length
      this.id = reader.sizedText()
      return this.#headers
    }
    const headers: string[] = []
    this.id = undefined
    for (let left = reader.varint(); left > 0; left -= 1) {
      if (left === 1 && reader.startsWith(idName)) {
        this.#to = reader.at
        reader.at += idName.length
        this.id = reader.sizedText()
      } else headers.push(reader.sizedText(), reader.sizedText())
    }
    this.#from = from
    this.#headers = headers
    return headers
  }

  /** The number of headers is the first of the bytes, so the id is the last here, too. */
  #isSame(end: number): boolean {
    const { bytes, at } = this.#reader
    const idAt = at + this.#to - this.#from
    if (idAt + idName.length > end || bytes[idAt] !== idName[0]) return false
    return (
      bytes.compare(bytes, this.#from, this.#to, at, idAt) === 0 &&
      bytes.compare(idName, 0, idName.length, idAt, idAt + idName.length) === 0
    )
  }
}

function decompressed(bytes: Buffer, bitmask: number): Buffer {
  if (bitmask === 0) return bytes
  const algorithm = Object.values(compressionsAlgorithms).find((each) => each.bitmask === bitmask)
  if (algorithm === undefined) throw new Error(`a batch is compressed by the unknown method ${bitmask}`)
  return Buffer.from(algorithm.decompressSync(bytes))
}
