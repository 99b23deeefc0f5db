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
    return encoder.encode(jsonText(value))
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
