import { Entry, type Origin } from './entry.ts'

const inHandFlag = 1
const holdFlag = 2
const keyFlag = 4
const rowFixedBytes = 1 + 4 + 1 + 8 + 8

/** An entry's row. */
export function encodeEntry(entry: Entry): Buffer {
  const key = entry.key === undefined ? undefined : Buffer.from(entry.key)
  const row = Buffer.allocUnsafe(rowFixedBytes + (key?.length ?? 0))
  row[0] = (entry.inHand ? inHandFlag : 0) | (entry.hold ? holdFlag : 0) | (key === undefined ? 0 : keyFlag)
  row.writeUInt32LE(entry.failed, 1)
  row[5] = Math.min(entry.crashes, 255)
  row.writeDoubleLE(entry.dueAtMs, 6)
  row.writeDoubleLE(entry.order, 14)
  key?.copy(row, rowFixedBytes)
  return row
}

/** The entry of a row. One that was being handed over when the process died has had that attempt, and knows of the crash. */
export function decodeEntry(source: Origin, offset: number, row: Buffer): Entry {
  const flags = row[0]!
  const entry = new Entry(source, {
    offset,
    order: row.readDoubleLE(14),
    key: flags & keyFlag ? row.toString('utf8', rowFixedBytes) : undefined,
  })
  const died = (flags & inHandFlag) !== 0
  entry.failed = row.readUInt32LE(1) + (died ? 1 : 0)
  entry.crashes = row[5]! + (died ? 1 : 0)
  entry.hold = (flags & holdFlag) !== 0
  entry.dueAtMs = row.readDoubleLE(6)
  entry.stored = true
  return entry
}
