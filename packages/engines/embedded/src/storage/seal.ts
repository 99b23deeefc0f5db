import { damagedRow } from '../errors.ts'
import { checksum } from './checksum.ts'
import { asBuffer, idOf, offsetOf } from './keys.ts'
import type { TableName } from './tables.ts'

/*
 * Every row but those that have checksums of their own ends in one: the exclusive or of the CRC-32s of key and value (u32,
 * little-endian). A flipped bit in a cursor or in the due time of a retry would otherwise not be seen, and be acted on.
 */

const sealBytes = 4

/** Rows that are not sealed: what tells the format, blocks with their own checksums, and bytes that are known to be damaged. */
const unsealed: ReadonlySet<TableName> = new Set<TableName>(['meta', 'blocks', 'quarantine'])

/** Whether the rows of a table end in a checksum. */
export function isSealed(table: TableName): boolean {
  return !unsealed.has(table)
}

/** A row's value with its checksum behind. */
export function seal(key: Uint8Array, value: Uint8Array): Buffer {
  const row = Buffer.allocUnsafe(value.length + sealBytes)
  row.set(value)
  row.writeUInt32LE(sumOf(key, row, value.length), value.length)
  return row
}

/** The value of a sealed row; undefined if row and checksum do not fit. */
export function unseal(key: Uint8Array, row: Buffer): Buffer | undefined {
  const end = row.length - sealBytes
  if (end < 0) return undefined
  return row.readUInt32LE(end) === sumOf(key, row, end) ? row.subarray(0, end) : undefined
}

function sumOf(key: Uint8Array, row: Buffer, end: number): number {
  return (checksum(asBuffer(key), 0, key.length) ^ checksum(row, 0, end)) >>> 0
}

/**
 * The value of a sealed row.
 * @throws ENGINE_CORRUPT naming the row
 */
export function openSeal(table: TableName, key: Uint8Array, row: Buffer): Buffer {
  const value = unseal(key, row)
  if (value === undefined) throw damagedRow(table, nameOf(table, key))
  return value
}

/** A row's key as somebody who repairs would look for it. */
function nameOf(table: TableName, key: Uint8Array): string {
  if (table === 'topology') return `'${Buffer.from(key).toString()}'`
  if (key.length === 4) return `of id ${idOf(key)}`
  if (key.length === 10) return `of id ${idOf(key)} at offset ${offsetOf(key)}`
  return Buffer.from(key).toString('hex')
}
