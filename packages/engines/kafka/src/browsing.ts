import {
  type BrowsedRecord,
  type BrowsePage,
  type BrowseQuery,
  type Browsing,
  PosthasteError,
  type RecordMatch,
} from '@posthaste/contracts'
import type { BrowsingPlace } from './browsing-place.ts'
import type { Cluster } from './cluster.ts'
import { move } from './moving.ts'
import { placeOf, positionOf } from './place.ts'
import { readPositions } from './positions.ts'
import { fromKafka } from './record-codec.ts'
import type { ChannelEntry } from './registry.ts'
import { committedEnd, offsetsOf, scan } from './scan.ts'
import { type GroupPosition, Window } from './window.ts'

const limitMax = 10_000
/** A page ends after so many records, wanted or not. */
const lookedAtMax = 10_000

/** Looking into channels, and moving what stands in queues. */
export function browsing(place: BrowsingPlace): Browsing {
  return {
    browse: (query) => page(place, query),
    move: (channel, moves) => place.exclusively(`move ${channel}`, () => move(place, channel, moves)),
  }
}

// ── Pages ───────────────────────────────────────────────────────────────────────────────────────────────────────────

async function page(place: BrowsingPlace, query: BrowseQuery): Promise<BrowsePage> {
  const { channel: name, after, limit, match } = query
  const channel = await place.declared.channel(name)
  const refuse = (why: string) => new PosthasteError('INVALID_ARGUMENT', `browse of ${name}: ${why}`)
  if (!Number.isInteger(limit) || limit < 1 || limit > limitMax)
    throw refuse(`limit ${limit} is not within 1 to ${limitMax}`)
  const cursors = await cursorsOf(place, channel)
  if (after !== undefined && !(await goOn(place, { name, cursors, after })))
    throw refuse(`${after} is no position of this engine`)
  const records: BrowsedRecord[] = []
  for (let seen = 0; ; seen += 1) {
    const cursor = await oldest(cursors)
    if (cursor === undefined) return { records, next: undefined }
    if (records.length === limit || seen === lookedAtMax) return { records, next: cursorText(cursors) }
    const browsed = cursor.take()
    if (match === undefined || fits(browsed, match)) records.push(browsed)
  }
}

async function cursorsOf(
  { cluster, names, declared }: BrowsingPlace,
  channel: ChannelEntry,
): Promise<PartitionCursor[]> {
  const { name, kind } = channel.spec
  const topic = names.topic(name)
  const partitions = [...(await cluster.topic(topic)).leaders.keys()]
  const [first, end, floor] = await Promise.all([
    offsetsOf(cluster, topic, { partitions, at: 'first' }),
    committedEnd(cluster, topic, partitions),
    kind === 'queue'
      ? readPositions(cluster, declared.queueGroupId(channel), { topic, partitions })
      : neededFrom({ cluster, names }, channel, partitions),
  ])
  return partitions.map((partition) => {
    const start = first.get(partition) ?? 0
    const position = floor.get(partition) ?? { offset: start, done: new Uint8Array(0), addressedFrom: 0 }
    const window = new Window(position)
    const range = { from: Math.max(start, window.watermark), until: end.get(partition) ?? 0 }
    return new PartitionCursor(cluster, { topic, channel: name, partition, window, ...range })
  })
}

/**
 * What a log still has to keep in each partition: nothing that all groups are done with, where it has no retention. The
 * server may not have deleted it yet.
 */
export async function neededFrom(
  { cluster, names }: Pick<BrowsingPlace, 'cluster' | 'names'>,
  { spec, groups }: ChannelEntry,
  partitions: readonly number[],
): Promise<Map<number, GroupPosition>> {
  const topic = names.topic(spec.name)
  const { forMs, bytesMax } = spec.retention ?? {}
  if (forMs !== undefined || bytesMax !== undefined) return new Map()
  const all = await Promise.all(
    [...groups.values()].map(({ group, token }) =>
      readPositions(cluster, names.groupId(spec.name, group, token), { topic, partitions }),
    ),
  )
  const end = await offsetsOf(cluster, topic, { partitions, at: 'end' })
  return new Map(
    partitions.map((partition) => {
      const offsets = all.map((positions) => positions.get(partition)?.offset ?? 0)
      const offset = Math.min(end.get(partition) ?? 0, ...offsets)
      return [partition, { offset, done: new Uint8Array(0), addressedFrom: 0 }]
    }),
  )
}

interface CursorSource {
  readonly topic: string
  readonly channel: string
  readonly partition: number
  readonly window: Window
  readonly from: number
  readonly until: number
}

/** What stands in one partition, in order. */
class PartitionCursor {
  readonly partition: number
  readonly #cluster: Cluster
  readonly #source: CursorSource
  #buffer: BrowsedRecord[] = []
  #offsets: number[] = []
  #scanned: number
  /** Where to go on: everything before was taken. */
  at: number

  constructor(cluster: Cluster, source: CursorSource) {
    this.#cluster = cluster
    this.#source = source
    this.partition = source.partition
    this.at = source.from
    this.#scanned = source.from
  }

  /** Goes on from here; never before what is there. */
  startAt(offset: number): void {
    this.at = Math.max(this.#source.from, offset)
    this.#scanned = this.at
  }

  async peek(): Promise<BrowsedRecord | undefined> {
    const { topic, partition, until, window, channel } = this.#source
    if (this.#buffer.length === 0 && this.#scanned < until) {
      this.#scanned = await scan(this.#cluster, { topic, partition, from: this.#scanned, until }, (records) => {
        for (const read of records) {
          if (window.isDone(read.offset)) continue
          const position = positionOf(partition, read.offset)
          const { record } = fromKafka(read, channel, { topic, partition })
          this.#buffer.push({ position, storedAtMs: read.timestampMs, record })
          this.#offsets.push(read.offset)
        }
        return this.#buffer.length > 0
      })
    }
    return this.#buffer[0]
  }

  take(): BrowsedRecord {
    this.at = (this.#offsets.shift() as number) + 1
    return this.#buffer.shift() as BrowsedRecord
  }
}

async function oldest(cursors: readonly PartitionCursor[]): Promise<PartitionCursor | undefined> {
  let found: { readonly cursor: PartitionCursor; readonly storedAtMs: number } | undefined
  for (const cursor of cursors) {
    const next = await cursor.peek()
    if (next !== undefined && (found === undefined || next.storedAtMs < found.storedAtMs))
      found = { cursor, storedAtMs: next.storedAtMs }
  }
  return found?.cursor
}

const radix = 36

/** Where to go on in each partition. */
function cursorText(cursors: readonly PartitionCursor[]): string {
  return `c${cursors.map(({ at }) => at.toString(radix)).join('.')}`
}

/** Moves cursors behind a page or a record; false where the text is neither. */
async function goOn(
  { cluster, names }: BrowsingPlace,
  {
    name,
    cursors,
    after,
  }: { readonly name: string; readonly cursors: readonly PartitionCursor[]; readonly after: string },
): Promise<boolean> {
  if (/^c[0-9a-z]+(\.[0-9a-z]+)*$/.test(after)) {
    const offsets = after
      .slice(1)
      .split('.')
      .map((each) => Number.parseInt(each, radix))
    if (offsets.length !== cursors.length) return false
    for (const [at, cursor] of cursors.entries()) cursor.startAt(offsets[at] as number)
    return true
  }
  const place = placeOf(after)
  if (place === undefined || place.partition >= cursors.length) return false
  const topic = names.topic(name)
  let atMs: number | undefined
  await scan(cluster, { topic, partition: place.partition, from: place.offset, until: place.offset + 1 }, (records) => {
    atMs = records[0]?.timestampMs
  })
  for (const cursor of cursors) {
    if (cursor.partition === place.partition) cursor.startAt(place.offset + 1)
    else if (atMs !== undefined) {
      // In the order of pages: by time, and by partition within the same.
      const sinceMs = cursor.partition < place.partition ? atMs + 1 : atMs
      const found = await offsetsOf(cluster, topic, { partitions: [cursor.partition], at: { atMs: sinceMs } })
      const offset = found.get(cursor.partition) ?? -1
      cursor.startAt(offset < 0 ? Number.MAX_SAFE_INTEGER : offset)
    }
  }
  return true
}

function fits({ record, storedAtMs }: BrowsedRecord, match: RecordMatch): boolean {
  const { id, key, correlationId, sinceMs = Number.NEGATIVE_INFINITY, untilMs = Number.POSITIVE_INFINITY } = match
  if (id !== undefined && id !== record.id) return false
  if (key !== undefined && key !== record.key) return false
  if (correlationId !== undefined && correlationId !== (record.headers.correlationid ?? record.id)) return false
  return sinceMs <= storedAtMs && storedAtMs < untilMs
}
