import { seeded } from '@posthaste/conformance'

/** What is done to the network, the server or a member. */
export const faultKinds = [
  'cut',
  'refuse',
  'delay',
  'half-close',
  'black-hole',
  'stall',
  'kill',
  'restart',
  'crash',
] as const
export type FaultKind = (typeof faultKinds)[number]

/** One fault of a run. */
export interface PlannedFault {
  readonly kind: FaultKind
  /** How long it lasts, in milliseconds; nothing for what is over at once. */
  readonly lastsMs: number
  /** Which direction it takes, where it has one. */
  readonly side: 'client' | 'server' | 'both'
  /** By how much a delay delays, in milliseconds. */
  readonly delayMs: number
}

const shortestMs = 500
const longestMs = 2_500
const delayMs = { least: 50, most: 400 } as const

/** Faults in the order in which a run has them: each kind once before any comes again. The same for the same seed. */
export function planFaults(
  seed: number,
  rounds: number,
  kinds: readonly FaultKind[] = faultKinds,
): readonly PlannedFault[] {
  const chosen = seeded(seed)
  const deck: FaultKind[] = []
  return Array.from({ length: rounds }, () => {
    if (deck.length === 0) deck.push(...kinds)
    const [kind] = deck.splice(chosen.between(0, deck.length - 1), 1) as [FaultKind]
    return {
      kind,
      lastsMs: chosen.between(shortestMs, longestMs),
      side: chosen.pick(['client', 'server', 'both'] as const),
      delayMs: chosen.between(delayMs.least, delayMs.most),
    }
  })
}
