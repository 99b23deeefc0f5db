import { PosthasteError, type SeekTarget } from '@posthaste/contracts'
import type { Channel, ChannelGroup } from './channel.ts'
import { addressedMark } from './group/delivery.ts'
import type { ChannelLog } from './log/channel-log.ts'
import { type Position, parsePosition, placeIn } from './log/position.ts'
import type { Committer } from './storage/committer.ts'
import type { Registry } from './topology.ts'

/** Which group is moved, and where to. */
export interface Seek {
  readonly channel: string
  readonly group: string
  readonly target: SeekTarget
}

/** Moves a group that has no members to another place of its log, in one transaction. */
export async function seek(wish: Seek, registry: Registry, committer: Committer): Promise<void> {
  const channel = movable(wish, registry).channel
  const place = 'position' in wish.target ? positionIn(channel, wish.target.position) : undefined
  // What was published before has its place and its time then.
  await committer.flushed()
  const { found } = movable(wish, registry)
  registry.move(found, (log) => startIn(log, wish.target, place?.resolve(found)))
  await committer.flushed()
}

/** @throws NOT_FOUND FAILED_PRECONDITION CONFLICT */
function movable({ channel: name, group }: Seek, registry: Registry): { channel: Channel; found: ChannelGroup } {
  const channel = registry.channel(name)
  const found = registry.group(name, group)
  if (channel.spec.kind === 'queue')
    throw new PosthasteError('FAILED_PRECONDITION', `'${name}' is a queue: what is settled is gone`)
  if (found.group.hasMembers) {
    throw new PosthasteError('CONFLICT', `group '${group}' of '${name}' has members`, {
      remedy: 'Pause or stop its subscriptions in every process first.',
    })
  }
  return { channel, found }
}

function startIn(log: ChannelLog, target: SeekTarget, place: Position | undefined): number {
  if ('to' in target) return target.to === 'next' ? log.next : log.oldest()
  if ('atMs' in target) return log.offsetAt(target.atMs)
  return place === undefined ? log.oldest() : Math.min(log.next, Math.max(log.oldest(), placeIn(log, place)))
}

/** What a position says; of a record that was addressed to the group, the place in the channel where it came. */
function positionIn(channel: Channel, text: string): { resolve(group: ChannelGroup): Position | undefined } {
  const isAddressed = text.startsWith(addressedMark)
  const place = parsePosition(isAddressed ? text.slice(addressedMark.length) : text, channel.lanes.length)
  if (place === undefined)
    throw new PosthasteError('INVALID_ARGUMENT', `'${text}' is not a position in '${channel.spec.name}'`)
  if (!isAddressed) return { resolve: () => place }
  return {
    resolve({ returns }) {
      const block = returns[place.level]!.blockOf(place.offset)
      return block === undefined ? undefined : { ...place, offset: block.behind }
    },
  }
}
