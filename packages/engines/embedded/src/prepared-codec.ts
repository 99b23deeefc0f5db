import { PosthasteError, type PreparedRecord } from '@posthaste/contracts'
import { BlockWriter, StoredBlock } from './storage/block-codec.ts'

/*
 * A prepared record at rest (little-endian): checkAtMs f64 | preparedAtMs f64 | checks u32 | groupBytes u8 | group utf8 |
 * a block of the one record.
 */

const fixedBytes = 8 + 8 + 4 + 1

/** A prepared record's row. */
export function encodePrepared({ record, checkAtMs, preparedAtMs, checks }: PreparedRecord): Buffer {
  const group = Buffer.from(record.group ?? '')
  const fixed = Buffer.allocUnsafe(fixedBytes)
  fixed.writeDoubleLE(checkAtMs, 0)
  fixed.writeDoubleLE(preparedAtMs, 8)
  fixed.writeUInt32LE(checks, 16)
  fixed.writeUInt8(group.length, 20)
  const writer = new BlockWriter()
  writer.add(record)
  return Buffer.concat([fixed, group, writer.take(preparedAtMs)])
}

/** @throws ENGINE_CORRUPT when the record cannot be read */
export function decodePrepared(row: Buffer, channel: string): PreparedRecord {
  const blockAt = fixedBytes + row.readUInt8(20)
  const group = row.toString('utf8', fixedBytes, blockAt)
  const record = StoredBlock.read(row.subarray(blockAt))?.record(0, channel)
  if (record === undefined) throw new PosthasteError('ENGINE_CORRUPT', `a prepared record of '${channel}' is damaged`)
  return {
    record: group === '' ? record : { ...record, group },
    checkAtMs: row.readDoubleLE(0),
    preparedAtMs: row.readDoubleLE(8),
    checks: row.readUInt32LE(16),
  }
}
