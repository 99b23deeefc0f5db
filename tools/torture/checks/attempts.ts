import { type Fault, type Handling, type History, isStart, nameOf } from '../history.ts'
import type { Seeks } from './replays.ts'

/**
 * Each attempt has a higher number than the one before, whatever ended that: a failure, or the process. Only a redrive
 * begins anew, and only in the group that it was for; and groups that are moved back.
 */
export function attemptFaults(history: History, seeks: Seeks): Fault[] {
  const redriven = new Set<string>()
  for (const { place, steps } of history.handlings.values()) {
    if (steps.some(({ t }) => t === 'redriving')) redriven.add(place.id)
  }
  const faults: Fault[] = []
  for (const handling of history.handlings.values()) {
    if (!seeks.isMoved(handling.place)) faults.push(...resetsOf(handling, redriven))
  }
  return faults
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
    if (!isStart(step)) continue
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
