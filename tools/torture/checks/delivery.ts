import { Ask } from '../contracts.ts'
import { followersOf, relays } from '../flows.ts'
import {
  type Fault,
  type History,
  isDiscarded,
  isHandled,
  isStart,
  isSuccess,
  type Message,
  nameOf,
  type Step,
} from '../history.ts'
import type { Derived } from '../journal.ts'
import type { Seeks } from './replays.ts'

/** Clocks of one machine may differ by their resolution. */
const clockMs = 2
/** A handler may be held up between the look at the clock and its first act, on a busy machine. */
const heldUpMs = 250

/** Every message that must exist was handled in each group that wants it, or stands in its dead letters. */
export function lostMessages(history: History): Fault[] {
  const faults: Fault[] = []
  for (const message of history.messages.values()) {
    if (!mustExist(history, message)) continue
    const { id, channel } = message.said
    for (const follower of followersOf(channel)) {
      if (follower.mayMiss || follower.wants?.(headersOf(message)) === false) continue
      const place = { channel, group: follower.group, id }
      if (isHandled(history, place) || history.dead.has(nameOf(place)) || isDiscarded(history, place)) continue
      faults.push({ kind: 'lost', text: `${nameOf(place)} was confirmed, and neither handled nor dead-lettered` })
    }
  }
  return faults
}

function headersOf({ said }: Message): Readonly<Record<string, string>> {
  return (said.t === 'intent' ? said.headers : undefined) ?? {}
}

/** Confirmed and not taken back; or published by a handling that succeeded for good. */
export function mustExist(history: History, { said, confirmedAt, cancel }: Message): boolean {
  if (said.t === 'derived') return isHandledForGood(history, said)
  if (said.decision === 'rollback') return false
  return confirmedAt !== undefined && (cancel === 'none' || cancel === 'refused')
}

/** Whether the handling that published a message succeeded and was not taken back by ending in the dead letters. */
export function isHandledForGood(history: History, { channel, of }: Derived): boolean {
  const place = { ...relays.get(channel)!, id: of }
  return isHandled(history, place) && !history.dead.has(nameOf(place)) && !isDiscarded(history, place)
}

/** What handlers see is what was published: nothing unknown, nothing changed. */
export function corruptMessages(history: History): Fault[] {
  const faults: Fault[] = []
  for (const { place, message, steps } of history.handlings.values()) {
    for (const start of steps) {
      if (!isStart(start)) continue
      const wrong = wrongIn(message, { ...start, channel: place.channel })
      if (wrong === undefined) continue
      faults.push({ kind: 'corrupt', text: `${nameOf(place)}: ${wrong}` })
      break
    }
  }
  return faults
}

interface Seen {
  readonly channel: string
  readonly key?: string | undefined
  readonly sum?: number | undefined
}

function wrongIn(message: Message | undefined, seen: Seen): string | undefined {
  if (message === undefined) return 'nobody has published it'
  const { said } = message
  if (said.channel !== seen.channel || seen.key !== said.key) return 'has another channel or key than was published'
  if (said.t === 'intent' && said.plan.kind === 'malformed') return 'it cannot be read'
  return seen.sum !== undefined && seen.sum !== said.sum ? 'its data are not what was published' : undefined
}

/** Nothing is handled before it is due or after it has expired, and nothing that was taken back. */
export function untimelyMessages(history: History): Fault[] {
  const faults: Fault[] = []
  for (const { place, message, steps } of history.handlings.values()) {
    const start = steps.find(isStart)
    if (start === undefined || message?.said.t !== 'intent') continue
    const { dueAtMs, timeToLiveMs, atMs, channel } = message.said
    if (message.cancel === 'done') faults.push({ kind: 'cancelled-delivered', text: `${nameOf(place)} was cancelled` })
    if (dueAtMs !== undefined && start.atMs < dueAtMs - clockMs) {
      faults.push({ kind: 'early', text: `${nameOf(place)} was handled ${dueAtMs - start.atMs} ms before it was due` })
    }
    if (timeToLiveMs === undefined || channel === Ask.type) continue
    const lateMs = lastBeforeRedrive(steps) - atMs - timeToLiveMs
    if (lateMs > heldUpMs)
      faults.push({ kind: 'late', text: `${nameOf(place)} was handled ${lateMs} ms after it expired` })
  }
  return faults
}

/** When a handler was entered last; what is redriven may be handled at any time. */
function lastBeforeRedrive(steps: readonly Step[]): number {
  let atMs = 0
  for (const step of steps) {
    if (step.t === 'redriving') break
    if (isStart(step)) atMs = step.atMs
  }
  return atMs
}

/** A second success is a duplicate: to be expected after a crash and where a group is moved back, never within a life. */
export function duplicates(history: History, seeks: Seeks): { readonly count: number; readonly faults: Fault[] } {
  let count = 0
  const faults: Fault[] = []
  for (const { place, steps } of history.handlings.values()) {
    let before: Step | undefined
    for (const step of steps) {
      if (step.t === 'redriving') before = undefined
      if (!isSuccess(step)) continue
      if (before !== undefined && !seeks.isMovedBetween(place, before.at, step.at)) {
        count += 1
        if (before.life === step.life) {
          faults.push({
            kind: 'duplicate-within-life',
            text: `${nameOf(place)} was handled twice in life ${step.life}`,
          })
        }
      }
      before = step
    }
  }
  return { count, faults }
}

/** At the end nothing waits, and on the way nothing went wrong that has no other name. */
export function leftovers(history: History): Fault[] {
  const faults: Fault[] = []
  for (const fact of history.facts) {
    if (fact.t === 'error') faults.push({ kind: 'error', text: `life ${fact.life}: ${fact.text}` })
    if (fact.t === 'lag' && fact.unsettled > 0) {
      const text = `${fact.channel}@${fact.group} has ${fact.unsettled} unsettled at the end`
      faults.push({ kind: 'undrained', text })
    }
  }
  return faults
}
