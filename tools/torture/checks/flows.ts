import { Downstream } from '../contracts.ts'
import type { Fault, History } from '../history.ts'
import { isHandledForGood } from './delivery.ts'

/** How often messages led to messages. */
export interface ExactlyOnce {
  /** Messages whose handling, which publishes one other, succeeded for good. */
  readonly upstream: number
  /** Messages that were stored because of it. */
  readonly downstream: number
  /** Those of them that were stored more than once. */
  readonly doubled: number
}

/** What a handler publishes exists once if the handling succeeded, and else not at all. */
export function flowFaults(history: History): { readonly counts: ExactlyOnce; readonly faults: Fault[] } {
  const faults: Fault[] = []
  const idOf = new Map<string, string>()
  for (const entry of history.entries) {
    if (entry.t !== 'derived') continue
    const known = idOf.get(entry.of)
    if (known === undefined) idOf.set(entry.of, entry.id)
    else if (known !== entry.id) {
      faults.push({ kind: 'id-not-derived', text: `${entry.of} published ${known}, and when repeated ${entry.id}` })
    }
  }
  let doubled = 0
  for (const [id, count] of history.stored) {
    const said = history.messages.get(id)?.said
    if (said?.t !== 'derived' || !isHandledForGood(history, said.of)) {
      faults.push({ kind: 'downstream-orphan', text: `${id} was stored, but no handling that published it succeeded` })
    }
    if (count === 1) continue
    doubled += 1
    faults.push({ kind: 'downstream-doubled', text: `${id} was stored ${count} times` })
  }
  let upstream = 0
  for (const [of, id] of idOf) {
    if (!isHandledForGood(history, of)) continue
    upstream += 1
    if (!history.stored.has(id)) {
      faults.push({ kind: 'lost', text: `${id} is missing in ${Downstream.type}, though ${of} was handled` })
    }
  }
  return { counts: { upstream, downstream: history.stored.size, doubled }, faults }
}
