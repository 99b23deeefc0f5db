import type { Headers, OutgoingRecord } from '@posthaste/contracts'
import { malformed, type Reader } from './reader.ts'
import type { Writer } from './writer.ts'

/*
 * Records in a message, each told by what differs from the one before:
 *
 *   flags u8 | [dueAtMs f64] [expiresAtMs f64] [priority f64]
 *   idUnits | [channelUnits] | [groupUnits] | [keyUnits]
 *   [headers: count, per header one of: 1 | name << 2 | 2 | name << 2 | 3 | name << 2, [nameUnits], valueUnits]
 *   textBytes | text utf8: id channel group key, and per header [name] [value] | bodyBytes | body
 *
 * Numbers without a type are varints. A header is the same as the one of its place in the record before (1), has the value of
 * the record's id (2) or channel (3), or a value of its own. Names have the numbers of `knownNames`, 0 for those without.
 * Counts are of UTF-16 units, so that all text of a record is one native call; where there are as many bytes, all is ASCII.
 * Hot path.
 */

const hasKey = 0x01
const hasGroup = 0x02
const hasDue = 0x04
const hasExpiry = 0x08
const hasPriority = 0x10
const sameHeaders = 0x20
const otherChannel = 0x40

const sameHeader = 1
const isId = 2
const isChannel = 3

/** Names that get a number instead of their letters. Append only: both sides must know them. */
const knownNames: readonly string[] = [
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
const knownNumbers = new Map(knownNames.map((name, number) => [name, number] as const).slice(1))

/** An upper bound of what a record takes beside its text and its body. */
const fixedBytesMax = 96

const noHeaders: Headers = Object.freeze({})

/** Writes the records of one message; one writer of records for each message, since each is told by the one before. */
export class RecordWriter {
  readonly #writer: Writer
  #channel: string
  #headers: Headers = noHeaders
  /** Names and values of the headers of the record before. */
  #names: string[] = []
  #values: string[] = []
  readonly #texts: string[] = []
  #textUnits = 0

  /** @param channel that of the record before the first */
  constructor(writer: Writer, channel: string) {
    this.#writer = writer
    this.#channel = channel
  }

  /** Begins another message. */
  reset(channel: string): void {
    this.#channel = channel
    this.#headers = noHeaders
    this.#names.length = 0
    this.#values.length = 0
  }

  write(record: OutgoingRecord): void {
    const writer = this.#writer
    const { id, channel, key, group, headers, body, dueAtMs, expiresAtMs, priority } = record
    const isOtherChannel = channel !== this.#channel
    const isSame = headers === this.#headers
    writer.reserve(fixedBytesMax)
    writer.byte(
      (key === undefined ? 0 : hasKey) |
        (group === undefined ? 0 : hasGroup) |
        (dueAtMs === undefined ? 0 : hasDue) |
        (expiresAtMs === undefined ? 0 : hasExpiry) |
        (priority === undefined ? 0 : hasPriority) |
        (isSame ? sameHeaders : 0) |
        (isOtherChannel ? otherChannel : 0),
    )
    if (dueAtMs !== undefined) writer.double(dueAtMs)
    if (expiresAtMs !== undefined) writer.double(expiresAtMs)
    if (priority !== undefined) writer.double(priority)
    const texts = this.#texts
    texts.length = 0
    this.#textUnits = 0
    this.#units(id)
    if (isOtherChannel) this.#units(channel)
    if (group !== undefined) this.#units(group)
    if (key !== undefined) this.#units(key)
    this.#channel = channel
    if (!isSame) this.#writeHeaders(record)
    writer.sizedTexts(texts, this.#textUnits)
    writer.varint(body.byteLength)
    writer.bytes(body)
  }

  #units(text: string): void {
    this.#writer.varint(text.length)
    this.#textUnits += text.length
    this.#texts.push(text)
  }

  #writeHeaders({ headers, id, channel }: OutgoingRecord): void {
    const [writer, names, values] = [this.#writer, this.#names, this.#values]
    this.#headers = headers
    let count = 0
    for (const _ in headers) count++
    writer.varint(count)
    let at = 0
    for (const name in headers) {
      const value = headers[name]!
      if (values[at] === value && names[at] === name) writer.byte(sameHeader)
      else this.#writeHeader(name, value, value === id ? isId : value === channel ? isChannel : 0)
      names[at] = name
      values[at] = value
      at++
    }
    names.length = at
    values.length = at
  }

  #writeHeader(name: string, value: string, kind: number): void {
    const number = knownNumbers.get(name) ?? 0
    this.#writer.varint((number << 2) | kind)
    if (number === 0) this.#units(name)
    if (kind === 0) this.#units(value)
  }
}

/** Reads the records of one message; their bodies are views of it. */
export class RecordReader {
  readonly #reader: Reader
  #channel: string
  #headers: Headers = noHeaders
  #names: string[] = []
  #values: string[] = []
  /** What has been read of the headers of a record before its text. */
  readonly #kinds: number[] = []
  readonly #units: number[] = []

  constructor(reader: Reader, channel: string) {
    this.#reader = reader
    this.#channel = channel
  }

  read(): OutgoingRecord {
    const reader = this.#reader
    const flags = reader.byte()
    const dueAtMs = flags & hasDue ? reader.double() : undefined
    const expiresAtMs = flags & hasExpiry ? reader.double() : undefined
    const priority = flags & hasPriority ? reader.double() : undefined
    const idUnits = reader.varint()
    const channelUnits = flags & otherChannel ? reader.varint() : 0
    const groupUnits = flags & hasGroup ? reader.varint() : 0
    const keyUnits = flags & hasKey ? reader.varint() : 0
    let units = idUnits + channelUnits + groupUnits + keyUnits
    if (!(flags & sameHeaders)) units += this.#readShape()
    const bytes = reader.varint()
    const text = bytes === units ? reader.ascii(bytes) : reader.text(bytes)
    if (text.length !== units) throw malformed('the text of a record has another length')
    const id = text.slice(0, idUnits)
    let at = idUnits
    if (flags & otherChannel) this.#channel = text.slice(at, at + channelUnits)
    at += channelUnits
    const group = flags & hasGroup ? text.slice(at, at + groupUnits) : undefined
    at += groupUnits
    const key = flags & hasKey ? text.slice(at, at + keyUnits) : undefined
    const channel = this.#channel
    if (!(flags & sameHeaders)) this.#readHeaders(text, at + keyUnits, { id, channel })
    const body = reader.bytes(reader.varint())
    return { id, channel, group, key, headers: this.#headers, body, dueAtMs, expiresAtMs, priority }
  }

  /** @returns units of the text of the headers */
  #readShape(): number {
    const [reader, kinds, units] = [this.#reader, this.#kinds, this.#units]
    kinds.length = 0
    units.length = 0
    const count = reader.varint()
    if (count > reader.buffer.length - reader.at) throw malformed('a record has more headers than bytes')
    let sum = 0
    const measure = (): void => {
      const each = reader.varint()
      units.push(each)
      sum += each
    }
    for (let at = 0; at < count; at++) {
      const kind = reader.varint()
      kinds.push(kind)
      if (kind === sameHeader) continue
      if ((kind & 3) === sameHeader) throw malformed(`no header is of the kind ${kind}`)
      if (kind >> 2 === 0) measure()
      if ((kind & 3) === 0) measure()
    }
    return sum
  }

  #readHeaders(text: string, start: number, { id, channel }: { readonly id: string; readonly channel: string }): void {
    const [kinds, units, names, values] = [this.#kinds, this.#units, this.#names, this.#values]
    let [unit, next, changed] = [start, 0, kinds.length !== names.length]
    const take = (): string => {
      const from = unit
      unit += units[next++] ?? 0
      return text.slice(from, unit)
    }
    for (let at = 0; at < kinds.length; at++) {
      const kind = kinds[at]!
      if (kind === sameHeader) {
        if (at >= names.length) throw malformed('a header is the same as none')
        continue
      }
      changed = true
      const number = kind >> 2
      const name = number === 0 ? take() : knownNames[number]
      if (name === undefined) throw malformed(`no header has the number ${number}`)
      names[at] = name
      const how = kind & 3
      values[at] = how === isId ? id : how === isChannel ? channel : take()
    }
    if (!changed) return
    names.length = kinds.length
    values.length = kinds.length
    this.#headers = headersOf(names, values)
  }
}

function headersOf(names: readonly string[], values: readonly string[]): Headers {
  const headers: Record<string, string> = {}
  for (let at = 0; at < names.length; at++) {
    const name = names[at]!
    // An assignment to `__proto__` would be lost.
    if (name !== '__proto__') headers[name] = values[at]!
    else
      Object.defineProperty(headers, name, { value: values[at], enumerable: true, configurable: true, writable: true })
  }
  return headers
}
