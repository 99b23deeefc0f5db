import { type Fault, type Handling, type History, nameOf } from '../history.ts'

/**
 * Each attempt has a higher number than the one before, whatever ended that: a failure, or the process. Only a redrive
 * begins anew, and only in the group that it was for.
 */
export function attemptFaults(history: History): Fault[] {
  const redriven = new Set<string>()
  for (const entry of history.entries) if (entry.t === 'redriving') redriven.add(entry.id)
  return [...history.handlings.values()].flatMap((handling) => resetsOf(handling, redriven))
}

function resetsOf({ place, steps }: Handling, redriven: ReadonlySet<string>): Fault[] {
  const faults: Fault[] = []
  let before = 0
  let redrivenHere = false
  for (const step of steps) {
    if (step.t === 'redriving') {
      before = 0
      redrivenHere = true
    }
    if (step.t !== 'start') continue
    if (step.attempt <= before) {
      const text = `${nameOf(place)}: attempt ${step.attempt} followed attempt ${before}`
      if (redriven.has(place.id) && !redrivenHere)
        faults.push({ kind: 'misdirected', text: `${text} after a redrive elsewhere` })
      else faults.push({ kind: 'attempt-reset', text })
    }
    before = step.attempt
  }
  return faults
}
