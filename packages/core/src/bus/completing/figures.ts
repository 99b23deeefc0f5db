import type { Lag } from '@posthaste/contracts'
import type { KeyChain } from './entry.ts'

/** What members have noted and buffered, of which the engine's own figures know nothing or something else. */
export interface OwnFigures {
  /** Of what is noted, as in a lag. */
  readonly ready: number
  readonly waiting: number
  readonly inFlight: number
  /** Of what is noted, how much the engine counts too, because it has not acknowledged it yet. */
  readonly unacknowledged: number
  /** Delivered by the engine and waiting here for its turn. */
  readonly buffered: number
}

/** The figures of what is parked in these chains. */
export function figuresOf(chains: Iterable<KeyChain>, nowMs: number): Omit<OwnFigures, 'buffered'> {
  let [ready, waiting, inFlight, unacknowledged] = [0, 0, 0, 0]
  for (const { entries } of chains) {
    let isHeld = false
    for (const { phase, note, raw, dueAtMs, holds } of entries) {
      if (note === undefined || phase === 'gone') continue
      if (raw !== undefined) unacknowledged += 1
      const isInHand = phase === 'inHand' || phase === 'ending'
      if (isInHand) inFlight += 1
      if (isInHand || phase === 'claiming' || (!isHeld && dueAtMs <= nowMs)) ready += 1
      else {
        waiting += 1
        isHeld ||= holds
      }
    }
  }
  return { ready, waiting, inFlight, unacknowledged }
}

/** The figures of a group: what its engine tells, and what the members of this process have noted. */
export function completedLag({ ready, waiting, inFlight, noted = 0 }: Lag, own: readonly OwnFigures[]): Lag {
  let figures = { ready, waiting: waiting + noted, inFlight }
  for (const each of own) {
    figures = {
      ready: figures.ready + each.ready - each.unacknowledged,
      waiting: figures.waiting + each.waiting,
      inFlight: figures.inFlight + each.inFlight - each.unacknowledged - each.buffered,
    }
  }
  // The engine was asked a moment before.
  return { ...figures, ready: Math.max(figures.ready, 0), inFlight: Math.max(figures.inFlight, 0) }
}
