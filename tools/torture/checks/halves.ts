import { type Fault, factsOf, type History, isStart } from '../history.ts'

/** How prepared messages ended. */
export interface Prepared {
  readonly prepared: number
  readonly committed: number
  readonly rolledBack: number
  /** How often somebody was asked and knew. */
  readonly askedBack: number
}

/** Nobody sees a prepared message before it is decided about; one that is committed is there once, the others never. */
export function halfFaults(history: History): { readonly counts: Prepared; readonly faults: Fault[] } {
  const faults: Fault[] = []
  const deciding = new Map<string, number>()
  for (const { id, at } of factsOf(history, 'deciding')) if (!deciding.has(id)) deciding.set(id, at)
  for (const { place, message, steps } of history.handlings.values()) {
    if (message?.said.t !== 'intent' || message.said.decision === undefined) continue
    const first = steps.find(isStart)
    if (first === undefined) continue
    const { id } = place
    if (message.said.decision === 'rollback') {
      faults.push({ kind: 'half-rolled-back', text: `${id} was rolled back, and was delivered` })
    } else if (first.at < (deciding.get(id) ?? Number.POSITIVE_INFINITY)) {
      faults.push({ kind: 'half-seen-early', text: `${id} was delivered before anybody had decided` })
    }
  }
  const stored = storedFaults(history)
  const undecided = factsOf(history, 'undecided')
  for (const { id } of undecided) faults.push({ kind: 'half-undecided', text: `${id} is prepared still` })
  const askedBack = factsOf(history, 'deciding').filter(({ by }) => by === 'check-back').length
  return { counts: { ...stored.counts, askedBack }, faults: [...faults, ...stored.faults] }
}

function storedFaults(history: History) {
  const faults: Fault[] = []
  let prepared = 0
  let committed = 0
  let rolledBack = 0
  for (const [id, { said, confirmedAt }] of history.messages) {
    if (said.t !== 'intent' || said.decision === undefined) continue
    const count = history.stored.get(id)?.count ?? 0
    if (confirmedAt !== undefined) prepared += 1
    if (count > 0) committed += 1
    else if (confirmedAt !== undefined) rolledBack += 1
    if (said.decision === 'rollback' && count > 0) {
      faults.push({ kind: 'half-rolled-back', text: `${id} was rolled back, and was published` })
    } else if (count > 1) faults.push({ kind: 'half-doubled', text: `${id} was published ${count} times` })
    else if (said.decision === 'commit' && count === 0 && confirmedAt !== undefined) {
      faults.push({ kind: 'lost', text: `${id} was prepared and committed, and never published` })
    }
  }
  return { counts: { prepared, committed, rolledBack }, faults }
}
