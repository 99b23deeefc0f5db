import { barredTarget, ladderOf } from '../flows.ts'
import { type Fault, type History, nameOf } from '../history.ts'
import type { Dead, Intent } from '../journal.ts'

/** Clocks of one machine may differ by their resolution. */
const clockMs = 2

/** Dead letters are there once, for a reason, as they were published, and instead of being handled. */
export function deadLetterFaults(history: History): Fault[] {
  const faults: Fault[] = []
  for (const letters of history.dead.values()) {
    const letter = letters[0]!
    const name = nameOf(letter)
    if (letters.length > 1)
      faults.push({ kind: 'dead-letter-doubled', text: `${name} is there ${letters.length} times` })
    if (isAltered(history, letter))
      faults.push({ kind: 'dead-letter-altered', text: `${name} is not what was published` })
    if (!isJust(history, letter)) {
      const { code, attempts, target } = letter
      faults.push({ kind: 'dead-letter-unjust', text: `${name}: ${code} after ${attempts} attempts, in ${target}` })
    }
    if (isHandledToo(history, letter)) {
      faults.push({ kind: 'dead-letter-handled', text: `${name} was handled and is a dead letter all the same` })
    }
  }
  return [...faults, ...returned(history)]
}

function isAltered({ messages }: History, letter: Dead): boolean {
  const said = messages.get(letter.id)?.said
  if (said === undefined) return true
  const { bodySum, headers } = said.t === 'intent' ? said : {}
  const isAsSaid = Object.entries(headers ?? {}).every(([name, value]) => letter.headers[name] === value)
  return (
    letter.bodySum !== (bodySum ?? said.sum) ||
    letter.key !== said.key ||
    letter.headers.type !== letter.channel ||
    !isAsSaid
  )
}

/** Innocent messages die of nothing, however often the process does. */
function isJust(history: History, letter: Dead): boolean {
  const said = history.messages.get(letter.id)?.said
  if (said?.t !== 'intent') return false
  const { kind, at } = said.plan
  if ((kind === 'barred') !== (letter.target === barredTarget) && letter.code === 'HANDLER_FAILED') return false
  if (letter.code === 'MESSAGE_EXPIRED') return isExpired(said, letter)
  if (kind === 'malformed') return letter.code === 'BODY_MALFORMED'
  if (at !== letter.group) return false
  // Enough crashes exhaust anything that also fails.
  if (kind === 'rejected') return letter.code === 'HANDLER_REJECTED' || letter.code === 'ATTEMPTS_EXHAUSTED'
  if (kind === 'barred') return letter.code === 'HANDLER_FAILED' || letter.code === 'ATTEMPTS_EXHAUSTED'
  if (kind === 'hopeless' || kind === 'poison') return letter.code === 'ATTEMPTS_EXHAUSTED'
  if (kind !== 'flaky' || letter.code !== 'ATTEMPTS_EXHAUSTED') return false
  const steps = history.handlings.get(nameOf(letter))?.steps ?? []
  const failed = steps.some((step) => step.t === 'end' && step.outcome === 'failure')
  return failed && letter.attempts > ladderOf(letter.group).delayed
}

function isExpired({ atMs, timeToLiveMs }: Intent, letter: Dead): boolean {
  return timeToLiveMs !== undefined && letter.atMs >= atMs + timeToLiveMs - clockMs
}

/** Only what fails now and then, or is in a hurry, may succeed in vain, when the process dies before that is settled. */
function isHandledToo(history: History, letter: Dead): boolean {
  const said = history.messages.get(letter.id)?.said
  if (said?.t === 'intent' && said.plan.kind === 'flaky') return false
  if (letter.code === 'MESSAGE_EXPIRED') return false
  const steps = history.handlings.get(nameOf(letter))?.steps ?? []
  return steps.some((step) => step.t === 'end' && step.outcome === 'success')
}

/** What was removed for good stays away. */
function returned(history: History): Fault[] {
  const faults: Fault[] = []
  for (const { place, steps } of history.handlings.values()) {
    const discardedAt = steps.findIndex(({ t }) => t === 'discarded')
    if (discardedAt < 0) continue
    const isBack = history.dead.has(nameOf(place)) || steps.slice(discardedAt).some(({ t }) => t === 'start')
    if (isBack) faults.push({ kind: 'discarded-delivered', text: `${nameOf(place)} was discarded` })
  }
  return faults
}
