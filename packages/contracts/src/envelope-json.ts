import { fromBase64, toBase64 } from './base64.ts'
import { type CloudEvent, envelopeInvalid, envelopeIssues } from './envelope.ts'
import type { Issue } from './error.ts'
import { dataForm, encodeText, mediaTypeOf, parseJson, stringifyJson, unfitData } from './event-data.ts'

/** An event, or several, in one body. */
export interface StructuredMessage {
  /** The value of the `content-type` header. */
  readonly contentType: string
  readonly body: Uint8Array
}

/**
 * An event in the JSON event format, its data included. Bytes travel as base64.
 * @throws ENVELOPE_INVALID when it is not a CloudEvent, or its data does not fit its `datacontenttype`
 * @see https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md
 */
export function toStructured(event: CloudEvent): StructuredMessage {
  const issues: Issue[] = []
  const json = encodeEvent(event, issues)
  if (json === undefined) throw envelopeInvalid(issues)
  return { contentType: `${eventMediaType}; charset=utf-8`, body: encodeText(json) }
}

/**
 * The event in a body of the JSON event format. Attributes that are `null` are absent.
 * @throws BODY_MALFORMED when the body is not JSON; ENVELOPE_INVALID when that is not a CloudEvent, or the content type
 *   is another
 */
export function fromStructured(contentType: string, body: Uint8Array): CloudEvent {
  refuseOther(contentType, eventMediaType)
  const issues: Issue[] = []
  const event = decodeEvent(parseJson(body, 'the event'), issues)
  if (event === undefined) throw envelopeInvalid(issues)
  return event
}

/**
 * Events in the JSON batch format, in their order; may be none. Send it only to who asked for batches.
 * @throws ENVELOPE_INVALID as {@link toStructured}, with the index in the paths
 */
export function toBatch(events: readonly CloudEvent[]): StructuredMessage {
  const encoded = each(events, encodeEvent)
  return { contentType: `${batchMediaType}; charset=utf-8`, body: encodeText(`[${encoded.join(',')}]`) }
}

/**
 * The events in a body of the JSON batch format, in their order. One that is invalid refuses the batch.
 * @throws BODY_MALFORMED ENVELOPE_INVALID as {@link fromStructured}, with the index in the paths
 */
export function fromBatch(contentType: string, body: Uint8Array): readonly CloudEvent[] {
  refuseOther(contentType, batchMediaType)
  const values = parseJson(body, 'the batch')
  if (!Array.isArray(values)) throw envelopeInvalid([{ path: '', message: 'must be an array of events' }])
  return each(values, decodeEvent)
}

/**
 * How a body of a content type holds events: one in itself, several, or only its data (`binary`).
 * @see https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/http-protocol-binding.md#3-http-message-mapping
 */
export function contentModeOf(contentType: string | undefined): 'structured' | 'batch' | 'binary' {
  const type = mediaTypeOf(contentType ?? '')
  if (type.startsWith('application/cloudevents-batch')) return 'batch'
  return type.startsWith('application/cloudevents') ? 'structured' : 'binary'
}

const eventMediaType = 'application/cloudevents+json'
const batchMediaType = 'application/cloudevents-batch+json'

/** Codes one event, or adds to the issues and returns undefined. */
type Coder<From, To> = (from: From, issues: Issue[]) => To | undefined

function each<From, To>(values: readonly From[], code: Coder<From, To>): readonly To[] {
  const all: Issue[] = []
  const coded: To[] = []
  for (const [index, value] of values.entries()) {
    const issues: Issue[] = []
    const one = code(value, issues)
    if (one !== undefined) coded.push(one)
    for (const { path, message } of issues) all.push({ path: path === '' ? `${index}` : `${index}.${path}`, message })
  }
  if (all.length > 0) throw envelopeInvalid(all)
  return coded
}

function encodeEvent(event: CloudEvent, issues: Issue[]): string | undefined {
  issues.push(...envelopeIssues(event))
  if (issues.length > 0) return undefined
  const { data, ...attributes } = event
  const member = dataMember(data, event.datacontenttype)
  if (member === undefined) issues.push({ path: 'data', message: unfitData(event.datacontenttype) })
  return member === undefined ? undefined : `${JSON.stringify(attributes).slice(0, -1)}${member}}`
}

/** What stands for the data behind the attributes, or undefined where the data does not fit its type. */
function dataMember(data: unknown, contentType: string | undefined): string | undefined {
  if (data === undefined) return ''
  if (data instanceof Uint8Array) return `,"data_base64":"${toBase64(data)}"`
  const fits = dataForm(contentType) === 'json' || typeof data === 'string'
  const json = fits ? stringifyJson(data) : undefined
  return json === undefined ? undefined : `,"data":${json}`
}

function decodeEvent(value: unknown, issues: Issue[]): CloudEvent | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    issues.push({ path: '', message: 'must be a JSON object' })
    return undefined
  }
  const event: Record<string, unknown> = Object.fromEntries(
    Object.entries(value).filter(([name, member]) => name !== 'data_base64' && (name === 'data' || member !== null)),
  )
  decodeData(event, (value as { readonly data_base64?: unknown }).data_base64, issues)
  issues.push(...envelopeIssues(event))
  return issues.length === 0 ? (event as CloudEvent) : undefined
}

function decodeData(event: Record<string, unknown>, base64: unknown, issues: Issue[]): void {
  if (base64 === undefined || base64 === null) {
    const { data, datacontenttype } = event
    const needsText = data !== undefined && typeof datacontenttype === 'string' && dataForm(datacontenttype) !== 'json'
    if (needsText && typeof data !== 'string') {
      issues.push({ path: 'data', message: `must be a string, since datacontenttype is ${datacontenttype}` })
    }
    return
  }
  if ('data' in event) issues.push({ path: 'data_base64', message: 'must not stand beside data' })
  const bytes = typeof base64 === 'string' ? fromBase64(base64) : undefined
  if (bytes === undefined) issues.push({ path: 'data_base64', message: 'must be base64' })
  event.data = bytes
}

function refuseOther(contentType: string, expected: string): void {
  if (mediaTypeOf(contentType) === expected) return
  throw envelopeInvalid([{ path: '', message: `content type '${contentType}' is not ${expected}` }])
}
