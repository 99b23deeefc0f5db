import { malformed } from './violation.ts'

const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** Up to so many characters a loop over them is faster than a call into Node. */
const shortLengthMax = 16

/** Bytes of a text as UTF-8. */
export function textBytes(text: string): number {
  return isShortAscii(text) ? text.length : Buffer.byteLength(text, 'utf8')
}

/**
 * Writes a text as UTF-8.
 * @returns how many bytes it takes
 */
export function writeText(text: string, bytes: Buffer, start: number): number {
  const { length } = text
  if (length > shortLengthMax) return bytes.write(text, start)
  for (let at = 0; at < length; at++) {
    const code = text.charCodeAt(at)
    if (code >= 0x80) return bytes.write(text, start)
    bytes[start + at] = code
  }
  return length
}

function isShortAscii(text: string): boolean {
  const { length } = text
  if (length > shortLengthMax) return false
  for (let at = 0; at < length; at++) if (text.charCodeAt(at) >= 0x80) return false
  return true
}

/**
 * Text from UTF-8.
 * @throws BODY_MALFORMED when the bytes are not UTF-8
 */
export function readText(bytes: Buffer, start: number, end: number): string {
  for (let at = start; at < end; at++) {
    if ((bytes[at] as number) >= 0x80) return decode(bytes.subarray(start, end))
  }
  return bytes.toString('latin1', start, end)
}

function decode(bytes: Uint8Array): string {
  try {
    return strict.decode(bytes)
  } catch {
    throw malformed('text is not UTF-8')
  }
}

/**
 * A JSON object from its text.
 * @throws BODY_MALFORMED when the bytes are not UTF-8, not JSON, or no object
 */
export function readObject(bytes: Buffer, start: number, end: number): Readonly<Record<string, unknown>> {
  const text = readText(bytes, start, end)
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    throw malformed('a payload is not JSON')
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw malformed('a payload is no JSON object')
  return value as Record<string, unknown>
}
