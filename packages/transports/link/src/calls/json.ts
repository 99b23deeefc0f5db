import { Buffer, isUtf8 } from 'node:buffer'
import { type Codec, hasLongNumber, PosthasteError } from '@posthaste/contracts'

/**
 * JSON on the wire, the format that both sides of a link always have. Read as strictly as I-JSON asks: valid UTF-8, no
 * integers that a double would round, no `__proto__` members, which turn into prototypes wherever somebody copies them.
 *
 * @see https://www.rfc-editor.org/rfc/rfc8259
 * @see https://www.rfc-editor.org/rfc/rfc7493
 */
export const json: Codec = Object.freeze({ contentType: 'application/json', encode, decode })

function encode(value: unknown): Uint8Array {
  const text = textOf(value)
  const most = text.length * 3
  if (most > slabBytes / 8) return Buffer.from(text)
  if (slabUsed + most > slabBytes) {
    slab = Buffer.allocUnsafeSlow(slabBytes)
    slabUsed = 0
  }
  const start = slabUsed
  slabUsed += slab.write(text, start)
  return slab.subarray(start, slabUsed)
}

const slabBytes = 64 * 1024

/*
 * Hot path: small bodies share a slab, since a buffer of its own costs a message more than its encoding. Bytes once handed
 * out are never written again.
 */
let slab = Buffer.allocUnsafeSlow(slabBytes)
let slabUsed = 0

function textOf(value: unknown): string {
  let text: string | undefined
  try {
    text = JSON.stringify(value)
  } catch (cause) {
    throw PosthasteError.from(cause, 'PAYLOAD_INVALID', 'the data cannot be written as JSON')
  }
  // What the types of `JSON.stringify` leave out: undefined, functions and symbols have no text.
  if (text === undefined) throw new PosthasteError('PAYLOAD_INVALID', `JSON has no way to write ${typeof value}`)
  return text
}

function decode(body: Uint8Array): unknown {
  const bytes = Buffer.isBuffer(body) ? body : Buffer.from(body.buffer, body.byteOffset, body.byteLength)
  const text = bytes.toString()
  // What is no UTF-8 was read as U+FFFD, which may have been meant.
  if (text.includes('\ufffd') && !isUtf8(bytes)) throw malformed('is not valid UTF-8')
  try {
    return isSuspicious(text, bytes) ? JSON.parse(text, refuseUnsafe) : JSON.parse(text)
  } catch (error) {
    if (PosthasteError.is(error)) throw error
    throw malformed(`is not JSON: ${(error as Error).message}`)
  }
}

/** Whether a text may hold what {@link refuseUnsafe} looks for; all others are spared its cost. */
function isSuspicious(text: string, bytes: Uint8Array): boolean {
  return text.includes('__proto__') || text.includes('\\u00') || hasLongNumber(bytes)
}

interface ReviverContext {
  /** The number as it was written; only primitives have one. */
  readonly source?: string
}

function refuseUnsafe(key: string, value: unknown, context?: ReviverContext): unknown {
  if (key === '__proto__') throw malformed(`must not have a member '__proto__'`)
  if (typeof value !== 'number' || Number.isSafeInteger(value)) return value
  const source = context?.source
  if (source !== undefined && /^-?\d+$/.test(source) && isRounded(value, source)) {
    throw malformed(`has an integer at '${key}' that a double would round; send it as a string`)
  }
  return value
}

/** What a double writes itself is no more rounded than it was. */
function isRounded(value: number, source: string): boolean {
  return String(value) !== source && (!Number.isFinite(value) || BigInt(value) !== BigInt(source))
}

function malformed(what: string): PosthasteError {
  return new PosthasteError('BODY_MALFORMED', `the body ${what}`)
}
