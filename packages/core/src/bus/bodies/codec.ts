import { PosthasteError } from '@posthaste/contracts'

/** Turns data into bytes and back, for one content type. Codecs keep no state and may be shared. */
export interface Codec {
  /** Media type without parameters, in lower case: `application/json`. */
  readonly contentType: string
  /** @throws PAYLOAD_INVALID when the value cannot be written in this format */
  encode(value: unknown): Uint8Array
  /** @throws BODY_MALFORMED when the bytes are not of this format */
  decode(body: Uint8Array): unknown
}

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

/**
 * The codec for a content type; parameters such as `charset` do not matter, and a structured suffix counts as its format.
 * @throws BODY_MALFORMED when no codec reads it
 */
export function codecFor(contentType: string): Codec {
  // Hot path: what Posthaste itself writes is recognised by one comparison.
  if (contentType === jsonCodec.contentType) return jsonCodec
  const mediaType = contentType.split(';', 1)[0]!.trim().toLowerCase()
  if (mediaType === jsonCodec.contentType || mediaType.endsWith('+json')) return jsonCodec
  throw new PosthasteError('BODY_MALFORMED', `no codec reads the content type '${contentType}'`)
}

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
  slabUsed += encoder.encodeInto(text, slab.subarray(start)).written
  return slab.subarray(start, slabUsed)
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
