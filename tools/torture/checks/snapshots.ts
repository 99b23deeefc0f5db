import { Kept } from '../contracts.ts'
import { type Fault, factsOf, type History } from '../history.ts'

/** How snapshots went. */
export interface Snapshots {
  readonly snapshots: number
  /** Those of them that were opened in the end. */
  readonly restored: number
}

/** A snapshot has everything that was confirmed before it began, and nothing that nobody has published. */
export function snapshotFaults(history: History): { readonly counts: Snapshots; readonly faults: Fault[] } {
  const faults: Fault[] = []
  const began = new Map(factsOf(history, 'snapshotting').map(({ name, at }) => [name, at]))
  const restored = factsOf(history, 'restored')
  for (const { name, ids } of restored) {
    const has = new Set(ids)
    const beganAt = began.get(name) ?? 0
    for (const [id, { said, confirmedAt }] of history.messages) {
      if (said.channel !== Kept.type || confirmedAt === undefined || confirmedAt > beganAt || has.has(id)) continue
      faults.push({ kind: 'snapshot-incomplete', text: `${id} was confirmed before snapshot ${name} and is not in it` })
    }
    for (const id of ids) {
      if (history.messages.get(id)?.said.channel !== Kept.type)
        faults.push({ kind: 'snapshot-invented', text: `${id} is in snapshot ${name}, and nobody has published it` })
    }
  }
  return { counts: { snapshots: factsOf(history, 'snapshot').length, restored: restored.length }, faults }
}
