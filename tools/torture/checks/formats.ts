import { type Fault, type History, isStart, nameOf } from '../history.ts'

/** How often bodies travelled otherwise than as JSON in the message. */
export interface Formats {
  readonly claimed: number
  readonly otherFormats: number
}

/** Bodies travel in the format of their contract, and in a store exactly where they are too big. */
export function formatFaults(history: History): { readonly counts: Formats; readonly faults: Fault[] } {
  const faults: Fault[] = []
  let claimed = 0
  let otherFormats = 0
  for (const { place, message, steps } of history.handlings.values()) {
    const said = message?.said
    const start = steps.find(isStart)
    if (said === undefined || start === undefined) continue
    const wanted = said.t === 'intent' ? said : { format: undefined, claimed: undefined }
    if (start.format !== undefined) otherFormats += 1
    if (start.claimed) claimed += 1
    if (start.format !== wanted.format) {
      faults.push({ kind: 'wrong-format', text: `${nameOf(place)} came as ${start.format}, not ${wanted.format}` })
    }
    if (start.claimed !== wanted.claimed) {
      faults.push({
        kind: 'wrong-claim',
        text: `${nameOf(place)}: in the store ${start.claimed}, not ${wanted.claimed}`,
      })
    }
  }
  return { counts: { claimed, otherFormats }, faults }
}
