import type { Headers, OutgoingRecord } from '@posthaste/contracts'
import { checksum } from './checksum.ts'

/*
 * A record at rest (little-endian):
 *
 *   crc u32 | length u32 | flags u8 | headers u8 | [dueAtMs f64] [expiresAtMs f64] [priority u8]
 *   idUnits u16 | [keyUnits u16] | per header: name u8, [nameUnits u16], [valueUnits u16]
 *   textBytes u32 | text utf8: id key names values | body
 *
 * Headers that say what the record says anyway take their number and nothing else.
 * The checksum covers everything behind it, the length included, so that damage to the framing is damage too. All text
 * is written in one go, because a native write costs more than the bytes it carries; the unit counts (UTF-16) cut it up
 * again. This is the hot path of publishing: `npm run bench -- embedded` pays for the shape of this file.
 */

const hasKey = 1
const hasDue = 2
const hasExpiry = 4
const hasPriority = 8

/** Names that get a number instead of their letters. Append only: the numbers are at rest in data files. */
const knownNames = [
  '',
  'type',
  'source',
  'time',
  'datacontenttype',
  'subject',
  'dataschema',
  'correlationid',
  'causationid',
  'traceparent',
  'tracestate',
  'replyto',
  'dataref',
  'dlcode',
  'dlmessage',
  'dlattempts',
  'dlgroup',
  'dlchannel',
  'dltime',
  'dlissues',
]
const knownNumber = new Map(knownNames.map((name, number) => [name, number]))
knownNumber.delete('')

/** `type` is the channel's name; `correlationid` is the record's own id; `datacontenttype` is JSON. */
const typeIsChannel = 0xff
const correlationIsId = 0xfe
const contentIsJson = 0xfd
const json = 'application/json'

/** Bytes before the flags: checksum and length. */
const frameBytes = 8
const fixedBytesMax = frameBytes + 2 + 8 + 8 + 1 + 2 + 2 + 4
const bytesPerUnit = 3
/** Longest text and most headers the format can hold. */
export const textUnitsMax = 0xffff
export const headersMax = 0xff

/** An upper bound of the bytes that a record takes at rest; cheap rather than tight. */
export function encodedBytesMax(record: OutgoingRecord): number {
  const units = record.id.length + (record.key?.length ?? 0)
  return fixedBytesMax + units * bytesPerUnit + encodedHeaders(record).bytes + record.body.byteLength
}

/**
 * Writes a record at `start` and returns where it ends. The buffer must have {@link encodedBytesMax} bytes left; the
 * engine has checked the record's limits before.
 */
export function encodeRecord(record: OutgoingRecord, buffer: Buffer, start: number): number {
  let at = start + frameBytes
  const { id, key, dueAtMs, expiresAtMs, priority } = record
  const { count, shape, text } = encodedHeaders(record)
  buffer[at++] =
    (key === undefined ? 0 : hasKey) |
    (dueAtMs === undefined ? 0 : hasDue) |
    (expiresAtMs === undefined ? 0 : hasExpiry) |
    (priority === undefined ? 0 : hasPriority)
  buffer[at++] = count
  if (dueAtMs !== undefined) at = buffer.writeDoubleLE(dueAtMs, at)
  if (expiresAtMs !== undefined) at = buffer.writeDoubleLE(expiresAtMs, at)
  if (priority !== undefined) buffer[at++] = Math.min(0xff, priority)
  at = writeUnits(buffer, at, id.length)
  if (key !== undefined) at = writeUnits(buffer, at, key.length)
  buffer.set(shape, at)
  const textAt = at + shape.length + 4
  at = writeText(buffer, textAt, id)
  if (key !== undefined) at = writeText(buffer, at, key)
  buffer.set(text, at)
  at += text.length
  writeUint32(buffer, textAt - 4, at - textAt)
  buffer.set(record.body, at)
  at += record.body.byteLength
  writeUint32(buffer, start + 4, at - start - frameBytes)
  writeUint32(buffer, start, checksum(buffer, start + 4, at))
  return at
}

/** Headers at rest. */
interface EncodedHeaders {
  readonly count: number
  /** Numbers and counts of units. */
  readonly shape: Buffer
  /** Names and values. */
  readonly text: Buffer
  readonly bytes: number
}

/**
 * The headers of the record before: records that are published together often have the same object, and then it is
 * written once. What a number stands for depends on channel and id, so those count.
 */
const latest: { headers: Headers | undefined; channel: string; id: string | undefined; encoded: EncodedHeaders } = {
  headers: undefined,
  channel: '',
  id: undefined,
  encoded: { count: 0, shape: Buffer.alloc(0), text: Buffer.alloc(0), bytes: 0 },
}

function encodedHeaders(record: OutgoingRecord): EncodedHeaders {
  const { headers, channel, id } = record
  if (latest.headers === headers && latest.channel === channel && (latest.id ?? id) === id) return latest.encoded
  const shape: number[] = []
  let text = ''
  let count = 0
  let isBoundToId = false
  for (const name in headers) {
    const value = headers[name]!
    const number = numberOf(record, name, value)
    shape.push(number)
    count++
    if (number === correlationIsId) isBoundToId = true
    if (number >= contentIsJson) continue
    if (number === 0) {
      shape.push(name.length & 0xff, name.length >>> 8)
      text += name
    }
    shape.push(value.length & 0xff, value.length >>> 8)
    text += value
  }
  const textBytes = Buffer.from(text)
  latest.encoded = { count, shape: Buffer.from(shape), text: textBytes, bytes: shape.length + textBytes.length }
  latest.headers = headers
  latest.channel = channel
  latest.id = isBoundToId ? id : undefined
  return latest.encoded
}

/** The number of a header: of one whose value need not be written, of a name, or of neither. */
function numberOf(record: OutgoingRecord, name: string, value: string): number {
  if (name === 'type' && value === record.channel) return typeIsChannel
  if (name === 'correlationid' && value === record.id) return correlationIsId
  if (name === 'datacontenttype' && value === json) return contentIsJson
  return knownNumber.get(name) ?? 0
}

/** Longer text is written faster by a native call. */
const shortUnits = 64

function writeText(buffer: Buffer, start: number, text: string): number {
  const { length } = text
  if (length > shortUnits) return start + buffer.write(text, start)
  for (let unit = 0; unit < length; unit++) {
    const code = text.charCodeAt(unit)
    if (code > 0x7f) return start + buffer.write(text, start)
    buffer[start + unit] = code
  }
  return start + length
}

function writeUint32(buffer: Buffer, at: number, value: number): void {
  buffer[at] = value
  buffer[at + 1] = value >>> 8
  buffer[at + 2] = value >>> 16
  buffer[at + 3] = value >>> 24
}

function writeUnits(buffer: Buffer, at: number, units: number): number {
  buffer[at] = units
  buffer[at + 1] = units >>> 8
  return at + 2
}

/** Reads the record that occupies a span known to be intact. Its body is a view of the buffer. */
export function decodeRecord(buffer: Buffer, span: Span, channel: string): OutgoingRecord {
  let at = span.start + frameBytes
  const flags = buffer[at]!
  const count = buffer[at + 1]!
  at += 2
  const dueAtMs = flags & hasDue ? buffer.readDoubleLE(at) : undefined
  if (dueAtMs !== undefined) at += 8
  const expiresAtMs = flags & hasExpiry ? buffer.readDoubleLE(at) : undefined
  if (expiresAtMs !== undefined) at += 8
  const priority = flags & hasPriority ? buffer[at++] : undefined

  const idUnits = buffer.readUInt16LE(at)
  at += 2
  const keyUnits = flags & hasKey ? buffer.readUInt16LE(at) : 0
  if (flags & hasKey) at += 2
  const headersAt = at
  at = skipHeaders(buffer, at, count)
  const textBytes = buffer.readUInt32LE(at)
  const text = buffer.toString('utf8', at + 4, at + 4 + textBytes)
  const body = buffer.subarray(at + 4 + textBytes, span.end)

  const id = text.slice(0, idUnits)
  const stored = { at: headersAt, count, text: text.slice(idUnits + keyUnits) }
  return {
    id,
    channel,
    key: flags & hasKey ? text.slice(idUnits, idUnits + keyUnits) : undefined,
    headers: readHeaders(buffer, stored, { id, channel }),
    body,
    dueAtMs,
    expiresAtMs,
    priority,
  }
}

/** Where a record stands in a buffer. */
export interface Span {
  readonly start: number
  readonly end: number
}

/** Whether length and checksum of the record in `[start, end)` hold. */
export function isIntact(buffer: Buffer, { start, end }: Span): boolean {
  if (end - start < frameBytes + 2 || end > buffer.length) return false
  if (buffer.readUInt32LE(start + 4) !== end - start - frameBytes) return false
  return buffer.readUInt32LE(start) === checksum(buffer, start + 4, end)
}

function skipHeaders(buffer: Buffer, start: number, count: number): number {
  let at = start
  for (let i = 0; i < count; i++) {
    const number = buffer[at]!
    at += number === 0 ? 5 : number >= contentIsJson ? 1 : 3
  }
  return at
}

interface StoredHeaders {
  readonly at: number
  readonly count: number
  readonly text: string
}

function readHeaders(buffer: Buffer, stored: StoredHeaders, record: { id: string; channel: string }): Headers {
  const headers: Record<string, string> = {}
  const { count, text } = stored
  let { at } = stored
  let unit = 0
  for (let i = 0; i < count; i++) {
    const number = buffer[at++]!
    if (number >= contentIsJson) {
      if (number === typeIsChannel) headers.type = record.channel
      else if (number === correlationIsId) headers.correlationid = record.id
      else headers.datacontenttype = json
      continue
    }
    let name = knownNames[number] ?? ''
    if (number === 0) {
      const units = buffer.readUInt16LE(at)
      at += 2
      name = text.slice(unit, unit + units)
      unit += units
    }
    const units = buffer.readUInt16LE(at)
    at += 2
    setHeader(headers, name, text.slice(unit, unit + units))
    unit += units
  }
  return headers
}

/** An assignment to `__proto__` would be lost. */
function setHeader(headers: Record<string, string>, name: string, value: string): void {
  if (name !== '__proto__') headers[name] = value
  else Object.defineProperty(headers, name, { value, enumerable: true, configurable: true, writable: true })
}
