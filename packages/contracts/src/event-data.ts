import { PosthasteError } from './error.ts'

/** How the data of an event is represented, by its content type. */
export type DataForm = 'json' | 'text' | 'bytes'

/** How data of a content type is represented; no content type means JSON, as in the JSON event format. */
export function dataForm(contentType: string | undefined): DataForm {
  if (contentType === undefined) return 'json'
  const type = mediaTypeOf(contentType)
  if (/\/(.*\+)?json$/.test(type)) return 'json'
  return (type.startsWith('text/') || /\/(.*\+)?xml$/.test(type)) && isUtf8(contentType) ? 'text' : 'bytes'
}

/** A media type without its parameters, in lower case. */
export function mediaTypeOf(contentType: string): string {
  const end = contentType.indexOf(';')
  return (end === -1 ? contentType : contentType.slice(0, end)).trim().toLowerCase()
}

/** @throws BODY_MALFORMED when the bytes are not UTF-8 or not JSON */
export function parseJson(bytes: Uint8Array, what: string): unknown {
  try {
    return JSON.parse(jsonDecoder.decode(bytes))
  } catch (cause) {
    throw new PosthasteError('BODY_MALFORMED', `${what} is not JSON in UTF-8: ${(cause as Error).message}`, { cause })
  }
}

/** @throws BODY_MALFORMED when the bytes are not UTF-8 */
export function decodeText(bytes: Uint8Array, what: string): string {
  try {
    return textDecoder.decode(bytes)
  } catch (cause) {
    throw new PosthasteError('BODY_MALFORMED', `${what} is not UTF-8`, { cause })
  }
}

/** A JSON value as text, or undefined where it has no such form: functions, cycles, big integers, buffers. */
export function stringifyJson(value: unknown): string | undefined {
  if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) return undefined
  try {
    return JSON.stringify(value)
  } catch {
    return undefined
  }
}

/** What is wrong with data that has no form in its content type. */
export function unfitData(contentType: string | undefined): string {
  if (dataForm(contentType) === 'json') return 'cannot be written as JSON'
  return `must be text or bytes, since datacontenttype is ${contentType}`
}

/** Text as UTF-8. */
export function encodeText(text: string): Uint8Array {
  return encoder.encode(text)
}

const encoder = new TextEncoder()
const jsonDecoder = new TextDecoder('utf-8', { fatal: true })
/** Text is kept as it is; only JSON forbids, and so may lose, a byte order mark. */
const textDecoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

function isUtf8(contentType: string): boolean {
  const charset = /;\s*charset\s*=\s*"?([^";\s]+)/i.exec(contentType)?.[1]
  return charset === undefined || /^(utf-?8|us-ascii)$/i.test(charset)
}
