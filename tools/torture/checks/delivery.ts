import { groupsOf } from '../contracts.ts'
import { type Fault, type History, isHandled, type Message, nameOf } from '../history.ts'

/** Clocks of one machine may differ by their resolution. */
const clockMs = 2

/** Every message that must exist was handled in each group, or stands in its dead letters. */
export function lostMessages(history: History): Fault[] {
  const faults: Fault[] = []
  for (const message of history.messages.values()) {
    if (!mustExist(history, message)) continue
    const { id, channel } = message.said
    for (const group of groupsOf.get(channel) ?? []) {
      const place = { channel, group, id }
      if (isHandled(history, place) || history.dead.has(nameOf(place))) continue
      faults.push({ kind: 'lost', text: `${nameOf(place)} was confirmed, and neither handled nor dead-lettered` })
    }
  }
  return faults
}

/** Confirmed and not taken back; or published by a handling that succeeded for good. */
function mustExist(history: History, { said, confirmed, cancel }: Message): boolean {
  if (said.t === 'derived') return isHandledForGood(history, said.of)
  return confirmed && (cancel === 'none' || cancel === 'refused')
}

/** Whether the handling of an upstream message succeeded and was not taken back by ending in the dead letters. */
export function isHandledForGood(history: History, upstreamId: string): boolean {
  const place = { channel: 'torture.upstream', group: 'relay', id: upstreamId }
  return isHandled(history, place) && !history.dead.has(nameOf(place))
}

/** What handlers see is what was published: nothing unknown, nothing changed. */
export function corruptMessages(history: History, sumOf: (body: string) => number): Fault[] {
  const faults: Fault[] = []
  for (const { place, message, steps } of history.handlings.values()) {
    const start = steps.find((step) => step.t === 'start')
    if (start === undefined) continue
    if (message === undefined) faults.push({ kind: 'corrupt', text: `${nameOf(place)}: nobody has published it` })
    else if (message.said.channel !== place.channel || start.key !== message.said.key) {
      faults.push({ kind: 'corrupt', text: `${nameOf(place)}: has another channel or key than was published` })
    } else if (start.sum !== sumOf(message.said.body)) {
      faults.push({ kind: 'corrupt', text: `${nameOf(place)}: its data are not what was published` })
    }
  }
  return faults
}

/** Nothing is handled before it is due, and nothing that was taken back. */
export function untimelyMessages(history: History): Fault[] {
  const faults: Fault[] = []
  for (const { place, message, steps } of history.handlings.values()) {
    const start = steps.find((step) => step.t === 'start')
    if (start === undefined || message?.said.t !== 'intent') continue
    const { dueAtMs } = message.said
    if (message.cancel === 'done') faults.push({ kind: 'cancelled-delivered', text: `${nameOf(place)} was cancelled` })
    if (dueAtMs !== undefined && start.atMs < dueAtMs - clockMs) {
      faults.push({ kind: 'early', text: `${nameOf(place)} was handled ${dueAtMs - start.atMs} ms before it was due` })
    }
  }
  return faults
}

/** A second success is a duplicate: to be expected after a crash, never within a life. */
export function duplicates(history: History): { readonly count: number; readonly faults: Fault[] } {
  let count = 0
  const faults: Fault[] = []
  for (const { place, steps } of history.handlings.values()) {
    let before: number | undefined
    for (const step of steps) {
      if (step.t === 'redriving') before = undefined
      if (step.t !== 'end' || step.outcome !== 'success') continue
      if (before !== undefined) count += 1
      if (before === step.life) {
        faults.push({ kind: 'duplicate-within-life', text: `${nameOf(place)} was handled twice in life ${step.life}` })
      }
      before = step.life
    }
  }
  return { count, faults }
}

/** At the end nothing waits, and on the way nothing went wrong that has no other name. */
export function leftovers(history: History): Fault[] {
  const faults: Fault[] = []
  for (const entry of history.entries) {
    if (entry.t === 'error') faults.push({ kind: 'error', text: `life ${entry.life}: ${entry.text}` })
    if (entry.t === 'lag' && entry.unsettled > 0) {
      const text = `${entry.channel}@${entry.group} has ${entry.unsettled} unsettled at the end`
      faults.push({ kind: 'undrained', text })
    }
  }
  return faults
}
