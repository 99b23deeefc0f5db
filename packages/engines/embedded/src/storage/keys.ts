/*
 * Keys of the store's tables: fixed-width big-endian numbers, so that the store's byte order is number order. Offsets
 * and times are 48 bits wide: 281 trillion records, and milliseconds until the year 10889.
 */

const numberBytes = 4
const wideBytes = 6
/** Longer than any key that stands behind a name. */
const behindNameMax = 32

/** Largest offset or time a key can hold. */
export const wideMax = 2 ** 48 - 1

/** A table row that belongs to one channel, group or cursor. */
export function idKey(id: number): Buffer {
  const key = Buffer.allocUnsafe(numberBytes)
  key.writeUInt32BE(id, 0)
  return key
}

/** A row at an offset of a channel or cursor: ordered by offset within it. */
export function offsetKey(id: number, offset: number): Buffer {
  const key = Buffer.allocUnsafe(numberBytes + wideBytes)
  key.writeUInt32BE(id, 0)
  key.writeUIntBE(offset, numberBytes, wideBytes)
  return key
}

/** The offset of an {@link offsetKey}. */
export function offsetOf(key: Uint8Array): number {
  return asBuffer(key).readUIntBE(numberBytes, wideBytes)
}

/** The id that a key begins with. */
export function idOf(key: Uint8Array): number {
  return asBuffer(key).readUInt32BE(0)
}

/** Order of arrival: the how-manieth opening of the directory, and a count since. */
export interface Arrival {
  readonly boot: number
  readonly count: number
}

/** A row ordered by time, and by order of arrival within a millisecond. */
export function timeKey(atMs: number, { boot, count }: Arrival): Buffer {
  const key = Buffer.allocUnsafe(wideBytes + numberBytes + wideBytes)
  key.writeUIntBE(atMs, 0, wideBytes)
  key.writeUInt32BE(boot, wideBytes)
  key.writeUIntBE(count, wideBytes + numberBytes, wideBytes)
  return key
}

/** Before every row of this time, and behind every row of earlier ones. */
export function timeFloor(atMs: number): Buffer {
  return timeKey(atMs, { boot: 0, count: 0 })
}

/** The time of a {@link timeKey}. */
export function timeOf(key: Uint8Array): number {
  return asBuffer(key).readUIntBE(0, wideBytes)
}

/** A row that is found by a channel and a name of at most 65,535 bytes; what is behind it tells those of one name apart. */
export function nameKey(id: number, name: string, behind: Uint8Array = Buffer.alloc(0)): Buffer {
  const nameBytes = Buffer.byteLength(name)
  const key = Buffer.allocUnsafe(numberBytes + 2 + nameBytes + behind.length)
  key.writeUInt32BE(id, 0)
  key.writeUInt16BE(nameBytes, numberBytes)
  key.write(name, numberBytes + 2)
  key.set(behind, numberBytes + 2 + nameBytes)
  return key
}

/** The rows of one name, whatever is behind it. */
export function namedRows(id: number, name: string): { from: Buffer; to: Buffer } {
  return { from: nameKey(id, name), to: nameKey(id, name, Buffer.alloc(behindNameMax, 0xff)) }
}

/** A row that is a number. */
export function wideRow(value: number): Buffer {
  const row = Buffer.allocUnsafe(wideBytes)
  row.writeUIntBE(value, 0, wideBytes)
  return row
}

/** The number of a {@link wideRow}. */
export function wideOf(row: Buffer): number {
  return row.readUIntBE(0, wideBytes)
}

/** Behind every key that a table can have. */
export const keysEnd = Buffer.alloc(behindNameMax, 0xff)

/** The first key that can stand behind another. */
export function behind(key: Uint8Array): Buffer {
  const next = Buffer.alloc(key.length + 1)
  next.set(key)
  return next
}

/** The same bytes with Buffer's readers. */
export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
