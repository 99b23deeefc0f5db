import { isTimestamp, isUri, isUriReference } from './attribute-syntax.ts'
import { type Issue, PosthasteError } from './error.ts'

/**
 * A message as it crosses systems: a CloudEvent of version 1.0. Attributes are own properties; what is not named here is
 * an extension, whose name is lower-case letters and digits (20 at most, by good custom) and whose value is text, a whole
 * number of 32 bits or a boolean.
 *
 * `data` is a JSON value where `datacontenttype` says JSON or nothing, text where it names another text type, and bytes
 * (`Uint8Array`) otherwise; bytes are carried as they are under any content type.
 *
 * @see https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md
 */
export interface CloudEvent<T = unknown> extends EnvelopeExtensions {
  readonly specversion: '1.0'
  /** With `source` unique per event; a repetition has the same. Not empty. */
  readonly id: string
  /** Who says so: a URI-reference such as `/order-service`. Not empty. */
  readonly source: string
  /** What happened: `shop.order.created`. Not empty. */
  readonly type: string
  /** When it happened: RFC 3339, as `2026-11-21T11:22:33.444Z`. */
  readonly time?: string | undefined
  /** What it happened to, within the source. Not empty. */
  readonly subject?: string | undefined
  /** Media type of `data`; JSON if absent. */
  readonly datacontenttype?: string | undefined
  /** The schema that `data` follows: an absolute URI. */
  readonly dataschema?: string | undefined
  /** Absent is not the same as `null`, which is a JSON value. */
  readonly data?: T | undefined
  readonly [extension: string]: unknown
}

/** The extension attributes that mean something to Posthaste. Over a binding that knows text only, all are text. */
export interface EnvelopeExtensions {
  /**
   * The ordering key; at most 1,024 bytes as UTF-8.
   * @see https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/extensions/partitioning.md
   */
  readonly partitionkey?: string | undefined
  /** The same for everything that follows from one cause; the `id` of the first message. */
  readonly correlationid?: string | undefined
  /** The `id` of the message whose handling published this one. */
  readonly causationid?: string | undefined
  /**
   * The trace this message belongs to.
   * @see https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/extensions/distributed-tracing.md
   */
  readonly traceparent?: string | undefined
  /** From here on the message is worth nothing: RFC 3339. */
  readonly expirytime?: string | undefined
  /** Not handed over before: RFC 3339. */
  readonly deliverytime?: string | undefined
  /** 0 is the lowest. */
  readonly priority?: number | string | undefined
  /** Where an answer goes. */
  readonly replyto?: string | undefined
  /**
   * Where `data` is kept, if it was too large to travel: a URI-reference.
   * @see https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/extensions/dataref.md
   */
  readonly dataref?: string | undefined
  /** SHA-256 of the bytes that `dataref` names, in hexadecimal. */
  readonly datahash?: string | undefined
  /** Version of the contract that `data` was written with; 1 if absent. */
  readonly dataversion?: string | undefined
}

/**
 * Checks that a value is a CloudEvent 1.0, whatever its `data`, and returns it as one. Pure; does not copy.
 * @throws ENVELOPE_INVALID with one issue per mistake
 */
export function validateEnvelope(value: unknown): CloudEvent {
  const issues = envelopeIssues(value)
  if (issues.length > 0) throw envelopeInvalid(issues)
  return value as CloudEvent
}

/** Everything that keeps a value from being a CloudEvent 1.0; nothing if it is one. */
export function envelopeIssues(value: unknown): Issue[] {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    return [{ path: '', message: 'must be an object' }]
  const issues: Issue[] = []
  const attributes = value as Readonly<Record<string, unknown>>
  for (const name of requiredNames) {
    if (!Object.hasOwn(attributes, name) || attributes[name] === undefined)
      issues.push({ path: name, message: 'is required' })
  }
  for (const [name, attribute] of Object.entries(attributes)) {
    if (name === 'data' || attribute === undefined) continue
    const message = attributeMistake(name, attribute)
    if (message !== undefined) issues.push({ path: name, message })
  }
  return issues
}

/** The error that names every issue. */
export function envelopeInvalid(issues: readonly Issue[]): PosthasteError {
  const text = issues.map(({ path, message }) => (path === '' ? message : `${path} ${message}`)).join('; ')
  return new PosthasteError('ENVELOPE_INVALID', `not a CloudEvent: ${text}`, { issues })
}

const requiredNames = ['id', 'source', 'type', 'specversion'] as const
const attributeName = /^[a-z0-9]+$/
/** What the type `String` of the specification leaves out: controls, halves of surrogate pairs, noncharacters. */
const forbiddenText = /[\p{Cc}\p{Cs}\p{Noncharacter_Code_Point}]/u
const token = String.raw`[\w!#$%&'*+.^\x60|~-]+`
const quotedText = String.raw`"(?:[\x20\x21\x23-\x5b\x5d-\x7e]|\\[\x20-\x7e])*"`
const parameter = String.raw`[ \t]*;[ \t]*${token}=(?:${token}|${quotedText})`
const mediaType = new RegExp(`^${token}/${token}(?:${parameter})*[ \\t]*;?[ \\t]*$`)

type TextCheck = readonly [accepts: (text: string) => boolean, message: string]

const notEmpty: TextCheck = [(text) => text !== '', 'must not be empty']
const timestamp: TextCheck = [isTimestamp, 'must be an RFC 3339 timestamp']
const uriReference: TextCheck = [(text) => text !== '' && isUriReference(text), 'must be a URI-reference']

const textChecks: ReadonlyMap<string, TextCheck> = new Map([
  ['id', notEmpty],
  ['source', uriReference],
  ['type', notEmpty],
  ['specversion', [(text) => text === '1.0', "must be '1.0'"]],
  ['time', timestamp],
  ['subject', notEmpty],
  ['datacontenttype', [(text) => mediaType.test(text), 'must be a media type']],
  ['dataschema', [isUri, 'must be an absolute URI']],
  ['expirytime', timestamp],
  ['deliverytime', timestamp],
  ['dataref', uriReference],
])

function attributeMistake(name: string, value: unknown): string | undefined {
  if (!attributeName.test(name)) return 'is no attribute name: lower-case letters and digits only'
  const check = textChecks.get(name)
  if (typeof value === 'string') {
    if (forbiddenText.test(value)) return 'must not hold control characters, noncharacters or half a surrogate pair'
    return check === undefined || check[0](value) ? undefined : check[1]
  }
  if (check !== undefined) return 'must be text'
  if (typeof value === 'boolean') return undefined
  if (typeof value === 'number' && Number.isInteger(value) && value === (value | 0)) return undefined
  return 'must be text, a boolean or a whole number of 32 bits'
}
