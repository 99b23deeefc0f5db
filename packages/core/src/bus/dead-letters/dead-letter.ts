import type {
  BrowsedRecord,
  ChannelSpec,
  Delivery,
  Headers,
  Issue,
  OutgoingRecord,
  PosthasteError,
} from '@posthaste/contracts'
import { isoTime } from '../../pipeline/ids.ts'
import { issuesText, parseIssues, plainMessage } from '../error-text.ts'
import { attributeText, deadLetterAttributes, headersFit, headersMax, utf8Bytes } from '../publishing/attributes.ts'

/** A message that a group could not handle, as it stands in the group's dead letters. */
export interface DeadLetter {
  /** Where it stands; names it for {@link DeadLetters.redrive}. */
  readonly position: string
  /** The message's own id. */
  readonly id: string
  readonly key: string | undefined
  /** Why, as an error code: `ATTEMPTS_EXHAUSTED`, `PAYLOAD_INVALID`, `HANDLER_REJECTED`, … */
  readonly code: string
  /** Why, in words: at most 1,024 characters. */
  readonly reason: string
  /** How often it was delivered. */
  readonly attempts: number
  /** When it was given up, milliseconds since the epoch. */
  readonly deadAtMs: number
  /** What is wrong with it, where the reason is a list. */
  readonly issues: readonly Issue[]
  /** The body's original bytes. */
  readonly data: Uint8Array
  /** The original headers, without what the dead letter adds. */
  readonly headers: Headers
}

/**
 * Where a group's dead letters stand; those of a rule with a target of its own apart. Nobody consumes it: it is browsed, and
 * redriven from.
 */
export function deadLetterChannel(channel: string, group: string, target?: string): ChannelSpec {
  // Names of groups and targets have no dots, so the name can be read in one way only.
  const place = target === undefined ? `dead.${group}` : `deadto.${target}.${group}`
  return { name: `posthaste.${place}.${channel}`, kind: 'queue', keyed: false }
}

/** Why a message is given up, and by whom. */
export interface Death {
  readonly error: PosthasteError
  /** The engine's name of the group, which a redrive addresses. */
  readonly group: string
  /** The name of the channel that it goes to. */
  readonly channel: string
  readonly atMs: number
  /** The engine's limit for headers. */
  readonly headerBytesMax: number
}

const reasonLengthMax = 1_024
/** Of the message's own attributes where not all of its headers can be kept. Whoever reads bodies needs the first. */
const keptAttributes = ['datacontenttype', 'type', 'correlationid', 'source', 'time', 'causationid']
const keptLengthMax = 200

/**
 * The record that stands for a message in the dead letters: id, key, body and headers are the message's own, untouched;
 * what happened is told in attributes beside them. What is told is cut short rather than be too large to be stored. Where
 * that is not enough, as for messages of other publishers whose headers fill the engine's limit, the message's extension
 * attributes are left out: a dead letter that no engine stores would block its key for ever.
 */
export function composeDeadLetter(delivery: Delivery, death: Death): OutgoingRecord {
  const { record, attempt } = delivery
  const { error, group, channel, atMs, headerBytesMax } = death
  const origin = { dlattempts: String(attempt), dlgroup: group, dlchannel: record.channel, dltime: isoTime(atMs) }
  const { priority = 0 } = record
  const what = { dlcode: error.code, ...origin, ...(priority > 0 && { dlpriority: String(priority) }) }
  const dlmessage = attributeText(plainMessage(error), reasonLengthMax)
  const dlissues = issuesText(error.issues)
  const brief = { ...originalHeaders(record.headers), ...what, dlmessage }
  const told = dlissues === undefined ? brief : { ...brief, dlissues }
  const headers = [told, brief, { ...brief, dlmessage: '' }].find((fit) => headersFit(fit, headersMax, headerBytesMax))
  return {
    id: record.id,
    channel,
    key: record.key,
    headers: headers ?? leastHeaders(record.headers, { ...what, dlmessage }, headerBytesMax),
    body: record.body,
  }
}

/** What happened, and the message's own attributes, each cut short, as far as there is room. */
function leastHeaders(headers: Headers, what: Headers, bytesMax: number): Headers {
  const { dlmessage = '', ...first } = what
  const kept = keptAttributes.map((name) => [name, attributeText(headers[name] ?? '', keptLengthMax)] as const)
  const least: Record<string, string> = {}
  let left = bytesMax
  for (const [name, text] of [...Object.entries(first), ...kept, ['dlmessage', dlmessage] as const]) {
    const bytes = utf8Bytes(name) + utf8Bytes(text)
    if (text === '' || bytes > left) continue
    least[name] = text
    left -= bytes
  }
  return least
}

/** The dead letter that a record is. Tolerant: what others have put there is shown as far as it goes. */
export function parseDeadLetter({ position, storedAtMs, record }: BrowsedRecord): DeadLetter {
  const { dlcode, dlmessage, dlattempts, dltime, dlissues } = record.headers
  const deadAtMs = Date.parse(dltime ?? '')
  return {
    position,
    id: record.id,
    key: record.key,
    code: dlcode ?? '',
    reason: dlmessage ?? '',
    attempts: Number(dlattempts ?? 0) || 0,
    deadAtMs: Number.isNaN(deadAtMs) ? storedAtMs : deadAtMs,
    issues: parseIssues(dlissues),
    data: record.body,
    headers: originalHeaders(record.headers),
  }
}

/**
 * The message that a dead letter was, addressed to the group that failed it. Its expiry is not restored: whoever redrives
 * wants it handled.
 */
export function reviveDeadLetter(record: OutgoingRecord, to: { channel: string; group: string }): OutgoingRecord {
  const { id, key, body, headers } = record
  const revived = { id, channel: to.channel, group: to.group, key, headers: originalHeaders(headers), body }
  const priority = Number(headers.dlpriority)
  return Number.isInteger(priority) ? { ...revived, priority } : revived
}

function originalHeaders(headers: Headers): Headers {
  const original: Record<string, string> = { ...headers }
  for (const name of deadLetterAttributes) delete original[name]
  return original
}
