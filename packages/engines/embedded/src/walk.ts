import type { BrowsedRecord, RecordMatch } from '@posthaste/contracts'
import type { Channel, ChannelLane } from './channel.ts'
import type { Block } from './log/block.ts'
import { type Position, placeIn, positionOf } from './log/position.ts'

/** From where to where a walk goes. */
export interface Way {
  /** Behind this place; from the oldest record if absent. */
  readonly after: Position | undefined
  readonly sinceMs?: RecordMatch['sinceMs']
  readonly untilMs?: RecordMatch['untilMs']
  /** A block is looked into, of whose records all but a few may be settled. */
  readonly onBlock: () => void
}

interface Step {
  readonly lane: ChannelLane
  readonly block: Block
  readonly offset: number
}

/** Records of a channel in the order of their positions, without those that are settled where it is a queue. */
export function* walk({ lanes }: Channel, way: Way): Generator<BrowsedRecord> {
  const steps = lanes.length === 1 ? stepsIn(lanes[0]!, way) : merged(lanes, way)
  for (const { lane, block, offset } of steps) {
    const { storedAtMs } = block
    const record = block.record(offset - block.first)
    if (record !== undefined) yield { position: positionOf(lane.log, offset, storedAtMs), storedAtMs, record }
  }
}

/** The steps through several logs: of those that are next, the one that was stored first, and is of the lowest level. */
function* merged(lanes: readonly ChannelLane[], way: Way): Generator<Step> {
  const walks = lanes.map((lane) => stepsIn(lane, way))
  const next = walks.map((walk) => walk.next())
  for (;;) {
    let first: number | undefined
    for (const [level, { done, value }] of next.entries()) {
      if (done === true) continue
      const best = first === undefined ? undefined : next[first]!.value
      if (!best || timeOf(value) < timeOf(best)) first = level
    }
    if (first === undefined) return
    yield next[first]!.value as Step
    next[first] = walks[first]!.next()
  }
}

/** As positions have it. */
function timeOf({ block }: Step): number {
  return Math.floor(block.storedAtMs)
}

function* stepsIn(
  lane: ChannelLane,
  { after, sinceMs, untilMs = Number.POSITIVE_INFINITY, onBlock }: Way,
): Generator<Step> {
  const { log, queueCursor } = lane
  const behind = after === undefined ? 0 : placeIn(log, { ...after, offset: after.offset + 1 })
  const start = Math.max(behind, sinceMs === undefined ? 0 : log.offsetAt(sinceMs))
  let offset = log.blockOf(start)?.first ?? start
  for (;;) {
    const blocks = log.readFrom(offset)
    for (const block of blocks) {
      if (block.storedAtMs >= untilMs) return
      onBlock()
      for (let index = Math.max(0, start - block.first); index < block.count; index++) {
        const at = block.first + index
        if (!queueCursor?.isSettled(at)) yield { lane, block, offset: at }
      }
      offset = block.first + block.count
    }
    if (blocks.length === 0) return
  }
}
