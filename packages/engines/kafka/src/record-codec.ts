import type { Headers, OutgoingRecord } from '@posthaste/contracts'
import { positionOf } from './place.ts'
import type { KafkaRecord, ReadRecord } from './wire/record-batch.ts'

/** What the engine notes beside a record, in headers of its own that no CloudEvents attribute can have. */
export const internalHeaders = {
  /** The one group that the record is for. */
  group: 'posthaste-group',
  /** The channel of a record that stands elsewhere: in the delay topic, in a note. */
  channel: 'posthaste-channel',
  /** When a record of the delay topic goes on, milliseconds since the epoch. */
  wakeAt: 'posthaste-wake-at',
  /** The place of a note among those of its range. */
  order: 'posthaste-order',
  /** The key of a note, whose own is needed for its name. */
  key: 'posthaste-key',
} as const

const names = new Map<string, string>()
const namesMax = 1_000

function remembered(name: string, make: (name: string) => string): string {
  let made = names.get(name)
  if (made === undefined) {
    made = make(name)
    if (names.size < namesMax) names.set(name, made)
  }
  return made
}

const headerName = (attribute: string): string =>
  remembered(attribute, (name) => (name === 'datacontenttype' ? 'content-type' : `ce_${name}`))

/**
 * A record as Kafka keeps it: CloudEvents in binary mode. The key is the `partitionkey`, the value the body.
 * @see https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/kafka-protocol-binding.md
 */
export function toKafka(record: OutgoingRecord, internal?: readonly string[]): KafkaRecord {
  const { id, key, headers, body, group, dueAtMs, expiresAtMs, priority } = record
  const isPlain = group === undefined && dueAtMs === undefined && expiresAtMs === undefined && priority === undefined
  if (isPlain && internal === undefined) return { key, value: body, headers: listOf(headers), id }
  const list = [...listOf(headers)]
  if (group !== undefined) list.push(internalHeaders.group, group)
  if (dueAtMs !== undefined) list.push('ce_deliverytime', timeText(dueAtMs))
  if (expiresAtMs !== undefined) list.push('ce_expirytime', timeText(expiresAtMs))
  if (priority !== undefined) list.push('ce_priority', String(priority))
  if (internal !== undefined) list.push(...internal)
  return { key, value: body, headers: list, id }
}

/** The latest headers that cannot change any more, and their list: the core gives one object to many messages. */
let listed: { readonly headers: Headers; readonly list: readonly string[] } | undefined

function listOf(headers: Headers): readonly string[] {
  if (listed?.headers === headers) return listed.list
  const list = ['ce_specversion', '1.0']
  for (const name in headers) list.push(headerName(name), headers[name] as string)
  if (Object.isFrozen(headers)) listed = { headers, list }
  return list
}

/** The furthest times that a calendar tells, either way. */
const calendarMsMax = 8_640_000_000_000_000

const timeText = (ms: number): string => new Date(Math.min(Math.max(ms, -calendarMsMax), calendarMsMax)).toISOString()

/** Where a record was read. */
export interface RecordPlace {
  readonly topic: string
  readonly partition: number
}

/** A record of ours, and what was noted beside it. */
export interface Decoded {
  readonly record: OutgoingRecord
  readonly internal: Readonly<Record<string, string>>
}

/** What a list of headers says. */
interface Said {
  id: string
  key: string | undefined
  group: string | undefined
  dueAtMs: number | undefined
  expiresAtMs: number | undefined
  priority: number | undefined
  readonly headers: Record<string, string>
  internal: Readonly<Record<string, string>>
}

const nothing: Readonly<Record<string, string>> = Object.freeze({})
const emptyBody = new Uint8Array(0)

/**
 * A record as the core takes it, also one of a foreign client: what has no id is named by where it stands. Headers that
 * are no attributes of CloudEvents are handed on where they could be one. Hot path.
 */
export function fromKafka(read: ReadRecord, channel: string, place: RecordPlace): Decoded {
  const said = saidBy(read.headers)
  const { headers, group, dueAtMs, expiresAtMs, priority, internal } = said
  const id = read.id || said.id || `${place.topic}/${positionOf(place.partition, read.offset)}`
  const key = read.key !== undefined && read.key.length > 0 ? read.key.toString() : said.key
  const body = read.value ?? emptyBody
  return { record: { id, channel, key, headers, body, group, dueAtMs, expiresAtMs, priority }, internal }
}

/** The latest list and what it says: records that were read together often have the same. */
let heard: { readonly list: readonly string[]; readonly said: Said } | undefined

function saidBy(list: readonly string[]): Said {
  if (heard?.list === list) return heard.said
  const headers: Record<string, string> = {}
  const said: Said = {
    ...{ id: '', key: undefined, group: undefined, dueAtMs: undefined, expiresAtMs: undefined, priority: undefined },
    headers,
    internal: nothing,
  }
  for (let at = 0; at < list.length; at += 2) {
    const name = list[at] as string
    const value = list[at + 1] as string
    if (name.startsWith('ce_')) setAttribute(said, remembered(name, withoutPrefix), value)
    else if (name === 'content-type') headers.datacontenttype = value
    else if (name.startsWith('posthaste-')) said.internal = { ...said.internal, [name]: value }
    else if (!(name in headers) && foreignAttribute.test(name)) headers[name] = value
  }
  said.group = said.internal[internalHeaders.group]
  // Several records have them.
  Object.freeze(headers)
  heard = { list, said }
  return said
}

const withoutPrefix = (name: string): string => name.slice(3)
const foreignAttribute = /^[a-z0-9]+$/

function setAttribute(said: Said, name: string, value: string): void {
  const { headers } = said
  switch (name) {
    case 'specversion':
      return
    case 'id':
      if (value !== '') said.id = value
      return
    case 'partitionkey':
      said.key ??= value
      return
    case 'priority':
      if (/^\d{1,9}$/.test(value)) said.priority = Number(value)
      return
    case 'deliverytime':
    case 'expirytime': {
      const ms = Date.parse(value)
      if (Number.isNaN(ms)) headers[name] = value
      else if (name === 'deliverytime') said.dueAtMs = ms
      else said.expiresAtMs = ms
      return
    }
    default:
      headers[name] = value
  }
}
