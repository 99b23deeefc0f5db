import type { MsgHdrs } from '@nats-io/nats-core'
import type { Headers, OutgoingRecord } from '@posthaste/contracts'

/*
 * Records as NATS messages: CloudEvents in binary mode. Attributes are headers with the prefix `ce-`, percent-encoded as in
 * the HTTP binding, the content type is `content-type`, the body is the data.
 * @see https://github.com/cloudevents/spec/blob/main/cloudevents/bindings/nats-protocol-binding.md#31-binary-content-mode
 */

/** What the engine keeps with a message beyond the record; none of it reaches a consumer as a header. */
export interface Internals {
  /** Attempts that ended before this copy was made. */
  readonly attempts?: number | undefined
  /** How many of them ended with their member. */
  readonly vanished?: number | undefined
  /** When the first of the copies was stored, in milliseconds of the server's clock. */
  readonly storedAtMs?: number | undefined
  /** The sequence of the record of a log that this copy was made of; absent where the copied record was for one group only. */
  readonly origin?: number | undefined
  /** The place of a note in the order of first writing. */
  readonly noteOrder?: number | undefined
}

/** Whether it stands in the header `posthaste-<name>`. */
const internalNames = {
  attempts: 'attempts',
  vanished: 'vanished',
  storedAtMs: 'stored',
  origin: 'origin',
  noteOrder: 'order',
} as const

/** Headers by name for the server itself: `Nats-Msg-Id` and the like. */
export type ServerHeaders = readonly (readonly [name: string, value: string])[]

/** Headers that are encoded already: the client asks headers that it sends for nothing but their bytes. */
export class EncodedHeaders {
  readonly #bytes: Uint8Array

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
  }

  encode(): Uint8Array {
    return this.#bytes
  }

  get byteLength(): number {
    return this.#bytes.byteLength
  }

  asHeaders(): MsgHdrs {
    return this as unknown as MsgHdrs
  }
}

/** Encodes records; keeps the text of the headers that many records share. */
export class RecordEncoder {
  #headers: Headers | undefined
  #text = ''

  headersOf(record: OutgoingRecord, internals?: Internals, server?: ServerHeaders): EncodedHeaders {
    if (record.headers !== this.#headers) {
      this.#text = textOf(record.headers)
      this.#headers = record.headers
    }
    let text = `NATS/1.0\r\n${this.#text}ce-id: ${encodeValue(record.id)}\r\n`
    const { key, dueAtMs, expiresAtMs, priority } = record
    if (key !== undefined) text += `ce-partitionkey: ${encodeValue(key)}\r\n`
    if (dueAtMs !== undefined) text += `ce-deliverytime: ${isoOf(dueAtMs)}\r\n`
    if (expiresAtMs !== undefined) text += `ce-expirytime: ${isoOf(expiresAtMs)}\r\n`
    if (priority !== undefined) text += `ce-priority: ${priority}\r\n`
    if (internals !== undefined) text += textOfInternals(internals)
    if (server !== undefined) for (const [name, value] of server) text += `${name}: ${value}\r\n`
    return new EncodedHeaders(Buffer.from(`${text}\r\n`, 'latin1'))
  }
}

/** Headers that are all for the server. */
export function serverHeaders(headers: ServerHeaders): MsgHdrs {
  const text = headers.map(([name, value]) => `${name}: ${value}\r\n`).join('')
  return new EncodedHeaders(Buffer.from(`NATS/1.0\r\n${text}\r\n`, 'latin1')).asHeaders()
}

/** Of a message that says that a key of a bucket has no value any more. @see ADR-8 of NATS */
const markHeader = ['KV-Operation', 'DEL'] as const

export const markHeaders = serverHeaders([markHeader])

export function isMark(headers: MsgHdrs | undefined): boolean {
  return headers?.get(markHeader[0]) === markHeader[1]
}

function textOf(headers: Headers): string {
  let text = ''
  for (const name in headers) {
    const value = encodeValue(headers[name] as string)
    text += name === 'datacontenttype' ? `content-type: ${value}\r\n` : `ce-${name}: ${value}\r\n`
  }
  return text
}

function textOfInternals(internals: Internals): string {
  let text = ''
  for (const [name, header] of Object.entries(internalNames)) {
    const value = internals[name as keyof Internals]
    if (value !== undefined) text += `posthaste-${header}: ${value}\r\n`
  }
  return text
}

const plain = /^[\x21\x23\x24\x26-\x7e]*$/
const runs = /[^\x21\x23\x24\x26-\x7e]+/g

function encodeValue(value: string): string {
  if (plain.test(value)) return value
  return value.replace(runs, (run) => Buffer.from(run).toString('hex').toUpperCase().replaceAll(/../g, '%$&'))
}

function decodeValue(value: string): string {
  if (!value.includes('%')) return value
  try {
    return value.replace(/(?:%[0-9A-Fa-f]{2})+/g, decodeURIComponent)
  } catch {
    // A foreign client's percent signs that encode nothing.
    return value
  }
}

function isoOf(ms: number): string {
  return new Date(ms).toISOString()
}

function msOf(text: string | undefined): number | undefined {
  const ms = text === undefined ? Number.NaN : Date.parse(text)
  return Number.isNaN(ms) ? undefined : ms
}

/** A message as it was read. */
export interface Decoded {
  readonly record: OutgoingRecord
  readonly internals: Internals
}

/** Where a message stands, for what it does not say itself. */
export interface Place {
  readonly channel: string
  readonly group: string | undefined
  /** Names the message where its publisher gave it no id; the same each time it is read. */
  readonly fallbackId: string
}

/** Attributes of a record, and what the engine keeps beside it, as they are read. */
interface Fields {
  readonly attributes: Record<string, string>
  readonly internals: Record<string, number>
}

/** Reads headers that the client has parsed; a foreign message without any is a record, too. */
export function decode(headers: Iterable<[string, string[]]> | undefined, body: Uint8Array, place: Place): Decoded {
  const fields: Fields = { attributes: Object.create(null), internals: {} }
  for (const [name, values] of headers ?? []) take(fields, name, values[0] ?? '')
  return decoded(fields, body, place)
}

/**
 * Reads headers as they were on the wire. Hot path: what records share stands before their id, and is read once for those
 * that follow each other.
 */
export class RecordDecoder {
  #shared = ''
  #attributes: Record<string, string> = Object.create(null)
  #internals: Record<string, number> = {}

  decode(wire: string, body: Uint8Array, place: Place): Decoded {
    const end = wire.indexOf(idLine)
    if (end < 0) return decoded(linesOf(wire), body, place)
    const shared = wire.slice(0, end)
    if (shared !== this.#shared) {
      const { attributes, internals } = linesOf(shared)
      this.#shared = shared
      this.#attributes = attributes
      this.#internals = internals
    }
    const attributes = Object.assign(Object.create(null), this.#attributes)
    const own: Fields = { attributes, internals: { ...this.#internals } }
    readLines(own, wire, end + 2)
    return decoded(own, body, place)
  }
}

const idLine = '\r\nce-id:'

function linesOf(wire: string): Fields {
  const fields: Fields = { attributes: Object.create(null), internals: {} }
  // The first line is the protocol's name and version.
  const end = wire.indexOf('\r\n')
  if (end >= 0) readLines(fields, wire, end + 2)
  return fields
}

function readLines(fields: Fields, wire: string, from: number): void {
  for (let start = from; start < wire.length; ) {
    const found = wire.indexOf('\r\n', start)
    const end = found < 0 ? wire.length : found
    const colon = wire.indexOf(':', start)
    if (colon >= 0 && colon < end) take(fields, wire.slice(start, colon), wire.slice(colon + 1, end).trim())
    start = end + 2
  }
}

function take({ attributes, internals }: Fields, name: string, value: string): void {
  if (name.startsWith('ce-')) {
    attributes[name.slice(3)] ??= decodeValue(value)
    return
  }
  const lower = name.toLowerCase()
  if (lower === 'content-type') attributes.datacontenttype ??= decodeValue(value)
  else if (lower.startsWith('ce-')) attributes[name.slice(3)] ??= decodeValue(value)
  else if (lower.startsWith('posthaste-')) internals[lower.slice(10)] ??= Number(value)
}

function decoded({ attributes, internals }: Fields, body: Uint8Array, place: Place): Decoded {
  const { id = place.fallbackId, partitionkey, deliverytime, expirytime, priority, ...rest } = attributes
  const { attempts, vanished, stored, origin, order } = internals
  const record: OutgoingRecord = {
    id,
    channel: place.channel,
    // A copy is for one group, but the record was for all.
    group: origin === undefined ? place.group : undefined,
    key: partitionkey === '' ? undefined : partitionkey,
    headers: rest,
    body,
    dueAtMs: msOf(deliverytime),
    expiresAtMs: msOf(expirytime),
    priority: priority === undefined ? undefined : Number(priority),
  }
  return { record, internals: { attempts, vanished, storedAtMs: stored, origin, noteOrder: order } }
}
