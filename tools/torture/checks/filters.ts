import { type Follower, followersOf } from '../flows.ts'
import { type Fault, type History, isHandled, isStart, nameOf } from '../history.ts'
import type { GroupName } from '../journal.ts'

/** Groups with a filter get nothing that they do not want. */
export function unwantedMessages(history: History): Fault[] {
  const faults: Fault[] = []
  for (const { place, message, steps } of history.handlings.values()) {
    const follower = followerOf(place)
    if (follower?.wants === undefined || message?.said.t !== 'intent' || !steps.some(isStart)) continue
    if (!follower.wants(message.said.headers ?? {}))
      faults.push({ kind: 'unwanted', text: `${nameOf(place)} is not what the group wants` })
  }
  return faults
}

/** How many deliveries each filter has let through. */
export function filteredCount(history: History): number {
  let count = 0
  for (const { place } of history.handlings.values()) {
    if (followerOf(place)?.wants !== undefined && isHandled(history, place)) count += 1
  }
  return count
}

function followerOf({ channel, group }: GroupName): Follower | undefined {
  return followersOf(channel).find((follower) => follower.group === group)
}
