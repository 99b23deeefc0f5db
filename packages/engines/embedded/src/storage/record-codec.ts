import { crc32 } from 'node:zlib'
import type { Headers, OutgoingRecord } from '@posthaste/contracts'

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
const bytesPerHeader = 5
const bytesPerUnit = 3
/** Longest text and most headers the format can hold. */
export const textUnitsMax = 0xffff
export const headersMax = 0xff

/** An upper bound of the bytes that a record takes at rest; cheap rather than tight. */
export function encodedBytesMax(record: OutgoingRecord): number {
  let units = record.id.length + (record.key?.length ?? 0)
  let headers = 0
  for (const name in record.headers) {
    units += name.length + record.headers[name]!.length
    headers++
  }
  return fixedBytesMax + headers * bytesPerHeader + units * bytesPerUnit + record.body.byteLength
}

/**
 * Writes a record at `start` and returns where it ends. The buffer must have {@link encodedBytesMax} bytes left; the
 * engine has checked the record's limits before.
 */
export function encodeRecord(record: OutgoingRecord, buffer: Buffer, start: number): number {
  let at = start + frameBytes
  const { key, dueAtMs, expiresAtMs, priority, headers } = record
  buffer[at++] =
    (key === undefined ? 0 : hasKey) |
    (dueAtMs === undefined ? 0 : hasDue) |
    (expiresAtMs === undefined ? 0 : hasExpiry) |
    (priority === undefined ? 0 : hasPriority)
  const countAt = at++
  if (dueAtMs !== undefined) at = buffer.writeDoubleLE(dueAtMs, at)
  if (expiresAtMs !== undefined) at = buffer.writeDoubleLE(expiresAtMs, at)
  if (priority !== undefined) buffer[at++] = priority

  let text = record.id
  at = writeUnits(buffer, at, text.length)
  if (key !== undefined) {
    at = writeUnits(buffer, at, key.length)
    text += key
  }
  let count = 0
  for (const name in headers) {
    const value = headers[name]!
    const number = impliedNumber(record, name, value) ?? knownNumber.get(name) ?? 0
    buffer[at++] = number
    count++
    if (number >= contentIsJson) continue
    if (number === 0) {
      at = writeUnits(buffer, at, name.length)
      text += name
    }
    at = writeUnits(buffer, at, value.length)
    text += value
  }
  buffer[countAt] = count
  const textBytes = buffer.write(text, at + 4)
  at = buffer.writeUInt32LE(textBytes, at) + textBytes
  buffer.set(record.body, at)
  at += record.body.byteLength

  buffer.writeUInt32LE(at - start - frameBytes, start + 4)
  buffer.writeUInt32LE(crc32(buffer.subarray(start + 4, at)), start)
  return at
}

/** The number of a header whose value need not be written. */
function impliedNumber(record: OutgoingRecord, name: string, value: string): number | undefined {
  if (name === 'type' && value === record.channel) return typeIsChannel
  if (name === 'correlationid' && value === record.id) return correlationIsId
  return name === 'datacontenttype' && value === json ? contentIsJson : undefined
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
  return buffer.readUInt32LE(start) === crc32(buffer.subarray(start + 4, end))
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
