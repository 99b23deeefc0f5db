import { Ask } from '../contracts.ts'
import { type Fault, factsOf, type History, isHandled } from '../history.ts'

/** How requests ended. */
export interface Requests {
  readonly sent: number
  readonly answered: number
  readonly failed: number
  readonly timedOut: number
  readonly cancelled: number
  /** Those whose process died first. */
  readonly open: number
}

/** Failures that a request may tell of. */
const told = new Set(['HANDLER_REJECTED', 'ATTEMPTS_EXHAUSTED', 'DEADLINE_EXCEEDED', 'CANCELLED'])

/** Answers belong to their requests, and say what a handler has said. */
export function requestFaults(history: History): { readonly counts: Requests; readonly faults: Fault[] } {
  const faults: Fault[] = []
  const answers = factsOf(history, 'answered')
  const failures = factsOf(history, 'unanswered')
  for (const { id, of, sum } of answers) {
    const said = history.messages.get(id)?.said
    if (of !== id || sum !== said?.sum) {
      faults.push({ kind: 'mixed-up', text: `${id} was answered for ${of}` })
    } else if (!isHandled(history, { channel: Ask.type, group: 'handler', id })) {
      faults.push({ kind: 'answer-from-nowhere', text: `${id} was answered, but nobody has handled it` })
    }
  }
  for (const { id, code } of failures) {
    if (!told.has(code)) faults.push({ kind: 'request-failed', text: `${id} failed with ${code}` })
  }
  const endedWith = (wanted: string): number => failures.filter(({ code }) => code === wanted).length
  const timedOut = endedWith('DEADLINE_EXCEEDED')
  const cancelled = endedWith('CANCELLED')
  const sent = [...history.messages.values()].filter(({ said }) => said.channel === Ask.type).length
  const open = sent - answers.length - failures.length
  const failed = failures.length - timedOut - cancelled
  return { counts: { sent, answered: answers.length, failed, timedOut, cancelled, open }, faults }
}
