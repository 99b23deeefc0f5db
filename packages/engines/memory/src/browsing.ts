import {
  type BrowsedRecord,
  type BrowsePage,
  type BrowseQuery,
  type Browsing,
  type Move,
  type Outcome,
  PosthasteError,
} from '@posthaste/contracts'
import type { Channel } from './channel.ts'
import type { State } from './store.ts'

const limitMax = 10_000

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

function page(channel: Channel, { after, limit }: BrowseQuery): BrowsePage {
  if (!Number.isInteger(limit) || limit < 1 || limit > limitMax) {
    throw new PosthasteError(
      'INVALID_ARGUMENT',
      `browse of ${channel.spec.name}: limit ${limit} is not within 1 to ${limitMax}`,
    )
  }
  const records: BrowsedRecord[] = []
  for (const { position, storedAtMs, record } of channel.after(after)) {
    if (records.length === limit) return { records, next: records.at(-1)?.position }
    records.push({ position, storedAtMs, record })
  }
  return { records, next: undefined }
}

/** One step: what cannot be published leaves the record where it is. */
function moveOne(channel: Channel, move: Move, state: State): Outcome {
  const obstacle = channel.obstacle(move.position)
  if (obstacle !== undefined) return { ok: false, error: obstacle }
  const published = state.publishTogether(move.publish)
  if (published.ok) channel.withdraw(move.position)
  return published
}
