import { type Headers, PosthasteError } from '@posthaste/contracts'
import { readText, textBytes, writeText } from './text.ts'
import { malformed, tooLarge } from './violation.ts'

/*
 * A metadata block: a count of pairs (u16), then for each the name (length u8, bytes) and the value (length u16, bytes).
 */

/** No metadata; the same object for every stream without, so do not change it. */
export const noMetadata: Headers = Object.freeze({})

const nameBytesMax = 0xff
const valueBytesMax = 0xffff
const pairsMax = 0xffff

/**
 * Bytes that metadata takes as a block.
 * @param bytesMax what the other side takes
 * @throws INVALID_ARGUMENT when it is not sendable: a name that is empty, too long or not of lower-case visible ASCII,
 *   a value that is no text or too long, more than `bytesMax` together
 */
export function metadataBytes(metadata: Headers, bytesMax: number): number {
  let bytes = 2
  let pairs = 0
  for (const name in metadata) {
    if (!Object.hasOwn(metadata, name)) continue
    const value = metadata[name]
    if (!isName(name))
      throw unsendable(`the name ${JSON.stringify(name.slice(0, 64))} is not 1 to 255 lower-case characters`)
    if (typeof value !== 'string') throw unsendable(`${name} is not text`)
    const valueBytes = textBytes(value)
    if (valueBytes > valueBytesMax) throw unsendable(`${name} has more than ${valueBytesMax} bytes`)
    bytes += 3 + name.length + valueBytes
    pairs++
  }
  if (bytes > bytesMax || pairs > pairsMax) throw unsendable(`${bytes} bytes are more than the ${bytesMax} allowed`)
  return bytes
}

/**
 * Writes the block of metadata that {@link metadataBytes} has measured.
 * @returns the offset after it
 */
export function writeMetadata(metadata: Headers, bytes: Buffer, start: number): number {
  let at = start + 2
  let pairs = 0
  for (const name in metadata) {
    if (!Object.hasOwn(metadata, name)) continue
    bytes[at] = name.length
    at += 1 + writeText(name, bytes, at + 1)
    const valueBytes = writeText(metadata[name] as string, bytes, at + 2)
    bytes[at] = valueBytes >>> 8
    bytes[at + 1] = valueBytes
    at += 2 + valueBytes
    pairs++
  }
  bytes[start] = pairs >>> 8
  bytes[start + 1] = pairs
  return at
}

/** Where in a payload a metadata block lies, and how large it may be. */
export interface MetadataPlace {
  readonly bytes: Buffer
  readonly start: number
  /** End of the payload; what follows the block is left alone. */
  readonly end: number
  readonly bytesMax: number
}

/** A block that was read. */
export interface MetadataRead {
  readonly metadata: Headers
  /** Offset after it. */
  readonly end: number
}

/**
 * Reads a metadata block.
 * @throws BODY_MALFORMED when it is cut short, has a name twice or an invalid one, or is not UTF-8; BODY_TOO_LARGE when
 *   it is longer than `bytesMax`
 */
export function readMetadata({ bytes, start, end, bytesMax }: MetadataPlace): MetadataRead {
  if (end - start < 2) throw cutShort()
  const pairs = ((bytes[start] as number) << 8) | (bytes[start + 1] as number)
  let at = start + 2
  if (pairs === 0) return { metadata: noMetadata, end: at }
  const limit = Math.min(end, start + bytesMax)
  const metadata: Record<string, string> = {}
  for (let pair = 0; pair < pairs; pair++) {
    const nameEnd = at + 1 + (at < limit ? (bytes[at] as number) : 0)
    if (nameEnd + 2 > limit) throw beyond(limit, end)
    const valueStart = nameEnd + 2
    const valueEnd = valueStart + (((bytes[nameEnd] as number) << 8) | (bytes[nameEnd + 1] as number))
    if (valueEnd > limit) throw beyond(limit, end)
    const name = readName(bytes, at + 1, nameEnd)
    if (pair > 0 && Object.hasOwn(metadata, name)) throw malformed('metadata has a name twice')
    put(metadata, name, readText(bytes, valueStart, valueEnd))
    at = valueEnd
  }
  return { metadata, end: at }
}

function put(metadata: Record<string, string>, name: string, value: string): void {
  if (name === '__proto__') {
    // Assigned, it would set the prototype instead.
    Object.defineProperty(metadata, name, { value, enumerable: true, configurable: true, writable: true })
  } else {
    metadata[name] = value
  }
}

/**
 * Names that have been read lately, by a hash of their bytes: clients send the same few with each call, and a look is a
 * third of the cost of a new string. Bounded in number and length, whatever peers send.
 */
const readNames: (string | undefined)[] = Array(256).fill(undefined)
const readNameBytesMax = 32

function readName(bytes: Buffer, start: number, end: number): string {
  if (start === end) throw malformed('metadata has an empty name')
  let hash = 0
  for (let at = start; at < end; at++) {
    const code = bytes[at] as number
    if (!isNameCode(code)) throw malformed('metadata has a name that is not lower-case visible ASCII')
    hash = (hash * 31 + code) & 0xff_ffff
  }
  const place = (hash ^ (hash >>> 8)) & (readNames.length - 1)
  const known = readNames[place]
  if (known?.length === end - start && isWritten(known, bytes, start)) return known
  const name = bytes.toString('latin1', start, end)
  if (name.length <= readNameBytesMax) readNames[place] = name
  return name
}

/** Whether a name stands there. */
function isWritten(name: string, bytes: Buffer, start: number): boolean {
  for (let at = 0; at < name.length; at++) if (name.charCodeAt(at) !== bytes[start + at]) return false
  return true
}

function isName(name: string): boolean {
  if (name.length === 0 || name.length > nameBytesMax) return false
  for (let at = 0; at < name.length; at++) if (!isNameCode(name.charCodeAt(at))) return false
  return true
}

function isNameCode(code: number): boolean {
  return code >= 0x21 && code <= 0x7e && (code < 0x41 || code > 0x5a)
}

function beyond(limit: number, end: number): PosthasteError {
  return limit < end ? tooLarge('metadata is larger than the receiver takes') : cutShort()
}

function cutShort(): PosthasteError {
  return malformed('metadata is cut short')
}

function unsendable(what: string): PosthasteError {
  return new PosthasteError('INVALID_ARGUMENT', `link cannot send this metadata: ${what}`, {
    remedy: 'Send fewer, shorter metadata with lower-case names.',
  })
}
