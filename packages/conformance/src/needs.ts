import type { EngineCapabilities } from '@posthaste/contracts'
import type { EngineUnderTest } from './harness.ts'

/** What a case asks of an engine or its harness beyond the interface itself. */
export type Need =
  | 'keyOrder'
  | 'holdKey'
  | 'delay'
  | 'atomicSettle'
  | 'groupAddress'
  | 'attempts'
  | 'history'
  | 'scheduling'
  | 'browsing'
  | 'lag'
  | 'filter'
  | 'patterns'
  | 'temporaryGroups'
  | 'deduplication'
  | 'priorities'
  | 'seeking'
  | 'preparing'
  | 'crash'
  | 'network'

const capabilityNeeds: Readonly<Partial<Record<Need, (has: EngineCapabilities) => boolean>>> = {
  keyOrder: (has) => has.keyOrder !== 'none',
  holdKey: (has) => has.holdKey === 'native',
  delay: (has) => has.delay === 'native',
  atomicSettle: (has) => has.atomicSettle === 'native',
  groupAddress: (has) => has.groupAddress === 'native',
  attempts: (has) => has.attempts === 'exact',
  history: (has) => has.history === 'native',
  filter: (has) => has.filter === 'native',
  patterns: (has) => has.patterns === 'native',
  temporaryGroups: (has) => has.temporaryGroups === 'native',
  deduplication: (has) => has.deduplicateForMsMax > 0,
  priorities: (has) => has.priorityLevels > 1,
}

/** Needs that are parts of the engine: there, or not. */
const abilities = ['scheduling', 'browsing', 'lag', 'seeking', 'preparing'] as const satisfies readonly Need[]

const isAbility = (need: Need): need is (typeof abilities)[number] => abilities.some((ability) => ability === need)

/**
 * Whether a need is met. A capability that is declared is tested; there is no way to declare one and skip its cases.
 */
export function isMet(need: Need, { engine, crash, network }: EngineUnderTest): boolean {
  if (need === 'crash') return crash !== undefined
  if (need === 'network') return network !== undefined
  if (isAbility(need)) return engine[need] !== undefined
  return capabilityNeeds[need]?.(engine.capabilities) ?? false
}
