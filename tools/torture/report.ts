import { crc32 } from 'node:zlib'
import { attemptFaults } from './checks/attempts.ts'
import { deadLetterFaults } from './checks/dead-letters.ts'
import { corruptMessages, duplicates, leftovers, lostMessages, untimelyMessages } from './checks/delivery.ts'
import { type ExactlyOnce, flowFaults } from './checks/flows.ts'
import { orderFaults, overlapFaults } from './checks/order.ts'
import type { Fault, FaultKind, History } from './history.ts'

/** What the journals of a run say. */
export interface Verdict {
  readonly published: number
  readonly confirmed: number
  readonly unconfirmed: number
  /** Pairs of message and group that were handled. */
  readonly received: number
  readonly lost: number
  readonly duplicates: number
  readonly orderViolations: number
  readonly attemptResets: number
  /** At the end. */
  readonly deadLetters: number
  readonly redriven: number
  readonly exactlyOnce: ExactlyOnce
  readonly cancelled: number
  /** Messages that killed their process, each time they did. */
  readonly poisonings: number
  readonly faults: readonly Fault[]
}

/** Holds a history against the guarantees. Pure. */
export function judge(history: History): Verdict {
  const repeated = duplicates(history)
  const flow = flowFaults(history)
  const faults = [
    ...lostMessages(history),
    ...corruptMessages(history, (body) => crc32(Buffer.from(body, 'base64'))),
    ...untimelyMessages(history),
    ...repeated.faults,
    ...orderFaults(history),
    ...overlapFaults(history),
    ...attemptFaults(history),
    ...deadLetterFaults(history),
    ...flow.faults,
    ...leftovers(history),
  ]
  const count = (...kinds: readonly FaultKind[]): number => faults.filter(({ kind }) => kinds.includes(kind)).length
  const published = [...history.messages.values()].filter(({ said }) => said.t === 'intent')
  const confirmed = published.filter((message) => message.confirmed).length
  const handled = [...history.handlings.values()].filter(({ steps }) =>
    steps.some((step) => step.t === 'end' && step.outcome === 'success'),
  )
  return {
    published: published.length,
    confirmed,
    unconfirmed: published.length - confirmed,
    received: handled.length,
    lost: count('lost'),
    duplicates: repeated.count,
    orderViolations: count('order', 'overlap'),
    attemptResets: count('attempt-reset', 'misdirected'),
    deadLetters: history.dead.size,
    redriven: history.entries.filter(({ t }) => t === 'redriven').length,
    exactlyOnce: flow.counts,
    cancelled: published.filter(({ cancel }) => cancel === 'done').length,
    poisonings: history.entries.filter(({ t }) => t === 'suicide').length,
    faults,
  }
}
