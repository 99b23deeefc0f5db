import { Tick } from '../contracts.ts'
import { type Fault, factsOf, type History } from '../history.ts'

/** Clocks of one machine may differ by their resolution. */
const clockMs = 2

/** Each time of what recurs is published once, not before its time, and handled; and in the end it still recurs. */
export function recurringFaults(history: History): {
  readonly counts: { readonly ticks: number }
  readonly faults: Fault[]
} {
  const faults: Fault[] = []
  const handled = new Set<string>()
  for (const { id, name, forMs, atMs } of factsOf(history, 'tick')) {
    handled.add(id)
    if (atMs < forMs - clockMs)
      faults.push({ kind: 'recurring-early', text: `${name} of ${forMs} came ${forMs - atMs} ms before its time` })
  }
  // What was stored while the last life ran may not have been handled yet when it was looked at.
  const lastLifeAtMs = factsOf(history, 'ready').at(-1)?.atMs ?? 0
  const times = new Map<string, number>()
  for (const [id, { channel, occurrence, count, atMs }] of history.stored) {
    if (channel !== Tick.type || occurrence === undefined) continue
    const time = `${occurrence.name} of ${occurrence.forMs}`
    times.set(time, (times.get(time) ?? 0) + count)
    if (!handled.has(id) && atMs < lastLifeAtMs) {
      faults.push({ kind: 'recurring-lost', text: `${time} was published, and never handled` })
    }
  }
  for (const [time, count] of times) {
    if (count > 1) faults.push({ kind: 'recurring-doubled', text: `${time} was published ${count} times` })
  }
  for (const { waiting, wanted } of factsOf(history, 'chains')) {
    if (waiting !== wanted)
      faults.push({ kind: 'recurring-chains', text: `${waiting} chains wait at the end, not ${wanted}` })
  }
  return { counts: { ticks: times.size }, faults }
}
