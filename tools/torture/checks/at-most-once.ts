import { Once } from '../contracts.ts'
import { followersOf, oncePrefetch } from '../flows.ts'
import { type Fault, type History, isStart, nameOf } from '../history.ts'

/** How at-most-once went. */
export interface AtMostOnce {
  readonly handled: number
  /** Confirmed, and cut off by a crash. */
  readonly missed: number
}

/** Delivery at most once: nothing is handled twice, and no more is missed than was in hand when a process died. */
export function onceFaults(history: History): { readonly counts: AtMostOnce; readonly faults: Fault[] } {
  const faults: Fault[] = []
  let handled = 0
  let missed = 0
  const { group } = followersOf(Once.type)[0]!
  for (const [id, { said, confirmedAt }] of history.messages) {
    if (said.channel !== Once.type) continue
    const place = { channel: Once.type, group, id }
    const starts = history.handlings.get(nameOf(place))?.steps.filter(isStart).length ?? 0
    if (starts > 1) faults.push({ kind: 'handled-again', text: `${nameOf(place)} was handled ${starts} times` })
    if (starts > 0) handled += 1
    else if (confirmedAt !== undefined) missed += 1
  }
  const missedMax = history.lives * oncePrefetch
  if (missed > missedMax) {
    const text = `${missed} of ${Once.type} were never handled, and ${missedMax} may have been in hand at the crashes`
    faults.push({ kind: 'once-lost-too-many', text })
  }
  return { counts: { handled, missed }, faults }
}
