import { ladderOf } from '../contracts.ts'
import { type Fault, type History, nameOf } from '../history.ts'
import type { Dead } from '../journal.ts'

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
      faults.push({ kind: 'dead-letter-unjust', text: `${name}: ${letter.code} after ${letter.attempts} attempts` })
    }
    if (isHandledToo(history, letter)) {
      faults.push({ kind: 'dead-letter-handled', text: `${name} was handled and is a dead letter all the same` })
    }
  }
  return faults
}

function isAltered({ messages }: History, letter: Dead): boolean {
  const said = messages.get(letter.id)?.said
  if (said === undefined) return true
  const tag = said.t === 'intent' ? said.tag : undefined
  return letter.body !== said.body || letter.key !== said.key || letter.tag !== tag || letter.type !== letter.channel
}

/** Innocent messages die of nothing, however often the process does. */
function isJust(history: History, letter: Dead): boolean {
  const said = history.messages.get(letter.id)?.said
  if (said?.t !== 'intent') return false
  const { kind, at } = said.plan
  if (kind === 'malformed') return letter.code === 'BODY_MALFORMED'
  if (at !== letter.group) return false
  // Enough crashes exhaust anything that also fails.
  if (kind === 'rejected') return letter.code === 'HANDLER_REJECTED' || letter.code === 'ATTEMPTS_EXHAUSTED'
  if (kind === 'hopeless' || kind === 'poison') return letter.code === 'ATTEMPTS_EXHAUSTED'
  if (kind !== 'flaky' || letter.code !== 'ATTEMPTS_EXHAUSTED') return false
  const steps = history.handlings.get(nameOf(letter))?.steps ?? []
  const failed = steps.some((step) => step.t === 'end' && step.outcome === 'failure')
  return failed && letter.attempts > ladderOf(letter.group).delayed
}

/** Only what fails now and then may succeed in vain, when the process dies before that is settled. */
function isHandledToo(history: History, letter: Dead): boolean {
  const said = history.messages.get(letter.id)?.said
  if (said?.t === 'intent' && said.plan.kind === 'flaky') return false
  const steps = history.handlings.get(nameOf(letter))?.steps ?? []
  return steps.some((step) => step.t === 'end' && step.outcome === 'success')
}
