import { type AtMostOnce, onceFaults } from './checks/at-most-once.ts'
import { attemptFaults } from './checks/attempts.ts'
import { deadLetterFaults } from './checks/dead-letters.ts'
import { corruptMessages, duplicates, leftovers, lostMessages, untimelyMessages } from './checks/delivery.ts'
import { filteredCount, unwantedMessages } from './checks/filters.ts'
import { type ExactlyOnce, flowFaults } from './checks/flows.ts'
import { type Formats, formatFaults } from './checks/formats.ts'
import { halfFaults, type Prepared } from './checks/halves.ts'
import { type LiveGroups, liveFaults } from './checks/live.ts'
import { type Operations, operationFaults } from './checks/operations.ts'
import { orderFaults, overlapFaults } from './checks/order.ts'
import { recurringFaults } from './checks/recurring.ts'
import { type Replays, replayFaults, Seeks } from './checks/replays.ts'
import { type Requests, requestFaults } from './checks/requests.ts'
import { type Snapshots, snapshotFaults } from './checks/snapshots.ts'
import { audit, Batched } from './contracts.ts'
import { type Fault, type FaultKind, factsOf, type History, isSuccess } from './history.ts'

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
  readonly discarded: number
  readonly exactlyOnce: ExactlyOnce
  readonly atMostOnce: AtMostOnce
  readonly cancelled: number
  /** Messages that killed their process, each time they did. */
  readonly poisonings: number
  readonly features: Features
  readonly faults: readonly Fault[]
}

/** How often the rest was exercised. */
export interface Features extends Formats, LiveGroups, Operations, Replays, Snapshots {
  /** Messages that were handled in batches. */
  readonly batched: number
  /** Messages that passed a filter. */
  readonly filtered: number
  /** Messages that were seen through a pattern. */
  readonly audited: number
  /** Messages that were too late, among the dead letters at the end. */
  readonly expired: number
  /** Dead letters that a rule has put apart, at the end. */
  readonly barred: number
  /** Publishes that an earlier life had made already. */
  readonly repeated: number
  readonly ticks: number
  readonly requests: Requests
  readonly prepared: Prepared
}

/** Holds a history against the guarantees. Pure. */
export function judge(history: History): Verdict {
  const seeks = new Seeks(history)
  const repeated = duplicates(history, seeks)
  const flow = flowFaults(history)
  const once = onceFaults(history)
  const features = featuresOf(history, seeks)
  const faults = [
    ...lostMessages(history),
    ...corruptMessages(history),
    ...untimelyMessages(history),
    ...repeated.faults,
    ...orderFaults(history),
    ...overlapFaults(history),
    ...attemptFaults(history, seeks),
    ...deadLetterFaults(history),
    ...flow.faults,
    ...once.faults,
    ...unwantedMessages(history),
    ...features.faults,
    ...leftovers(history),
  ]
  const count = (...kinds: readonly FaultKind[]): number => faults.filter(({ kind }) => kinds.includes(kind)).length
  const published = [...history.messages.values()].filter(({ said }) => said.t === 'intent')
  const confirmed = published.filter(({ confirmedAt }) => confirmedAt !== undefined).length
  return {
    published: published.length,
    confirmed,
    unconfirmed: published.length - confirmed,
    received: countHandlings(history, () => true),
    lost: count('lost'),
    duplicates: repeated.count,
    orderViolations: count('order', 'overlap'),
    attemptResets: count('attempt-reset', 'misdirected'),
    deadLetters: history.dead.size,
    redriven: countSteps(history, 'redriven'),
    discarded: countSteps(history, 'discarded'),
    exactlyOnce: flow.counts,
    atMostOnce: once.counts,
    cancelled: published.filter(({ cancel }) => cancel === 'done').length,
    poisonings: factsOf(history, 'suicide').length,
    features: features.counts,
    faults,
  }
}

function featuresOf(history: History, seeks: Seeks): { readonly counts: Features; readonly faults: readonly Fault[] } {
  const requests = requestFaults(history)
  const prepared = halfFaults(history)
  const plain = [
    formatFaults(history),
    liveFaults(history),
    operationFaults(history),
    replayFaults(history, seeks),
    snapshotFaults(history),
    recurringFaults(history),
  ] as const
  const letters = [...history.dead.values()].flat()
  const counts = Object.assign({}, ...plain.map((part) => part.counts)) as Omit<Features, 'batched'>
  return {
    counts: {
      ...counts,
      batched: countHandlings(history, ({ channel }) => channel === Batched.type),
      filtered: filteredCount(history),
      audited: countHandlings(history, ({ group }) => group === audit.group),
      expired: letters.filter(({ code }) => code === 'MESSAGE_EXPIRED').length,
      barred: letters.filter(({ target }) => target !== undefined).length,
      repeated: factsOf(history, 'repeated').length,
      requests: requests.counts,
      prepared: prepared.counts,
    },
    faults: [...requests.faults, ...prepared.faults, ...plain.flatMap((part) => part.faults)],
  }
}

function countHandlings(history: History, counts: (place: { channel: string; group: string }) => boolean): number {
  let count = 0
  for (const { place, steps } of history.handlings.values()) if (counts(place) && steps.some(isSuccess)) count += 1
  return count
}

function countSteps(history: History, kind: 'redriven' | 'discarded'): number {
  let count = 0
  for (const { steps } of history.handlings.values()) for (const { t } of steps) if (t === kind) count += 1
  return count
}
