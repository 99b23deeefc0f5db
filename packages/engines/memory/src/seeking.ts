import { PosthasteError, type Seeking, type SeekTarget } from '@posthaste/contracts'
import type { Channel } from './channel.ts'
import { isPosition, type Stored } from './entry.ts'
import type { Group } from './group.ts'

/** Moving groups; `channelOf` and `groupOf` reject names that are not declared and calls on a closed engine. */
export function seeking(
  channelOf: (name: string) => Channel,
  groupOf: (channel: string, name: string) => Group,
): Seeking {
  return {
    async seek(name, groupName, target) {
      const channel = channelOf(name)
      const group = groupOf(name, groupName)
      const refuse = (code: 'FAILED_PRECONDITION' | 'CONFLICT', why: string) =>
        new PosthasteError(code, `seek of ${groupName} in ${name}: ${why}`)
      if (channel.spec.kind === 'queue') throw refuse('FAILED_PRECONDITION', 'a queue keeps nothing to go back to')
      if (group.lifetime === 'temporary') throw refuse('FAILED_PRECONDITION', 'the group is temporary')
      if (group.members.length > 0) throw refuse('CONFLICT', `the group has ${group.members.length} members`)
      channel.restart(group, beginningAt(target))
    },
  }
}

/** Tells of a channel's records, oldest first, whether the target is reached. */
function beginningAt(target: SeekTarget): (stored: Stored) => boolean {
  if ('to' in target) return () => target.to === 'earliest'
  if ('atMs' in target) {
    if (Number.isNaN(target.atMs)) throw new PosthasteError('INVALID_ARGUMENT', 'seek: the time is not a number')
    return ({ storedAtMs }) => storedAtMs >= target.atMs
  }
  if (!isPosition(target.position)) {
    throw new PosthasteError('INVALID_ARGUMENT', `seek: ${target.position} is no position of this engine`)
  }
  return ({ position }) => position >= target.position
}
