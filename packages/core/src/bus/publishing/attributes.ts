import { type Issue, PosthasteError, validateEnvelope } from '@posthaste/contracts'

/**
 * What stands in a record's headers. `specversion` is implied (1.0); `id`, `partitionkey`, `deliverytime` and
 * `expirytime` are fields of the record.
 * @see https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md#context-attributes
 */
export type WireHeaders = {
  readonly type: string
  /** URI-reference: `/order-service`. */
  readonly source: string
  /** RFC 3339, when it was published. */
  readonly time: string
  /** Absent where there is no data. */
  readonly datacontenttype?: string
  /** Id of the message that a chain of causes began with; absent for that first one, whose own it is. */
  readonly correlationid?: string
  /** Id of the message whose handler published this one. */
  readonly causationid?: string
  /** The writer's schema, for formats whose readers need it. */
  readonly dataschema?: string
  /** The version of the contract, where it is not the first. */
  readonly dataversion?: string
  /** The channel that the answer goes to. */
  readonly replyto?: string
}

/** What the core says about a dead letter, beside the headers it came with. */
export const deadLetterAttributes = [
  'dlcode',
  'dlmessage',
  'dlattempts',
  'dlgroup',
  'dlchannel',
  'dltime',
  'dlissues',
  'dlpriority',
] as const

const reserved: ReadonlySet<string> = new Set([
  ...['id', 'source', 'specversion', 'type', 'datacontenttype', 'time', 'data', 'dataref'],
  ...['dataversion', 'datahash', 'replycode', 'replymessage', 'replyissues'],
  ...['partitionkey', 'correlationid', 'causationid', 'expirytime', 'deliverytime', 'priority', 'replyto'],
  ...deadLetterAttributes,
])

const namePattern = /^[a-z0-9]{1,20}$/
/** What a String of CloudEvents leaves out: controls, halves of surrogate pairs, noncharacters. */
const forbidden = /[\p{Cc}\p{Cs}\p{Noncharacter_Code_Point}]/u
const allForbidden = new RegExp(forbidden, 'gu')

/** What is wrong with the extension attributes that somebody wants to publish with. */
export function extensionIssues(headers: unknown): Issue[] {
  if (typeof headers !== 'object' || headers === null) return [{ path: 'headers', message: 'must be an object' }]
  return Object.entries(headers).flatMap(([name, value]) => {
    const message = extensionMistake(name, value)
    return message === undefined ? [] : [{ path: `headers.${name}`, message }]
  })
}

function extensionMistake(name: string, value: unknown): string | undefined {
  if (!namePattern.test(name)) return 'must be named by 1 to 20 of a-z and 0-9'
  if (reserved.has(name)) return 'is written by Posthaste itself'
  return typeof value === 'string' ? attributeMistake(name, value) : 'must be text'
}

/** What CloudEvents has against a value of one of its attributes: `source` is to be a URI-reference, and so on. */
export function attributeMistake(name: string, value: unknown): string | undefined {
  try {
    validateEnvelope({ specversion: '1.0', id: '-', source: '/', type: '-', [name]: value })
    return undefined
  } catch (error) {
    return PosthasteError.is(error) ? error.issues[0]?.message : String(error)
  }
}

/** Whether a value may stand in a header. */
export function isAttributeText(value: unknown): value is string {
  return typeof value === 'string' && !forbidden.test(value)
}

/** Any text, made fit to stand in a header. */
export function attributeText(text: string, lengthMax: number): string {
  return text.slice(0, lengthMax).replaceAll(allForbidden, ' ')
}

const encoder = new TextEncoder()

/** Bytes of a text as UTF-8. */
export function utf8Bytes(text: string): number {
  return encoder.encode(text).length
}

/** Most headers of a record, whatever the engine: engines count them in one byte. */
export const headersMax = 255

/** What a dead letter adds: eight headers, and fewer bytes but for the list of issues, which may be left out. */
const reservedBytesMax = 4_096
const reservedHeaders = 15

/** Most bytes of headers of a message that is published to an engine of that limit: the rest is for its dead letter. */
export function publishedBytesMax(headerBytesMax: number): number {
  return headerBytesMax - Math.min(reservedBytesMax, Math.floor(headerBytesMax / 4))
}

/** Most headers of a message that is published. */
export const publishedHeadersMax = headersMax - reservedHeaders

/** Whether headers stay within a number and a number of bytes. Hot path: counts exactly only near the limit. */
export function headersFit(headers: Readonly<Record<string, string>>, countMax: number, bytesMax: number): boolean {
  let length = 0
  let count = 0
  for (const name in headers) {
    length += name.length + headers[name]!.length
    count += 1
  }
  if (count > countMax) return false
  // A UTF-16 unit takes at most three bytes.
  return length * 3 <= bytesMax || headerBytes(headers) <= bytesMax
}

/** Bytes of all header names and values. */
export function headerBytes(headers: Readonly<Record<string, string>>): number {
  let bytes = 0
  for (const name in headers) bytes += utf8Bytes(name) + utf8Bytes(headers[name]!)
  return bytes
}
