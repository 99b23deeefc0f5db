import type { StoredMsg } from '@nats-io/jetstream'
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
import type { Channel } from './channel.ts'
import { apiCodes, errorFrom, failed, isApiError } from './errors.ts'
import { positionOf, recordOf, seqOf } from './incoming.ts'
import type { Link } from './link.ts'
import type { Publisher } from './publisher.ts'
import type { ServerTime } from './time.ts'
import type { TopologyKeeper } from './topology.ts'

const limitMax = 10_000

/** A page ends after so many records, wanted or not. */
const lookedAtMax = 2_000

/** Records asked for at once. */
const portion = 64

/** What looking into channels needs. */
export interface BrowsingSurroundings {
  readonly link: Link
  readonly time: ServerTime
  readonly topology: TopologyKeeper
  readonly publisher: Publisher
}

/** Reads records where they stand, without a consumer. */
export function browsing(surroundings: () => BrowsingSurroundings): Browsing {
  return {
    browse: async (query) => page(surroundings(), query),
    move: async (name, moves) => {
      const { topology } = surroundings()
      const channel = await topology.channel(name)
      if (channel.spec.kind !== 'queue') {
        throw new PosthasteError('FAILED_PRECONDITION', `channel ${name}: a log keeps its records`)
      }
      return moveAll(surroundings(), channel, moves)
    },
  }
}

async function page(surroundings: BrowsingSurroundings, query: BrowseQuery): Promise<BrowsePage> {
  const { topology, time } = surroundings
  const { limit, match, after } = query
  const channel = await topology.channel(query.channel)
  if (!Number.isInteger(limit) || limit < 1 || limit > limitMax) {
    const rule = `limit ${limit} is not within 1 to ${limitMax}`
    throw new PosthasteError('INVALID_ARGUMENT', `browse of ${query.channel}: ${rule}`)
  }
  const records: BrowsedRecord[] = []
  let seen = 0
  let next: string | undefined
  for await (const message of messagesFrom(surroundings, channel, { from: firstSeq(query.channel, after) })) {
    if (records.length === limit || seen === lookedAtMax) return { records, next }
    seen += 1
    next = positionOf(message.seq)
    const { record, internals } = recordOf(viewOf(message), channel, message.seq)
    // A copy that a group was given of a record that stands in the log itself.
    if (channel.spec.kind === 'log' && internals.origin !== undefined) continue
    const storedAtMs = time.toOurs(internals.storedAtMs ?? message.time.getTime())
    const browsed = { position: next, storedAtMs, record }
    if (match === undefined || fits(browsed, match)) records.push(browsed)
  }
  return { records, next: undefined }
}

function firstSeq(channel: string, after: string | undefined): number {
  if (after === undefined) return 1
  const seq = seqOf(after)
  if (seq !== undefined) return seq + 1
  throw new PosthasteError('INVALID_ARGUMENT', `browse of ${channel}: ${after} is no position of this engine`)
}

function viewOf({ subject, header, data }: StoredMsg) {
  return { subject, headers: header, data }
}

/** Every record of a channel from a sequence on: over gaps by a search, and else several at once. */
export async function* messagesFrom(
  { link }: Pick<BrowsingSurroundings, 'link'>,
  { names }: Channel,
  { from = 1, subject = names.records }: { readonly from?: number; readonly subject?: string } = {},
): AsyncGenerator<StoredMsg> {
  let seq = from
  for (;;) {
    const start = seq
    const first = await read(link, names.stream, { seq: start, next_by_subj: subject })
    if (first === undefined) return
    yield first
    const seqs = Array.from({ length: portion }, (_, at) => first.seq + 1 + at)
    const rest = await Promise.all(seqs.map((each) => read(link, names.stream, { seq: each })))
    for (const message of rest) {
      if (message !== undefined && isWithin(message.subject, subject)) yield message
    }
    seq = first.seq + 1 + portion
  }
}

function isWithin(subject: string, pattern: string): boolean {
  const [has, wants] = [subject.split('.'), pattern.split('.')]
  return has.length === wants.length && wants.every((token, at) => token === '*' || token === has[at])
}

async function read(
  link: Link,
  stream: string,
  query: { readonly seq: number; readonly next_by_subj?: string },
): Promise<StoredMsg | undefined> {
  const message = await link.find('record', (manager) => manager.direct.getMessage(stream, { ...query }))
  return message ?? undefined
}

function fits({ record, storedAtMs }: BrowsedRecord, match: RecordMatch): boolean {
  const { id, key, correlationId, sinceMs = Number.NEGATIVE_INFINITY, untilMs = Number.POSITIVE_INFINITY } = match
  if (id !== undefined && id !== record.id) return false
  if (key !== undefined && key !== record.key) return false
  if (correlationId !== undefined && correlationId !== (record.headers.correlationid ?? record.id)) return false
  return sinceMs <= storedAtMs && storedAtMs < untilMs
}

// ── Moving ──────────────────────────────────────────────────────────────────────────────────────────────────────────

/** All at once, but for those of the same record: of these the first is to have it. */
function moveAll(surroundings: BrowsingSurroundings, channel: Channel, moves: readonly Move[]): Promise<Outcome[]> {
  const turns = new Map<string, Promise<Outcome>>()
  const outcomes = moves.map((move) => {
    const before = turns.get(move.position)
    const begin = () => moveOne(surroundings, channel, move)
    const outcome = before === undefined ? begin() : before.then(begin)
    turns.set(move.position, outcome)
    return outcome
  })
  return Promise.all(outcomes)
}

/**
 * First publishes, then removes. What is published carries the position as its message id, so that of two who move the same
 * record at the same time only one publishes, and the removal says which of them it was.
 */
async function moveOne(surroundings: BrowsingSurroundings, channel: Channel, move: Move): Promise<Outcome> {
  const { publisher, link } = surroundings
  const { stream } = channel.names
  const what = `record at ${move.position} of ${channel.spec.name}`
  try {
    const obstacle = await obstacleTo(surroundings, channel, move.position)
    if (obstacle !== undefined) return failed(new PosthasteError(obstacle.code, `${what}: ${obstacle.why}`))
    const additions = move.publish.map((_, at) => ({
      server: [['Nats-Msg-Id', `move ${stream} ${move.position} ${at}`]] as const,
    }))
    const failure = (await publisher.publish(move.publish, additions)).find(({ ok }) => !ok)
    if (failure !== undefined) return failure
    const seq = seqOf(move.position) ?? 0
    await link.admin(what, (manager) => manager.streams.deleteMessage(stream, seq, false))
    return succeeded
  } catch (thrown) {
    if (isApiError(thrown, apiCodes.noMessage, apiCodes.sequenceNotFound, apiCodes.deleteFailed)) {
      return failed(new PosthasteError('NOT_FOUND', `${what}: it is gone`))
    }
    return failed(errorFrom(thrown, what))
  }
}

interface Obstacle {
  readonly code: 'NOT_FOUND' | 'CONFLICT'
  readonly why: string
}

/** In a queue, what was handed over and still stands there is being handled. */
async function obstacleTo(
  { link, topology }: BrowsingSurroundings,
  channel: Channel,
  position: string,
): Promise<Obstacle | undefined> {
  const seq = seqOf(position)
  const message = seq === undefined ? undefined : await read(link, channel.names.stream, { seq })
  if (message === undefined || seq === undefined || !isWithin(message.subject, channel.names.records)) {
    return { code: 'NOT_FOUND', why: 'it is gone' }
  }
  const range = channel.keyRanges === 0 ? undefined : Number(message.subject.split('.').at(-1))
  const group = await topology.groupOfQueue(channel)
  if (group === undefined) return undefined
  const info = await topology.consumerInfo(channel, group, range)
  if (info === undefined || info.num_ack_pending === 0) return undefined
  return seq <= info.delivered.stream_seq ? { code: 'CONFLICT', why: 'it is being handled' } : undefined
}
