import {
  type BrowsedRecord,
  type BrowsePage,
  type BrowseQuery,
  type Browsing,
  type Move,
  type Outcome,
  type OutgoingRecord,
  PosthasteError,
  type RecordMatch,
  succeeded,
} from '@posthaste/contracts'
import type { Channel } from './channel.ts'
import { failed } from './errors.ts'
import { parsePosition } from './log/position.ts'
import type { Publisher } from './publisher.ts'
import type { Committer } from './storage/committer.ts'
import type { Registry } from './topology.ts'
import { walk } from './walk.ts'

const limitMax = 10_000

/** A page ends after so many records, wanted or not: looking for a needle must not hold up what else is to be done. */
const lookedAtMax = 10_000
/** To read a block takes as long as to decode so many of its records. */
const blockCost = 32

/** Looks into channels, and moves records out of queues. */
export class Browser implements Browsing {
  readonly #registry: Registry
  readonly #publisher: Publisher
  readonly #committer: Committer

  constructor(registry: Registry, publisher: Publisher, committer: Committer) {
    this.#registry = registry
    this.#publisher = publisher
    this.#committer = committer
  }

  async browse({ channel: name, after: place, limit, match }: BrowseQuery): Promise<BrowsePage> {
    const channel = this.#registry.channel(name)
    if (!(Number.isInteger(limit) && limit >= 1 && limit <= limitMax))
      throw new PosthasteError('INVALID_ARGUMENT', `limit must be 1 to ${limitMax}, not ${limit}`)
    const after = place === undefined ? undefined : parsePosition(place, channel.lanes.length)
    if (place !== undefined && after === undefined)
      throw new PosthasteError('INVALID_ARGUMENT', `'${place}' is not a position in '${name}'`)
    // Pages are read at once; whoever asks for one after the other must still let timers and I/O go.
    await new Promise((resolve) => setImmediate(resolve))
    const records: BrowsedRecord[] = []
    let lookedAt = 0
    let next: string | undefined
    const onBlock = (): void => {
      lookedAt += blockCost
    }
    for (const found of walk(channel, { after, sinceMs: match?.sinceMs, untilMs: match?.untilMs, onBlock })) {
      if (records.length === limit || (lookedAt >= lookedAtMax && next !== undefined)) return { records, next }
      if (match === undefined || fits(found.record, match)) records.push(found)
      next = found.position
      lookedAt++
    }
    return { records, next: undefined }
  }

  async move(name: string, moves: readonly Move[]): Promise<readonly Outcome[]> {
    const channel = this.#registry.channel(name)
    if (channel.spec.kind === 'log')
      throw new PosthasteError('FAILED_PRECONDITION', `'${name}' is a log: its records stay`)
    const outcomes = moves.map((move) => this.#moveOne(channel, move))
    await this.#committer.flushed()
    return outcomes
  }

  #moveOne(channel: Channel, { position, publish }: Move): Outcome {
    const gone = failed('NOT_FOUND', `'${channel.spec.name}' has nothing to move at ${position}`)
    const place = parsePosition(position, channel.lanes.length)
    if (place === undefined) return gone
    const { offset, level } = place
    const { log, queueCursor } = channel.lanes[level]!
    const cursor = queueCursor!
    const block = cursor.isSettled(offset) ? undefined : log.blockOf(offset)
    if (block === undefined) return gone
    const group = [...channel.groups.values()][0]?.group
    if (group?.isInHand(cursor, offset))
      return failed('CONFLICT', `the record of '${channel.spec.name}' at ${position} is being handled`)
    const published = this.#publisher.takeAllOrNone(publish)
    if (!published.ok) return published
    if (group !== undefined) group.withdraw(cursor, block, offset)
    else cursor.settle(cursor.segmentOf(block), offset)
    return succeeded
  }
}

/** Whether a record is one of those wanted; time is looked at on the way to it. */
function fits({ id, key, headers }: OutgoingRecord, match: RecordMatch): boolean {
  if (match.id !== undefined && match.id !== id) return false
  if (match.key !== undefined && match.key !== key) return false
  return match.correlationId === undefined || match.correlationId === (headers.correlationid ?? id)
}
