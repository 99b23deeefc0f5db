import { type Codec, PosthasteError } from '@posthaste/contracts'

const encoder = new TextEncoder()
const decoder = new TextDecoder('utf-8', { fatal: true })

/**
 * JSON as UTF-8, the default format.
 * @see RFC 8259
 */
export const jsonCodec: Codec = Object.freeze({
  contentType: 'application/json',
  encode(value: unknown): Uint8Array {
    return utf8(jsonText(value))
  },
  decode(body: Uint8Array): unknown {
    try {
      return JSON.parse(decoder.decode(body))
    } catch (cause) {
      throw PosthasteError.from(cause, 'BODY_MALFORMED', 'the body is not JSON in UTF-8')
    }
  },
})

const slabBytes = 64 * 1024
let slab = new Uint8Array(slabBytes)
let slabUsed = 0

/**
 * Text as bytes. Hot path: small bodies share a slab, since a buffer of its own costs a message more than its encoding and
 * has the garbage collector run for memory outside of its heap. Bytes once handed out are never written again.
 */
function utf8(text: string): Uint8Array {
  const most = text.length * 3
  if (most > slabBytes / 8) return encoder.encode(text)
  if (slabUsed + most > slabBytes) {
    slab = new Uint8Array(slabBytes)
    slabUsed = 0
  }
  const start = slabUsed
  const end = text.length <= shortUnits ? writeAscii(text, start) : undefined
  if (end !== undefined) {
    slabUsed = end
    return slab.subarray(start, end)
  }
  slabUsed += encoder.encodeInto(text, slab.subarray(start)).written
  return slab.subarray(start, slabUsed)
}

/** A native call costs more than the bytes of less text. */
const shortUnits = 160

/** Writes text into the slab. @returns where it ends; undefined if it is not ASCII */
function writeAscii(text: string, start: number): number | undefined {
  const { length } = text
  for (let unit = 0; unit < length; unit++) {
    const code = text.charCodeAt(unit)
    if (code > 0x7f) return undefined
    slab[start + unit] = code
  }
  return start + length
}

/** `JSON.stringify` throws for cycles and big integers, and answers undefined for what JSON has no word for. */
function jsonText(value: unknown): string {
  let text: string | undefined
  try {
    text = JSON.stringify(value)
  } catch (cause) {
    throw PosthasteError.from(cause, 'PAYLOAD_INVALID', 'the data cannot be written as JSON')
  }
  if (text === undefined) throw new PosthasteError('PAYLOAD_INVALID', `JSON has no way to write a ${typeof value}`)
  return text
}
