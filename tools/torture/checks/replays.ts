import { type Fault, factsOf, groupNameOf, type History, isStart, nameOf } from '../history.ts'
import type { GroupName } from '../journal.ts'

/** One moving back of a group. */
interface Seek {
  /** From when on it may have happened. */
  readonly from: number
  /** Until when it may have. Infinity where the process died on it: whether it happened is not known. */
  readonly to: number
  readonly toMs: number
  readonly retained: readonly string[]
}

/** When groups were moved. */
export class Seeks {
  readonly #byGroup = new Map<string, Seek[]>()

  constructor(history: History) {
    for (const fact of factsOf(history, 'seeking', 'sought')) {
      const name = groupNameOf(fact)
      const seeks = this.#byGroup.get(name) ?? []
      this.#byGroup.set(name, seeks)
      if (fact.t === 'seeking') {
        seeks.push({ from: fact.at, to: Number.POSITIVE_INFINITY, toMs: fact.toMs, retained: [] })
      } else {
        const { from, toMs } = seeks.pop()!
        seeks.push({ from, to: fact.at, toMs, retained: fact.retained })
      }
    }
  }

  /** Whether it was ever. */
  isMoved(group: GroupName): boolean {
    return this.#byGroup.has(groupNameOf(group))
  }

  /** Whether it was, or may have been, between two entries. */
  isMovedBetween(group: GroupName, first: number, last: number): boolean {
    return this.#byGroup.get(groupNameOf(group))?.some(({ from, to }) => from < last && to > first) ?? false
  }

  get all(): Iterable<readonly [string, readonly Seek[]]> {
    return this.#byGroup
  }
}

/** How often groups were moved, and how much they saw again. */
export interface Replays {
  readonly seeks: number
  readonly replayed: number
}

/** A group that was moved back sees all that stands behind its new place, unless it was moved on since. */
export function replayFaults(history: History, seeks: Seeks): { readonly counts: Replays; readonly faults: Fault[] } {
  const faults: Fault[] = []
  let count = 0
  let replayed = 0
  for (const [name, moves] of seeks.all) {
    const [channel = '', group = ''] = name.split('@')
    for (const [index, { to, retained }] of moves.entries()) {
      if (to === Number.POSITIVE_INFINITY) continue
      count += 1
      const later = moves.slice(index + 1).reduce((max, { toMs }) => Math.max(max, toMs), 0)
      for (const id of retained) {
        const place = { channel, group, id }
        const isSeen = history.handlings
          .get(nameOf(place))
          ?.steps.some((step) => isStart(step) && step.at > moves[index]!.from)
        if (isSeen) replayed += 1
        else if (!isSkipped(history, id, later)) {
          faults.push({ kind: 'not-replayed', text: `${nameOf(place)} was not seen again after a seek` })
        }
      }
    }
  }
  return { counts: { seeks: count, replayed }, faults }
}

/** Whether a later seek may have gone past it: it was published before the time that was sought. */
function isSkipped(history: History, id: string, laterMs: number): boolean {
  const said = history.messages.get(id)?.said
  return said?.t === 'intent' && said.atMs < laterMs
}
