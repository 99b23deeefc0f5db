import type { Headers, OutgoingRecord } from '@posthaste/contracts'
import { joinedAtMs, type Ref } from './names.ts'
import { Packer, type Unpacker } from './wire.ts'

/*
 * Records as entries of a stream: a field for each CloudEvents attribute under its own name, the key as `partitionkey`, the
 * body as `data`. Two fields are Posthaste's own; their names cannot be those of attributes.
 */

/** The group that a record is addressed to. */
const groupField = 'posthaste-group'

/** When a scheduled record was published, milliseconds since the epoch by the server's clock. */
const storedField = 'posthaste-stored'

/** Attributes that are fields of a record, and so cannot be headers as well. */
const ownFields: ReadonlySet<string> = new Set([
  ...['id', 'partitionkey', 'expirytime', 'deliverytime', 'priority', 'data', groupField, storedField],
])

/** A header block, packed. */
interface PackedHeaders {
  readonly bytes: Buffer
  readonly count: number
}

const packedHeaders = new WeakMap<Headers, PackedHeaders>()
const headerPacker = new Packer()

/** Messages of one contract often share one object of headers: packed once. */
function packHeaders(headers: Headers): PackedHeaders {
  const known = packedHeaders.get(headers)
  if (known !== undefined) return known
  let count = 0
  for (const name in headers) {
    if (ownFields.has(name)) continue
    headerPacker.text(name).text(headers[name] as string)
    count += 1
  }
  const packed = { bytes: headerPacker.take(), count }
  packedHeaders.set(headers, packed)
  return packed
}

/** Latest time that a Date can hold. */
const timeMaxMs = 8.64e15

/** RFC 3339, as CloudEvents wants; what no calendar has, as a number. */
const timeText = (atMs: number): string =>
  Math.abs(atMs) <= timeMaxMs && Number.isInteger(atMs) ? new Date(atMs).toISOString() : String(atMs)

const timeOf = (text: string): number | undefined => {
  const atMs = text.includes('T') ? Date.parse(text) : Number(text)
  return Number.isNaN(atMs) ? undefined : atMs
}

/** Hot path: packs a record as the script takes it. `dueAtMs` is by the server's clock, 0 for at once. */
export function packRecord(packer: Packer, record: OutgoingRecord, dueAtMs: number): void {
  const { channel, group, priority } = record
  packer
    .array(5)
    .text(channel)
    .number(priority ?? 0)
    .textOrNo(group)
    .number(dueAtMs)
  packFields(packer, record)
}

/** Hot path: packs the fields of a record alone. */
export function packFields(packer: Packer, record: OutgoingRecord): void {
  const { id, key, group, priority, expiresAtMs, headers, body } = record
  const block = packHeaders(headers)
  let fields = 2 + block.count
  if (key !== undefined) fields += 1
  if (group !== undefined) fields += 1
  if (expiresAtMs !== undefined) fields += 1
  if (record.dueAtMs !== undefined) fields += 1
  if (priority !== undefined) fields += 1
  packer
    .array(2 * fields)
    .text('id')
    .text(id)
  if (key !== undefined) packer.text('partitionkey').text(key)
  if (group !== undefined) packer.text(groupField).text(group)
  if (expiresAtMs !== undefined) packer.text('expirytime').text(timeText(expiresAtMs))
  if (record.dueAtMs !== undefined) packer.text('deliverytime').text(timeText(record.dueAtMs))
  if (priority !== undefined) packer.text('priority').text(String(priority))
  packer.packed(block.bytes).text('data').bytes(body)
}

/** A record in its place, as it was read. */
export interface ReadRecord {
  readonly record: OutgoingRecord
  /** By the server's clock. */
  readonly storedAtMs: number
}

type Mutable<T> = { -readonly [Name in keyof T]: T[Name] }

const nobody = new Uint8Array(0)

/** Reads entries of one channel. Records that follow each other with equal headers share one object. */
export class RecordReader {
  readonly #channel: string
  #headers: Headers | undefined
  #block: Buffer | undefined
  #blockFields = 0

  constructor(channel: string) {
    this.#channel = channel
  }

  /** Hot path: reads the fields of an entry; those of an entry that others have added may come in any order. */
  read(from: Unpacker, ref: Ref): ReadRecord {
    const record: Mutable<OutgoingRecord> = { id: '', channel: this.#channel, headers: {}, body: nobody }
    let storedAtMs: number | undefined
    let headers: Record<string, string> | undefined
    let blockAt = -1
    let fields = from.array() / 2
    for (; fields > 0; fields -= 1) {
      const nameAt = from.at
      if (headers === undefined && this.#isLastBlock(from, fields)) {
        record.headers = this.#headers as Headers
        fields -= this.#blockFields
      }
      const name = from.text()
      if (name === 'data') {
        if (headers !== undefined && fields === 1) this.#remember(from.buffer.subarray(blockAt, nameAt), headers)
        record.body = from.bytes()
      } else if (name === 'id') record.id = from.text()
      else if (!ownFields.has(name)) {
        if (headers === undefined) {
          headers = {}
          blockAt = nameAt
          record.headers = headers
        }
        // A header may be called `__proto__`.
        if (name in headers)
          Object.defineProperty(headers, name, {
            value: from.text(),
            enumerable: true,
            configurable: true,
            writable: true,
          })
        else headers[name] = from.text()
      } else storedAtMs = ownField(record, name, from.text()) ?? storedAtMs
    }
    // Entries of other clients may lack an id; their place in the stream is one that stays.
    if (record.id === '') record.id = ref
    return { record, storedAtMs: storedAtMs ?? joinedAtMs(ref) }
  }

  /** Whether the headers of the record before follow here, byte for byte, and then the body alone. */
  #isLastBlock(from: Unpacker, fields: number): boolean {
    const block = this.#block
    if (block === undefined || fields !== this.#blockFields + 1) return false
    const end = from.at + block.length
    if (end > from.buffer.length || from.buffer.compare(block, 0, block.length, from.at, end) !== 0) return false
    from.at = end
    return true
  }

  #remember(block: Buffer, headers: Headers): void {
    this.#block = block
    this.#blockFields = Object.keys(headers).length
    this.#headers = headers
  }
}

/** @returns when the record was stored, where the field says that */
function ownField(record: Mutable<OutgoingRecord>, name: string, text: string): number | undefined {
  if (name === 'partitionkey') record.key = text
  else if (name === groupField) record.group = text
  else if (name === 'expirytime') record.expiresAtMs = timeOf(text)
  else if (name === 'deliverytime') record.dueAtMs = timeOf(text)
  else if (name === 'priority') record.priority = Number(text) || 0
  else if (name === storedField) return Number(text)
  return undefined
}
