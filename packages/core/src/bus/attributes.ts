import type { Issue } from '@posthaste/contracts'

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
  /** Id of the message that a chain of causes began with; its own for the first one. */
  readonly correlationid: string
  /** Id of the message whose handler published this one. */
  readonly causationid?: string
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
] as const

const reserved: ReadonlySet<string> = new Set([
  ...['id', 'source', 'specversion', 'type', 'datacontenttype', 'time', 'data', 'dataref'],
  ...['partitionkey', 'correlationid', 'causationid', 'expirytime', 'deliverytime', 'priority', 'replyto'],
  ...deadLetterAttributes,
])

const namePattern = /^[a-z0-9]{1,20}$/
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what CloudEvents forbids in a String
const controlPattern = /[\u0000-\u001f\u007f-\u009f]/

/** What is wrong with the extension attributes that somebody wants to publish with. */
export function extensionIssues(headers: unknown): Issue[] {
  if (typeof headers !== 'object' || headers === null) return [{ path: 'headers', message: 'must be an object' }]
  const issues: Issue[] = []
  for (const [name, value] of Object.entries(headers)) {
    const path = `headers.${name}`
    if (!namePattern.test(name)) issues.push({ path, message: 'must be named by 1 to 20 of a-z and 0-9' })
    else if (reserved.has(name)) issues.push({ path, message: 'is written by Posthaste itself' })
    if (!isAttributeText(value)) issues.push({ path, message: 'must be text without control characters' })
  }
  return issues
}

/** Whether a value may stand in a header. */
export function isAttributeText(value: unknown): value is string {
  return typeof value === 'string' && !controlPattern.test(value) && value.isWellFormed()
}

/** Any text, made fit to stand in a header. */
export function attributeText(text: string, lengthMax: number): string {
  return text.slice(0, lengthMax).replaceAll(new RegExp(controlPattern, 'g'), ' ').toWellFormed()
}

const encoder = new TextEncoder()

/** Bytes of a text as UTF-8. */
export function utf8Bytes(text: string): number {
  return encoder.encode(text).length
}

/** Whether header names and values stay within a number of bytes. Hot path: counts exactly only near the limit. */
export function headersFit(headers: Readonly<Record<string, string>>, bytesMax: number): boolean {
  let length = 0
  for (const name in headers) length += name.length + headers[name]!.length
  // A UTF-16 unit takes at most three bytes.
  return length * 3 <= bytesMax || headerBytes(headers) <= bytesMax
}

/** Bytes of all header names and values. */
export function headerBytes(headers: Readonly<Record<string, string>>): number {
  let bytes = 0
  for (const name in headers) bytes += utf8Bytes(name) + utf8Bytes(headers[name]!)
  return bytes
}
