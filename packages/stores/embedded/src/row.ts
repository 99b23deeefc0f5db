import { createHash } from 'node:crypto'
import { crc32 } from 'node:zlib'
import { PosthasteError } from '@posthaste/contracts'

/** What is known of a key: claimed, or with a result, done. */
export interface Row {
  readonly endsAtMs: number
  readonly token: string
  readonly result: Uint8Array | undefined
}

/*
 * A row: CRC-32 of the rest (4 bytes), end in milliseconds (8), 0 or 1 for claimed or done (1), length of the token (2), the
 * token in UTF-8, the result. Numbers are big-endian.
 */
const endsAt = 4
const doneAt = 12
const tokenLengthAt = 13
const headBytes = 15

/** Keys of any length and content; as JSON, since halves of surrogate pairs would all be the same bytes. */
export function idOf(key: string): Buffer {
  return createHash('sha256').update(JSON.stringify(key)).digest()
}

/** Where a row stands among those that end. */
export function endKey(endsAtMs: number, id: Buffer): Buffer {
  const key = Buffer.alloc(8 + id.length)
  key.writeBigUInt64BE(BigInt(Math.ceil(endsAtMs)))
  id.copy(key, 8)
  return key
}

/** The end and the id in a key of {@link endKey}. */
export function endOf(key: Buffer): { readonly endsAtMs: number; readonly id: Buffer } {
  return { endsAtMs: Number(key.readBigUInt64BE()), id: key.subarray(8) }
}

export function encodeRow({ endsAtMs, token, result }: Row): Buffer {
  const name = Buffer.from(token)
  const bytes = Buffer.alloc(headBytes + name.length + (result?.length ?? 0))
  bytes.writeBigUInt64BE(BigInt(Math.ceil(endsAtMs)), endsAt)
  bytes.writeUInt8(result === undefined ? 0 : 1, doneAt)
  bytes.writeUInt16BE(name.length, tokenLengthAt)
  name.copy(bytes, headBytes)
  if (result !== undefined) bytes.set(result, headBytes + name.length)
  bytes.writeUInt32BE(crc32(bytes.subarray(endsAt)))
  return bytes
}

/**
 * A row with bytes of its own.
 * @throws ENGINE_CORRUPT when it does not match its checksum
 */
export function decodeRow(bytes: Buffer): Row {
  if (bytes.length < headBytes || bytes.readUInt32BE() !== crc32(bytes.subarray(endsAt))) {
    throw new PosthasteError('ENGINE_CORRUPT', 'a stored result does not match its checksum', {
      remedy: 'Keep the directory for who looks into it, and begin with an empty one.',
    })
  }
  const resultAt = headBytes + bytes.readUInt16BE(tokenLengthAt)
  return {
    endsAtMs: Number(bytes.readBigUInt64BE(endsAt)),
    token: bytes.toString('utf8', headBytes, resultAt),
    result: bytes.readUInt8(doneAt) === 0 ? undefined : Uint8Array.from(bytes.subarray(resultAt)),
  }
}
