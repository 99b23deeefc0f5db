import {
  type BrowsedRecord,
  type BrowsePage,
  type BrowseQuery,
  type Browsing,
  type Move,
  type Outcome,
  PosthasteError,
  type RecordMatch,
  succeeded,
} from '@posthaste/contracts'
import type { Cluster } from './cluster.ts'
import { hasCode, kafkaCodes, mapped } from './errors.ts'
import type { Declared } from './groups.ts'
import type { Names } from './names.ts'
import { placeOf, positionOf } from './place.ts'
import { fromOutside, partitionPosition, readPositions } from './positions.ts'
import type { Routed } from './producer.ts'
import { fromKafka } from './record-codec.ts'
import type { ChannelEntry } from './registry.ts'
import type { Router } from './routing.ts'
import { offsetsOf, scan } from './scan.ts'
import { Transactor } from './transactor.ts'
import { type GroupPosition, Window } from './window.ts'

const limitMax = 10_000
/** A page ends after so many records, wanted or not. */
const lookedAtMax = 10_000

/** What looking into channels works with. */
export interface BrowsingPlace {
  readonly cluster: Cluster
  readonly names: Names
  readonly declared: Declared
  readonly router: Router
  readonly exclusively: <T>(name: string, work: () => Promise<T>) => Promise<T>
}

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
    offsetsOf(cluster, topic, { partitions, at: 'end', committedOnly: true }),
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

// ── Moves ───────────────────────────────────────────────────────────────────────────────────────────────────────────

/** How often a move begins anew because another one was at it. */
const movesMax = 10

async function move(place: BrowsingPlace, name: string, moves: readonly Move[]): Promise<readonly Outcome[]> {
  const channel = await place.declared.channel(name)
  if (channel.spec.kind !== 'queue')
    throw new PosthasteError('FAILED_PRECONDITION', `channel ${name}: a log keeps its records`)
  const groupId = place.declared.queueGroupId(channel)
  // One id for all who move of this queue: whoever begins shuts out the one before, and sees what that one did.
  const transactor = new Transactor(place.cluster, place.names.transactionalId(`move ${groupId}`))
  for (let round = 0; ; round += 1) {
    try {
      await transactor.fence()
      return await moveAll(place, { name, groupId, transactor }, moves)
    } catch (error) {
      const fenced = hasCode(error, kafkaCodes.producerFenced, kafkaCodes.invalidProducerEpoch)
      if (fenced && round < movesMax) continue
      const hasMembers = hasCode(error, kafkaCodes.unknownMember, kafkaCodes.illegalGeneration)
      const failure = hasMembers
        ? new PosthasteError('CONFLICT', `move in ${name}: the group has members, which may be handling it`, {
            cause: error,
          })
        : mapped(error, `move in ${name}`)
      return moves.map(() => ({ ok: false, error: failure }))
    }
  }
}

async function moveAll(
  place: BrowsingPlace,
  { name, groupId, transactor }: { readonly name: string; readonly groupId: string; readonly transactor: Transactor },
  moves: readonly Move[],
): Promise<Outcome[]> {
  const { cluster, names, router } = place
  const topic = names.topic(name)
  const partitions = [...(await cluster.topic(topic)).leaders.keys()]
  const positions = await readPositions(cluster, groupId, { topic, partitions })
  const first = await offsetsOf(cluster, topic, { partitions, at: 'first' })
  const end = await offsetsOf(cluster, topic, { partitions, at: 'end', committedOnly: true })
  const windows = new Map<number, Window>()
  for (const partition of partitions) {
    const position = positions.get(partition)
    const start = first.get(partition) ?? 0
    windows.set(partition, new Window(position ?? { offset: start, done: new Uint8Array(0), addressedFrom: 0 }))
  }
  const outcomes: Outcome[] = []
  const records: Routed[] = []
  const changed = new Set<number>()
  const gone = (position: string): Outcome => {
    return { ok: false, error: new PosthasteError('NOT_FOUND', `move in ${name}: nothing stands at ${position}`) }
  }
  for (const { position, publish } of moves) {
    const at = placeOf(position)
    const window = at && windows.get(at.partition)
    if (
      at === undefined ||
      window === undefined ||
      window.isDone(at.offset) ||
      at.offset >= (end.get(at.partition) ?? 0)
    ) {
      outcomes.push(gone(position))
      continue
    }
    if (!window.fits(at.offset)) {
      const message = `move in ${name}: ${position} is too far behind the oldest record; move that first`
      outcomes.push({ ok: false, error: new PosthasteError('OVERLOADED', message) })
      continue
    }
    let stands = false
    await scan(cluster, { topic, partition: at.partition, from: at.offset, until: at.offset + 1 }, () => {
      stands = true
    })
    router.turn()
    const routed = publish.map((record) => router.route(record))
    const error = routed.find((each) => PosthasteError.is(each))
    if (!stands) outcomes.push(gone(position))
    else if (PosthasteError.is(error)) outcomes.push({ ok: false, error })
    else {
      records.push(...(routed as Routed[]))
      window.complete(at.offset)
      changed.add(at.partition)
      outcomes.push(succeeded)
    }
  }
  if (changed.size === 0) return outcomes
  const list = [...changed].map((each) => partitionPosition(each, (windows.get(each) as Window).position()))
  await transactor.run({ records, positions: [fromOutside(groupId, topic, list)] })
  return outcomes
}
