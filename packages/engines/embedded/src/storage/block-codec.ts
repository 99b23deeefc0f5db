import { crc32 } from 'node:zlib'
import type { OutgoingRecord } from '@posthaste/contracts'
import { decodeRecord, encodedBytesMax, encodeRecord, isIntact } from './record-codec.ts'

/*
 * A block holds consecutive records of one channel, published together, and is one row of the store: a row costs the
 * store far more than the bytes of a small record. Its trailer has the end of each record, so that one record can be
 * read alone and a damaged one takes no neighbour with it:
 *
 *   records… | ends u32 × count | behind f64 | storedAtMs f64 | crc of the records u32 | count u32
 *   | crc of the trailer u32 | version u8
 *
 * The checksum over all records makes reading a whole block cheap; only when it fails are the records' own looked at.
 */

const version = 1
const storedAt = 8
const recordsCrcAt = storedAt + 8
const countAt = recordsCrcAt + 4
const crcAt = countAt + 4
const trailerFixedBytes = crcAt + 4 + 1

/** Where blocks are put together. One for all writers: each takes its block before another begins, and none keeps it. */
let scratch = Buffer.allocUnsafeSlow(128 * 1024)

/**
 * Collects records into blocks; `take` copies the bytes that count. Between the first `add` and `take` no other writer may
 * be used: ten thousand channels share a buffer.
 */
export class BlockWriter {
  #ends: number[] = []
  #at = 0

  /** Records in the block so far. */
  get count(): number {
    return this.#ends.length
  }

  /** Bytes in the block so far. */
  get bytes(): number {
    return this.#at
  }

  add(record: OutgoingRecord): void {
    this.#reserve(encodedBytesMax(record))
    this.#at = encodeRecord(record, scratch, this.#at)
    this.#ends.push(this.#at)
  }

  /** The finished block; the writer is empty again. */
  take(storedAtMs: number, behind = 0): Buffer {
    const count = this.#ends.length
    this.#reserve(count * 4 + trailerFixedBytes)
    const trailerAt = this.#at
    let at = trailerAt
    for (let i = 0; i < count; i++) at = scratch.writeUInt32LE(this.#ends[i]!, at)
    at = scratch.writeDoubleLE(behind, at)
    at = scratch.writeDoubleLE(storedAtMs, at)
    at = scratch.writeUInt32LE(crc32(scratch.subarray(0, trailerAt)), at)
    at = scratch.writeUInt32LE(count, at)
    at = scratch.writeUInt32LE(crc32(scratch.subarray(trailerAt, at)), at)
    at = scratch.writeUInt8(version, at)
    const block = Buffer.from(scratch.subarray(0, at))
    this.#ends = []
    this.#at = 0
    return block
  }

  #reserve(bytes: number): void {
    const needed = this.#at + bytes
    if (needed <= scratch.length) return
    const larger = Buffer.allocUnsafeSlow(Math.max(needed, scratch.length * 2))
    scratch.copy(larger, 0, 0, this.#at)
    scratch = larger
  }
}

/** A block as it was read; records are decoded when asked for. */
export class StoredBlock {
  readonly count: number
  readonly storedAtMs: number
  /** Where in another log its records take their places: behind all that was there below this offset. */
  readonly behind: number
  readonly #bytes: Buffer
  readonly #trailerAt: number
  readonly #intact: boolean

  /** Whether the trailer had to be made anew. */
  isRebuilt = false

  private constructor(bytes: Buffer, trailer: { at: number; count: number; storedAtMs: number; behind: number }) {
    this.#bytes = bytes
    this.#trailerAt = trailer.at
    this.#intact =
      crc32(bytes.subarray(0, trailer.at)) === bytes.readUInt32LE(bytes.length - trailerFixedBytes + recordsCrcAt)
    this.count = trailer.count
    this.storedAtMs = trailer.storedAtMs
    this.behind = trailer.behind
  }

  /** The block in these bytes; undefined if it is damaged in several places and cannot be cut up any more. */
  static read(bytes: Buffer): StoredBlock | undefined {
    const block = StoredBlock.#whole(bytes)
    if (block !== undefined) return block
    const rebuilt = withNewTrailer(bytes)
    const saved = rebuilt && StoredBlock.#whole(rebuilt)
    if (saved !== undefined) saved.isRebuilt = true
    return saved
  }

  static #whole(bytes: Buffer): StoredBlock | undefined {
    const fixedAt = bytes.length - trailerFixedBytes
    if (fixedAt < 0 || bytes[bytes.length - 1] !== version) return undefined
    const count = bytes.readUInt32LE(fixedAt + countAt)
    const at = fixedAt - count * 4
    if (at < 0 || bytes.readUInt32LE(fixedAt + crcAt) !== crc32(bytes.subarray(at, fixedAt + crcAt))) return undefined
    const storedAtMs = bytes.readDoubleLE(fixedAt + storedAt)
    return new StoredBlock(bytes, { at, count, storedAtMs, behind: bytes.readDoubleLE(fixedAt) })
  }

  /** The record at an index, or undefined if it is damaged. */
  record(index: number, channel: string): OutgoingRecord | undefined {
    const span = { start: index === 0 ? 0 : this.#end(index - 1), end: this.#end(index) }
    return this.#intact || isIntact(this.#bytes, span) ? decodeRecord(this.#bytes, span, channel) : undefined
  }

  #end(index: number): number {
    return this.#bytes.readUInt32LE(this.#trailerAt + index * 4)
  }
}

/**
 * A block whose trailer is damaged, with another: where all records are intact, their own lengths tell where each ends.
 * Times that cannot be relied on become 0.
 */
function withNewTrailer(bytes: Buffer): Buffer | undefined {
  const ends: number[] = []
  for (let at = 0; bytes.length - at !== ends.length * 4 + trailerFixedBytes; ends.push(at)) {
    const start = at
    if (start + 8 > bytes.length) return undefined
    at = start + 8 + bytes.readUInt32LE(start + 4)
    if (!isIntact(bytes, { start, end: at })) return undefined
  }
  const trailerAt = ends.at(-1) ?? 0
  const fixedAt = bytes.length - trailerFixedBytes
  const rebuilt = Buffer.from(bytes)
  for (const [index, end] of ends.entries()) rebuilt.writeUInt32LE(end, trailerAt + index * 4)
  rebuilt.writeUInt32LE(crc32(rebuilt.subarray(0, trailerAt)), fixedAt + recordsCrcAt)
  rebuilt.writeUInt32LE(ends.length, fixedAt + countAt)
  const hasItsTimes = crc32(rebuilt.subarray(trailerAt, fixedAt + crcAt)) === bytes.readUInt32LE(fixedAt + crcAt)
  if (!hasItsTimes) rebuilt.fill(0, fixedAt, fixedAt + recordsCrcAt)
  rebuilt.writeUInt32LE(crc32(rebuilt.subarray(trailerAt, fixedAt + crcAt)), fixedAt + crcAt)
  rebuilt.writeUInt8(version, rebuilt.length - 1)
  return rebuilt
}
