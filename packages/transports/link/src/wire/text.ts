import { malformed } from './violation.ts'

const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

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
