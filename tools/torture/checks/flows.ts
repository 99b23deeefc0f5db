import { relays } from '../flows.ts'
import { type Fault, type History, isStart, type Message, nameOf } from '../history.ts'
import { isHandledForGood } from './delivery.ts'

/** How often messages led to messages. */
export interface ExactlyOnce {
  /** Messages whose handling, which publishes one other, succeeded for good. */
  readonly upstream: number
  /** Messages that were stored because of it. */
  readonly downstream: number
  /** Those of them that were stored more than once. */
  readonly doubled: number
  /** Messages that were handled again though what they led to had been delivered, so that they were acknowledged. */
  readonly acknowledgedAgain: number
}

/** What a handler publishes exists once if the handling succeeded, and else not at all; and then it is over. */
export function flowFaults(history: History): { readonly counts: ExactlyOnce; readonly faults: Fault[] } {
  const stored = storedFaults(history)
  const handled = handledFaults(history)
  return { counts: { ...stored.counts, ...handled.counts }, faults: [...stored.faults, ...handled.faults] }
}

function storedFaults(history: History) {
  const faults: Fault[] = []
  let downstream = 0
  let doubled = 0
  for (const [id, { channel, count }] of history.stored) {
    if (!relays.has(channel)) continue
    downstream += 1
    const said = history.messages.get(id)?.said
    if (said?.t !== 'derived' || !isHandledForGood(history, said)) {
      faults.push({ kind: 'downstream-orphan', text: `${id} was stored, but no handling that published it succeeded` })
    }
    if (count === 1) continue
    doubled += 1
    faults.push({ kind: 'downstream-doubled', text: `${id} was stored ${count} times` })
  }
  return { counts: { downstream, doubled }, faults }
}

function handledFaults(history: History) {
  const faults: Fault[] = []
  const idOf = new Map<string, string>()
  let upstream = 0
  let acknowledgedAgain = 0
  for (const [id, message] of history.messages) {
    const { said } = message
    if (said.t !== 'derived') continue
    const known = idOf.get(said.of)
    if (known !== undefined) {
      faults.push({ kind: 'id-not-derived', text: `${said.of} published ${known}, and when repeated ${id}` })
      continue
    }
    idOf.set(said.of, id)
    if (isRepeated(history, message)) {
      acknowledgedAgain += 1
      faults.push({ kind: 'acknowledged-again', text: `${said.of} was handled again after ${id} had been delivered` })
    }
    if (!isHandledForGood(history, said)) continue
    upstream += 1
    if (!history.stored.has(id)) {
      faults.push({ kind: 'lost', text: `${id} is missing in ${said.channel}, though ${said.of} was handled` })
    }
  }
  return { counts: { upstream, acknowledgedAgain }, faults }
}

/** Whether what led to a message was handled again after the message had been delivered, that is, was there for good. */
function isRepeated(history: History, { said }: Message): boolean {
  if (said.t !== 'derived') return false
  const delivered = history.handlings.get(nameOf({ channel: said.channel, group: 'sink', id: said.id }))
  const firstAt = delivered?.steps.find(isStart)?.at ?? Number.POSITIVE_INFINITY
  const led = history.handlings.get(nameOf({ ...relays.get(said.channel)!, id: said.of }))
  return led?.steps.some((step) => isStart(step) && step.at > firstAt) ?? false
}
