import { crc32c } from '@platformatic/kafka'
import { describe, expect, it } from 'vitest'
import { ByteReader, ByteWriter } from './bytes.ts'
import { fetchRecords } from './fetch.ts'
import { writeBatch } from './record-batch.ts'

const topicId = '01234567-89ab-cdef-0123-456789abcdef'
const place = { topic: 't', topicId, partition: 0, offset: 0 }
const settings = { waitMsMax: 0, bytesMax: 1, partitionBytesMax: 1 }

interface Written {
  readonly producerId: bigint
  readonly at: number
  readonly kind: 'plain' | 'transactional' | 'abort' | 'commit'
}

/** The answer of a server about one partition with these batches of one record each. */
function answer(batches: readonly Written[], aborted: readonly { producerId: bigint; firstOffset: bigint }[]): Buffer {
  const records = new ByteWriter()
  for (const { producerId, at, kind } of batches) {
    const batch = new ByteWriter()
    const marker = Buffer.of(0, 0, 0, kind === 'abort' ? 0 : 1)
    const isMarker = kind === 'abort' || kind === 'commit'
    const record = { key: isMarker ? marker : `r${at}`, value: Buffer.from('v'), headers: [], id: undefined }
    const transactional = kind !== 'plain'
    const base = { producerEpoch: 0, sequence: 0, timestampMs: 5, compression: 'none' } as const
    writeBatch(batch, [record], { ...base, producerId, transactional })
    const bytes = Buffer.from(batch.written)
    bytes.writeBigInt64BE(BigInt(at), 0)
    records.raw(isMarker ? asMarker(bytes) : bytes)
  }
  const writer = new ByteWriter()
  writer.int32(0)
  writer.int16(0)
  writer.int32(0)
  writer.unsignedVarint(2)
  writer.uuid(topicId)
  writer.unsignedVarint(2)
  writer.int32(0)
  writer.int16(0)
  for (const offset of [90n, 80n, 0n]) writer.int64(offset)
  writer.unsignedVarint(aborted.length + 1)
  for (const { producerId, firstOffset } of aborted) {
    writer.int64(producerId)
    writer.int64(firstOffset)
    writer.tags()
  }
  writer.int32(-1)
  writer.unsignedVarint(records.length + 1)
  writer.raw(records.written)
  for (let tags = 0; tags < 3; tags += 1) writer.tags()
  return Buffer.from(writer.written)
}

/** With the bit of a marker, and the checksum for it: one that is written with it from the start. */
function asMarker(bytes: Buffer): Buffer {
  bytes.writeInt16BE(bytes.readInt16BE(21) | 0x20, 21)
  bytes.writeUInt32BE(crc32c(bytes.subarray(21)), 17)
  return bytes
}

const keysOf = (bytes: Buffer) => {
  const [fetched] = fetchRecords([place], settings).read(new ByteReader(bytes))
  return {
    keys: fetched?.batches.flatMap(({ records }) => records.map(({ key }) => key?.toString())),
    nextOffset: fetched?.nextOffset,
  }
}

describe('what is fetched', () => {
  it('is what was committed, without markers and without what was aborted', () => {
    const batches: Written[] = [
      { producerId: 1n, at: 0, kind: 'transactional' },
      { producerId: 2n, at: 1, kind: 'transactional' },
      { producerId: 3n, at: 2, kind: 'plain' },
      { producerId: 1n, at: 3, kind: 'abort' },
      { producerId: 2n, at: 4, kind: 'commit' },
      { producerId: 1n, at: 5, kind: 'transactional' },
      { producerId: 1n, at: 6, kind: 'commit' },
    ]
    const found = keysOf(answer(batches, [{ producerId: 1n, firstOffset: 0n }]))
    expect(found).toEqual({ keys: ['r1', 'r2', 'r5'], nextOffset: 7 })
  })

  it('goes on behind a marker that is the last', () => {
    expect(keysOf(answer([{ producerId: 1n, at: 9, kind: 'commit' }], []))).toEqual({ keys: [], nextOffset: 10 })
  })

  it('stays where it was when there is nothing', () => {
    expect(keysOf(answer([], []))).toEqual({ keys: [], nextOffset: 0 })
  })
})
