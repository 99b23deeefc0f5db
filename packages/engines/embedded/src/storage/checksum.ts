import { crc32 } from 'node:zlib'

/*
 * CRC-32 as zlib has it. A native call, and the view of the buffer that it needs, cost more than the bytes of a small
 * record: those are summed here, eight at a time. `npm run bench -- embedded` pays for this file.
 *
 * @see "A Systematic Approach to Building High Performance, Software-based, CRC Generators" (Kounavis and Berry, 2005)
 */

/** From here on the native function is faster. */
const nativeFrom = 512

/** Remainders of a byte at each of eight places: table `k` is for a byte with `k` more behind it. */
const tables = remainders()
const [t0, t1, t2, t3, t4, t5, t6, t7] = tables

/** The checksum of `bytes[start, end)`. */
export function checksum(bytes: Buffer, start: number, end: number): number {
  if (end - start >= nativeFrom) return crc32(bytes.subarray(start, end))
  let sum = -1
  let at = start
  for (const last = end - 8; at <= last; at += 8) {
    const low = sum ^ (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24))
    sum =
      t7[low & 0xff]! ^
      t6[(low >>> 8) & 0xff]! ^
      t5[(low >>> 16) & 0xff]! ^
      t4[low >>> 24]! ^
      t3[bytes[at + 4]!]! ^
      t2[bytes[at + 5]!]! ^
      t1[bytes[at + 6]!]! ^
      t0[bytes[at + 7]!]!
  }
  for (; at < end; at++) sum = t0[(sum ^ bytes[at]!) & 0xff]! ^ (sum >>> 8)
  return ~sum >>> 0
}

type Table = Int32Array
type Tables = readonly [Table, Table, Table, Table, Table, Table, Table, Table]

function remainders(): Tables {
  const all = Array.from({ length: 8 }, () => new Int32Array(256)) as unknown as Tables
  const [first] = all
  for (let byte = 0; byte < 256; byte++) {
    let sum = byte
    for (let bit = 0; bit < 8; bit++) sum = sum & 1 ? (sum >>> 1) ^ 0xedb88320 : sum >>> 1
    first[byte] = sum
  }
  for (let behind = 1; behind < 8; behind++) {
    const before = all[behind - 1]!
    for (let byte = 0; byte < 256; byte++) all[behind]![byte] = first[before[byte]! & 0xff]! ^ (before[byte]! >>> 8)
  }
  return all
}
