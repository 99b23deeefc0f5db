import { createHash } from 'node:crypto'
import type { Headers, OutgoingRecord, PosthasteError } from '@posthaste/contracts'
import { fail } from './errors.ts'
import { bodyBytesMax, headerBytesMax, keyBytesMax } from './features.ts'
import { type Head, type SharedHeaders, sharedHeaders } from './frames.ts'
import { foreignPosition, isPosition, stampedAtMs } from './positions.ts'

/*
 * Records as AMQP 0-9-1 messages: CloudEvents attributes are headers with the prefix of the AMQP binding, the body is the
 * data as it is, `datacontenttype` is the content type. What is the engine's own has the prefix `posthaste-`.
 * @see https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/amqp-protocol-binding.md#31-binary-content-mode
 */

/** What of a message is the engine's own, beside the record. */
export interface Marks {
  /** Attempts that ended before, without those that the server counts. */
  readonly attempts?: number
  /** How many of them ended with their member. */
  readonly vanished?: number
  /** Not to be handed over before, milliseconds since the epoch: a release, whose record keeps its own due time. */
  readonly visibleAtMs?: number | undefined
}

/** What a message says. */
export interface Decoded {
  readonly record: OutgoingRecord
  readonly position: string
  readonly storedAtMs: number
  /** When it may be handed over; 0 where it says nothing. */
  readonly visibleAtMs: number
  readonly attempts: number
  readonly vanished: number
}

/** A message as it came, as far as it is read here; `contentType` stands where the client does not touch the body for it. */
export interface Received {
  readonly headers?: Readonly<Record<string, unknown>> | undefined
  readonly rawContentType?: string | undefined
  readonly messageId?: string | undefined
  readonly timestamp?: number | undefined
  readonly redelivered?: boolean | undefined
  readonly deliveryTag: number
  readonly body: Buffer
}

const prefix = 'cloudEvents:'
/** The other spelling that the binding allows. */
const otherPrefix = 'cloudEvents_'
/** Names of headers that the engine adds. */
export const markNames = {
  position: 'posthaste-position',
  attempts: 'posthaste-attempts',
  vanished: 'posthaste-vanished',
  visible: 'posthaste-visible-at',
} as const

const idHeader = `${prefix}id`
const shortBytesMax = 255
/** A header frame must hold all of it; the server's own limit is 131,072. */
const encodedBytesMax = 120_000

/** Why a record cannot be sent. */
export function refusalOf(record: OutgoingRecord): PosthasteError | undefined {
  const { id, key, headers, body, dueAtMs, expiresAtMs } = record
  if (body.byteLength > bodyBytesMax)
    return fail('BODY_TOO_LARGE', `record ${id}: its body has ${body.byteLength} bytes, ${bodyBytesMax} at most`)
  if (key !== undefined && (key === '' || (key.length * 3 > keyBytesMax && Buffer.byteLength(key) > keyBytesMax)))
    return fail('INVALID_ARGUMENT', `record ${id}: its key is not 1 to ${keyBytesMax} bytes`)
  for (const time of [dueAtMs, expiresAtMs])
    if (time !== undefined && !isTime(time)) return fail('INVALID_ARGUMENT', `record ${id}: ${time} is no time`)
  return headers === knownToFit ? undefined : headersRefusal(id, headers)
}

/** Headers are shared by many records, so those that were looked at last are not looked at again. */
let knownToFit: Headers | undefined

function headersRefusal(id: string, headers: Headers): PosthasteError | undefined {
  let [bytes, count] = [0, 0]
  for (const name in headers) {
    bytes += Buffer.byteLength(name) + Buffer.byteLength(headers[name] ?? '')
    count += 1
  }
  if (bytes > headerBytesMax)
    return fail('INVALID_ARGUMENT', `record ${id}: its headers have ${bytes} bytes, ${headerBytesMax} at most`)
  // A frame of the protocol holds them with their prefixes and lengths.
  if (bytes + count * (prefix.length + 6) > encodedBytesMax)
    return fail('INVALID_ARGUMENT', `record ${id}: its ${count} headers do not fit into a frame`)
  for (const name in headers)
    if (Buffer.byteLength(name) > shortBytesMax - prefix.length)
      return fail('INVALID_ARGUMENT', `record ${id}: the name of a header has more than 243 bytes`)
  knownToFit = headers
  return undefined
}

/** What the calendar tells. */
function isTime(ms: number): boolean {
  return ms >= 0 && ms <= 253_402_300_799_999
}

/** The message of a record; where it goes is added by whoever sends it. Does not copy the body. */
export function encode(record: OutgoingRecord, position: string, marks?: Marks): Head {
  const { id, key, dueAtMs, expiresAtMs, priority } = record
  const { shared, contentType } = prefixed(record.headers)
  const headers: Record<string, string | number> = { [idHeader]: id, [markNames.position]: position }
  if (key !== undefined) headers[`${prefix}partitionkey`] = key
  if (dueAtMs !== undefined) headers[`${prefix}deliverytime`] = timestamp(dueAtMs)
  if (expiresAtMs !== undefined) headers[`${prefix}expirytime`] = timestamp(expiresAtMs)
  if (priority !== undefined) headers[`${prefix}priority`] = String(priority)
  if (marks?.attempts) headers[markNames.attempts] = marks.attempts
  if (marks?.vanished) headers[markNames.vanished] = marks.vanished
  if (marks?.visibleAtMs !== undefined) headers[markNames.visible] = String(Math.ceil(marks.visibleAtMs))
  const envelope: Head = { durable: true, shared, headers, timestamp: Math.floor(stampedAtMs(position) / 1_000) }
  if (contentType !== undefined) envelope.contentType = contentType
  if (id.length * 3 <= shortBytesMax || Buffer.byteLength(id) <= shortBytesMax) envelope.messageId = id
  return envelope
}

/** The body as the client takes it. */
export function bufferOf(body: Uint8Array): Buffer {
  return Buffer.isBuffer(body) ? body : Buffer.from(body.buffer, body.byteOffset, body.byteLength)
}

function timestamp(ms: number): string {
  return new Date(Math.ceil(ms)).toISOString()
}

interface Prefixed {
  readonly shared: SharedHeaders
  readonly contentType: string | undefined
}

let lastHeaders: Headers | undefined
let lastPrefixed: Prefixed | undefined

/** Messages of one contract share their headers within a millisecond. */
function prefixed(headers: Headers): Prefixed {
  if (headers === lastHeaders && lastPrefixed !== undefined) return lastPrefixed
  const own: Record<string, string> = { [`${prefix}specversion`]: '1.0' }
  let contentType: string | undefined
  for (const name of Object.keys(headers)) {
    const value = headers[name] ?? ''
    if (name === 'datacontenttype' && value !== '' && Buffer.byteLength(value) <= shortBytesMax) contentType = value
    else own[prefix + name] = value
  }
  lastHeaders = headers
  lastPrefixed = { shared: sharedHeaders(own), contentType }
  return lastPrefixed
}

/** What a message says, whoever sent it: what is no attribute of an event is left out, a missing id is made up of the rest. */
export function decode(message: Received, channel: string): Decoded {
  const { headers: fields = {}, rawContentType, messageId, body } = message
  const headers: Record<string, string> = {}
  const own: Own = {}
  for (const name in fields) {
    if (!name.startsWith(prefix) && !name.startsWith(otherPrefix)) continue
    const value = textOf(fields[name])
    const attribute = name.slice(prefix.length)
    if (value === undefined || attribute === 'specversion') continue
    if (ownNames.has(attribute)) own[attribute as keyof Own] = value
    else if (attribute === '__proto__') Object.defineProperty(headers, attribute, { value, enumerable: true })
    else headers[attribute] = value
  }
  if (rawContentType) headers.datacontenttype = rawContentType
  const stamp = fields[markNames.position]
  const isOurs = typeof stamp === 'string' && isPosition(stamp)
  const secondMs = (message.timestamp ?? 0) * 1_000
  const hash = isOurs && own.id !== undefined ? '' : hashOf(message)
  const position = isOurs ? stamp : foreignPosition(secondMs, hash)
  const dueAtMs = timeOf(own.deliverytime)
  const expiresAtMs = timeOf(own.expirytime)
  const priority = own.priority === undefined ? undefined : Number(own.priority)
  const record: Writable<OutgoingRecord> = { id: own.id ?? messageId ?? `amqp-${hash}`, channel, headers, body }
  if (own.partitionkey !== undefined && own.partitionkey !== '') record.key = own.partitionkey
  if (dueAtMs !== undefined) record.dueAtMs = dueAtMs
  if (expiresAtMs !== undefined) record.expiresAtMs = expiresAtMs
  if (priority !== undefined && Number.isInteger(priority)) record.priority = priority
  const visible = fields[markNames.visible]
  return {
    record,
    position,
    storedAtMs: stampedAtMs(position),
    visibleAtMs: visible === undefined ? (dueAtMs ?? 0) : Number(visible),
    attempts: countOf(fields[markNames.attempts]),
    vanished: countOf(fields[markNames.vanished]),
  }
}

/** How often the server took the message back from somebody who had it. Quorum queues count, others only remember. */
export function takenBack({ headers, redelivered }: Received): number {
  const count = headers?.['x-delivery-count']
  if (typeof count === 'number') return count
  return redelivered === true ? 1 : 0
}

type Writable<T> = { -readonly [K in keyof T]: T[K] }
type Own = { [K in 'id' | 'partitionkey' | 'deliverytime' | 'expirytime' | 'priority']?: string }
const ownNames: ReadonlySet<string> = new Set(['id', 'partitionkey', 'deliverytime', 'expirytime', 'priority'])

/** AMQP has types; attributes have texts. */
function textOf(value: unknown): string | undefined {
  if (typeof value === 'string') return value
  if (typeof value === 'number' || typeof value === 'boolean' || typeof value === 'bigint') return String(value)
  return Buffer.isBuffer(value) ? value.toString('utf8') : undefined
}

function timeOf(text: string | undefined): number | undefined {
  const ms = text === undefined ? Number.NaN : Date.parse(text)
  return Number.isNaN(ms) ? undefined : ms
}

function countOf(value: unknown): number {
  return typeof value === 'number' && value > 0 ? value : 0
}

function hashOf({ headers = {}, messageId = '', timestamp = 0, body }: Received): string {
  const named = Object.entries(headers).filter(([name]) => !name.startsWith('x-') && !name.startsWith('posthaste-'))
  const hash = createHash('sha256').update(JSON.stringify([messageId, timestamp, named]))
  return hash.update(body).digest('hex').slice(0, 32)
}
