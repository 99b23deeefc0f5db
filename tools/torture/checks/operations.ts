import { type Fault, factsOf, groupNameOf, type History, isStart, nameOf } from '../history.ts'

/** What was done to groups. */
export interface Operations {
  readonly pauses: number
  readonly lagReadings: number
}

/** While a group is paused nothing of it is begun; what is said of how far groups are behind can be true. */
export function operationFaults(history: History): { readonly counts: Operations; readonly faults: Fault[] } {
  const faults = [...begunWhilePaused(history)]
  const readings = factsOf(history, 'lag-read')
  for (const { ready, waiting, inFlight, ...name } of readings) {
    const isCount = [ready, waiting, inFlight].every((count) => Number.isInteger(count) && count >= 0)
    if (!isCount || inFlight > ready) {
      const text = `${groupNameOf(name)} said ready ${ready}, waiting ${waiting}, in flight ${inFlight}`
      faults.push({ kind: 'lag-absurd', text })
    }
  }
  return { counts: { pauses: factsOf(history, 'paused').length, lagReadings: readings.length }, faults }
}

interface Pause {
  readonly from: number
  to: number
}

function begunWhilePaused(history: History): Fault[] {
  const pauses = pausesOf(history)
  const faults: Fault[] = []
  for (const { place, steps } of history.handlings.values()) {
    for (const step of steps) {
      if (!isStart(step)) continue
      const known = pauses.get(`${groupNameOf(place)} ${step.life}`)
      if (known?.some(({ from, to }) => from < step.at && step.at < to))
        faults.push({ kind: 'handled-while-paused', text: `${nameOf(place)} was begun in life ${step.life}` })
    }
  }
  return faults
}

/** By group and life. */
function pausesOf(history: History): Map<string, Pause[]> {
  const pauses = new Map<string, Pause[]>()
  for (const fact of factsOf(history, 'paused', 'resuming')) {
    const name = `${groupNameOf(fact)} ${fact.life}`
    const known = pauses.get(name) ?? []
    pauses.set(name, known)
    if (fact.t === 'paused') known.push({ from: fact.at, to: Number.POSITIVE_INFINITY })
    else known.at(-1)!.to = fact.at
  }
  return pauses
}
