import { type CloudEvent, envelopeInvalid, envelopeIssues } from './envelope.ts'
import type { Issue } from './error.ts'
import { dataForm, decodeText, encodeText, parseJson, stringifyJson, unfitData } from './event-data.ts'

/** An event whose attributes are headers and whose body is its data. */
export interface BinaryMessage {
  /** By lower-case name: `content-type`, and the attributes with the prefix `ce-`. Printable ASCII only. */
  readonly headers: Readonly<Record<string, string>>
  readonly body: Uint8Array
}

/** Headers as Node and `fetch` give them: any case, several values where a name was sent several times. */
export type ReceivedHeaders = Readonly<Record<string, string | readonly string[] | undefined>>

/**
 * An event in binary content mode of the HTTP protocol binding. All attributes become text. An event without data has an
 * empty body; one with data that is not bytes and without `datacontenttype` is sent as JSON.
 *
 * @throws ENVELOPE_INVALID when it is not a CloudEvent, or its data does not fit its `datacontenttype`
 * @see https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/http-protocol-binding.md#31-binary-content-mode
 */
export function toBinary(event: CloudEvent): BinaryMessage {
  const issues = envelopeIssues(event)
  if (issues.length > 0) throw envelopeInvalid(issues)
  const { data, datacontenttype, ...attributes } = event
  const headers: Record<string, string> = {}
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== undefined) headers[`${prefix}${name}`] = encodeHeader(String(value))
  }
  const implied = data === undefined || data instanceof Uint8Array ? undefined : 'application/json'
  const contentType = datacontenttype ?? implied
  if (contentType !== undefined) headers['content-type'] = contentType
  return { headers, body: encodeData(data, datacontenttype) }
}

/**
 * The event in a message in binary content mode. Attributes are text, except that the body of a JSON type is parsed and
 * that of another text type decoded; an empty body is no data. Headers without the prefix are left alone.
 *
 * @throws ENVELOPE_INVALID when an attribute is missing or malformed; BODY_MALFORMED when the body does not match its type
 */
export function fromBinary(headers: ReceivedHeaders, body: Uint8Array): CloudEvent {
  const attributes = new Map<string, string>()
  const issues: Issue[] = []
  for (const [header, value] of Object.entries(headers)) {
    const name = attributeOf(header.toLowerCase())
    if (name === undefined || value === undefined) continue
    const read = attributes.has(name) ? twice : readHeader(header.toLowerCase(), value)
    attributes.set(name, read.value)
    if (read.mistake !== undefined) issues.push({ path: name, message: read.mistake })
  }
  const event: Record<string, unknown> = Object.fromEntries(attributes)
  issues.push(...envelopeIssues(event).filter(({ path }) => !issues.some((issue) => issue.path === path)))
  if (issues.length > 0) throw envelopeInvalid(issues)
  if (body.length > 0) event.data = decodeData(attributes.get('datacontenttype'), body)
  return event as CloudEvent
}

const prefix = 'ce-'

function attributeOf(header: string): string | undefined {
  if (header === 'content-type') return 'datacontenttype'
  return header.startsWith(prefix) ? header.slice(prefix.length) : undefined
}

interface ReadHeader {
  readonly value: string
  readonly mistake?: string
}

const twice: ReadHeader = { value: '', mistake: 'must be there once' }

function readHeader(header: string, value: string | readonly string[]): ReadHeader {
  const [only, more] = typeof value === 'string' ? [value] : value
  if (only === undefined || more !== undefined) return twice
  if (header === 'content-type') return { value: only }
  if (header === 'ce-datacontenttype') return { value: only, mistake: 'must be the content-type header' }
  if (header === 'ce-data') return { value: only, mistake: 'must be the body' }
  const decoded = decodeHeader(only)
  return decoded === undefined ? { value: only, mistake: 'must be UTF-8 after percent-decoding' } : { value: decoded }
}

function encodeData(data: unknown, contentType: string | undefined): Uint8Array {
  if (data === undefined) return noBytes
  if (data instanceof Uint8Array) return data
  const text = dataForm(contentType) === 'json' ? stringifyJson(data) : data
  if (typeof text !== 'string') throw envelopeInvalid([{ path: 'data', message: unfitData(contentType) }])
  if (!text.isWellFormed()) throw envelopeInvalid([{ path: 'data', message: 'must not hold half a surrogate pair' }])
  return encodeText(text)
}

function decodeData(contentType: string | undefined, body: Uint8Array): unknown {
  // Unlike the JSON format, this binding says nothing of a body without a type.
  const form = contentType === undefined ? 'bytes' : dataForm(contentType)
  if (form === 'json') return parseJson(body, 'the body')
  return form === 'text' ? decodeText(body, 'the body') : body
}

const noBytes = new Uint8Array(0)

/** Everything but printable ASCII, and in it space, quote and percent. Runs, so that pairs of surrogates stay together. */
function encodeHeader(text: string): string {
  return text.replace(/[^\x21\x23\x24\x26-\x7e]+/g, (run) => {
    let encoded = ''
    for (const byte of encodeText(run)) encoded += `%${byte.toString(16).toUpperCase().padStart(2, '0')}`
    return encoded
  })
}

/** Undefined where what was percent-encoded is not UTF-8. A percent sign that encodes nothing stands for itself. */
function decodeHeader(value: string): string | undefined {
  try {
    return unquote(value).replace(/(?:%[0-9A-Fa-f]{2})+/g, decodeURIComponent)
  } catch {
    return undefined
  }
}

function unquote(value: string): string {
  const quoted = /^"((?:[^"\\]|\\.)*)"$/.exec(value)
  return quoted === null ? value : quoted[1]!.replace(/\\(.)/g, '$1')
}
