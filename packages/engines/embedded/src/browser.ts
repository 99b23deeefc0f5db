import type { BrowsedRecord, BrowsePage, BrowseQuery, Browsing, Move, Outcome } from '@posthaste/contracts'
import { PosthasteError, succeeded } from '@posthaste/contracts'
import { failed } from './errors.ts'
import { offsetOfPosition, positionOf } from './group/delivery.ts'
import type { Publisher } from './publisher.ts'
import type { Committer } from './storage/committer.ts'
import type { Channel, Registry } from './topology.ts'

const limitMax = 10_000

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

  async browse({ channel: name, after, limit }: BrowseQuery): Promise<BrowsePage> {
    const channel = this.#channel(name)
    if (!(Number.isInteger(limit) && limit >= 1 && limit <= limitMax))
      throw new PosthasteError('INVALID_ARGUMENT', `limit must be 1 to ${limitMax}, not ${limit}`)
    const start = after === undefined ? 0 : offsetOfPosition(after)
    if (start === undefined) throw new PosthasteError('INVALID_ARGUMENT', `'${after}' is not a position of this engine`)
    // Pages are read at once; whoever asks for one after the other must still let timers and I/O go.
    await new Promise((resolve) => setImmediate(resolve))
    const records: BrowsedRecord[] = []
    for (const record of unsettledFrom(channel, after === undefined ? 0 : start + 1)) {
      if (records.length === limit) return { records, next: records.at(-1)!.position }
      records.push(record)
    }
    return { records, next: undefined }
  }

  async move(name: string, moves: readonly Move[]): Promise<readonly Outcome[]> {
    const channel = this.#channel(name)
    if (channel.queueCursor === undefined)
      throw new PosthasteError('FAILED_PRECONDITION', `'${name}' is a log: its records stay`)
    const outcomes = moves.map((move) => this.#moveOne(channel, move))
    await this.#committer.flushed()
    return outcomes
  }

  #moveOne(channel: Channel, { position, publish }: Move): Outcome {
    const offset = offsetOfPosition(position)
    const cursor = channel.queueCursor!
    const block = offset === undefined || cursor.isSettled(offset) ? undefined : channel.log.blockOf(offset)
    const gone = failed('NOT_FOUND', `'${channel.spec.name}' has nothing to move at ${position}`)
    if (offset === undefined || block === undefined) return gone
    const group = [...channel.groups.values()][0]?.group
    if (group?.isInHand(offset))
      return failed('CONFLICT', `the record of '${channel.spec.name}' at ${position} is being handled`)
    const published = this.#publisher.takeAllOrNone(publish)
    if (!published.ok) return published
    if (group !== undefined) group.withdraw(block, offset)
    else cursor.settle(cursor.segmentOf(block), offset)
    return succeeded
  }

  #channel(name: string): Channel {
    const channel = this.#registry.channels.get(name)
    if (channel === undefined) throw new PosthasteError('NOT_FOUND', `no channel '${name}' is declared`)
    return channel
  }
}

/** Records of a channel in order, without those that are settled where it is a queue. */
function* unsettledFrom({ log, queueCursor }: Channel, start: number): Iterable<BrowsedRecord> {
  let offset = log.blockOf(start)?.first ?? start
  for (;;) {
    const blocks = log.readFrom(offset)
    for (const block of blocks) {
      for (let index = Math.max(0, start - block.first); index < block.count; index++) {
        const at = block.first + index
        if (queueCursor?.isSettled(at)) continue
        const record = block.record(index)
        if (record !== undefined) yield { position: positionOf(at), storedAtMs: block.storedAtMs, record }
      }
      offset = block.first + block.count
    }
    if (blocks.length === 0) return
  }
}
