import {
  type Codec,
  isErrorCode,
  type OutgoingRecord,
  PosthasteError,
  type PosthasteErrorOptions,
} from '@posthaste/contracts'

/** What became of a call that was done: its result, its failure, or one of them that could not be kept. */
export type KeptOutcome =
  | { readonly kind: 'result'; readonly value: unknown }
  | { readonly kind: 'failure'; readonly error: PosthasteError }
  | { readonly kind: 'notKept' }

/** The first byte tells what follows. */
const tags = { nothing: 0, result: 1, failure: 2, notKept: 3, outbox: 4 } as const

/** A result as bytes; undefined results take none. @throws what the codec throws for a value it cannot write */
export function encodeResult(value: unknown, codec: Codec): Uint8Array {
  return value === undefined ? Uint8Array.of(tags.nothing) : tagged(tags.result, codec.encode(value))
}

/**
 * What the handling of a message came to: the records that leave with its settlement, whose bodies are bytes, whatever the
 * codec. Their list as JSON, with lengths in place of bodies, behind its own length (4 bytes); then the bodies.
 */
export function encodeHandled(value: unknown, codec: Codec): Uint8Array {
  if (!isOutbox(value)) return encodeResult(value, codec)
  const list = json.encode(value.map((record) => ({ ...record, body: record.body.length })))
  const whole = new Uint8Array(value.reduce((sum, { body }) => sum + body.length, 5 + list.length))
  whole[0] = tags.outbox
  new DataView(whole.buffer).setUint32(1, list.length)
  let at = 5
  for (const part of [list, ...value.map(({ body }) => body)]) {
    whole.set(part, at)
    at += part.length
  }
  return whole
}

/** What a caller may learn of a failure; neither its cause nor its stack. */
export function encodeFailure(error: PosthasteError): Uint8Array {
  const { code, message, remedy, verdict, issues, details } = error
  const text = message.startsWith(`[${code}] `) ? message.slice(code.length + 3) : message
  return tagged(tags.failure, json.encode({ code, message: text, remedy, verdict, issues, details }))
}

/** In place of what has no bytes, or too many: that it was done must be known all the same. */
export const notKept: Uint8Array = Uint8Array.of(tags.notKept)

/** @throws what the codec throws for bytes of another format, or BODY_MALFORMED */
export function decodeOutcome(bytes: Uint8Array, codec: Codec): KeptOutcome {
  const rest = bytes.subarray(1)
  switch (bytes[0]) {
    case tags.nothing:
      return { kind: 'result', value: undefined }
    case tags.result:
      return { kind: 'result', value: codec.decode(rest) }
    case tags.failure:
      return { kind: 'failure', error: failureOf(json.decode(rest)) }
    case tags.outbox:
      return { kind: 'result', value: outboxOf(rest) }
    case tags.notKept:
      return { kind: 'notKept' }
    default:
      throw new PosthasteError('BODY_MALFORMED', 'what the store of idempotency has kept is of another format')
  }
}

/** Results as JSON: what `JSON.stringify` leaves out or changes is not in them. */
export const json: Codec = {
  contentType: 'application/json',
  encode(value) {
    const text = JSON.stringify(value)
    if (text === undefined) throw new PosthasteError('PAYLOAD_INVALID', 'a result of this type is no JSON data')
    return new TextEncoder().encode(text)
  },
  decode: (body) => JSON.parse(new TextDecoder().decode(body)) as unknown,
}

function failureOf(data: unknown): PosthasteError {
  const { code, message, ...options } = data as PosthasteErrorOptions & { code: unknown; message: unknown }
  return new PosthasteError(isErrorCode(code) ? code : 'INTERNAL', String(message), options)
}

function isOutbox(value: unknown): value is readonly OutgoingRecord[] {
  return Array.isArray(value) && value.length > 0 && value.every((each) => Object(each).body instanceof Uint8Array)
}

function outboxOf(bytes: Uint8Array): readonly OutgoingRecord[] {
  const listEnd = 4 + new DataView(bytes.buffer, bytes.byteOffset).getUint32(0)
  const list = json.decode(bytes.subarray(4, listEnd)) as readonly (Omit<OutgoingRecord, 'body'> & { body: number })[]
  let end = listEnd
  return list.map((record) => {
    const start = end
    end += record.body
    return { ...record, body: bytes.slice(start, end) }
  })
}

function tagged(tag: number, bytes: Uint8Array): Uint8Array {
  const whole = new Uint8Array(bytes.length + 1)
  whole[0] = tag
  whole.set(bytes, 1)
  return whole
}
