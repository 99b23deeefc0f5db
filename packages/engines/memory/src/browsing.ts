import {
  type BrowsedRecord,
  type BrowsePage,
  type BrowseQuery,
  type Browsing,
  type Move,
  type Outcome,
  PosthasteError,
  type RecordMatch,
} from '@posthaste/contracts'
import type { Channel } from './channel.ts'
import { isPosition, type Stored } from './entry.ts'
import type { State } from './store.ts'

const limitMax = 10_000

/** A page ends after so many records, wanted or not: looking for a needle must not hold up what else is to be done. */
const lookedAtMax = 10_000

/** Looking into channels; `channelOf` rejects names that are not declared and calls on a closed engine. */
export function browsing(channelOf: (name: string) => Channel, state: State): Browsing {
  return {
    async browse(query) {
      return page(channelOf(query.channel), query)
    },
    async move(name, moves) {
      const channel = channelOf(name)
      if (channel.spec.kind !== 'queue')
        throw new PosthasteError('FAILED_PRECONDITION', `channel ${name}: a log keeps its records`)
      return moves.map((move) => moveOne(channel, move, state))
    },
  }
}

function page(channel: Channel, { after, limit, match }: BrowseQuery): BrowsePage {
  if (!Number.isInteger(limit) || limit < 1 || limit > limitMax) {
    throw new PosthasteError(
      'INVALID_ARGUMENT',
      `browse of ${channel.spec.name}: limit ${limit} is not within 1 to ${limitMax}`,
    )
  }
  if (after !== undefined && !isPosition(after)) {
    throw new PosthasteError(
      'INVALID_ARGUMENT',
      `browse of ${channel.spec.name}: ${after} is no position of this engine`,
    )
  }
  const records: BrowsedRecord[] = []
  let seen = 0
  let next: string | undefined
  for (const stored of channel.after(after)) {
    if (records.length === limit || seen === lookedAtMax) return { records, next }
    const { position, storedAtMs, record } = stored
    if (match === undefined || fits(stored, match)) records.push({ position, storedAtMs, record })
    next = position
    seen += 1
  }
  return { records, next: undefined }
}

function fits({ record, storedAtMs }: Stored, match: RecordMatch): boolean {
  const { id, key, correlationId, sinceMs = Number.NEGATIVE_INFINITY, untilMs = Number.POSITIVE_INFINITY } = match
  if (id !== undefined && id !== record.id) return false
  if (key !== undefined && key !== record.key) return false
  if (correlationId !== undefined && correlationId !== (record.headers.correlationid ?? record.id)) return false
  return sinceMs <= storedAtMs && storedAtMs < untilMs
}

/** One step: what cannot be published leaves the record where it is. */
function moveOne(channel: Channel, move: Move, state: State): Outcome {
  const obstacle = channel.obstacle(move.position)
  if (obstacle !== undefined) return { ok: false, error: obstacle }
  const published = state.publishTogether(move.publish)
  if (published.ok) channel.withdraw(move.position)
  return published
}
