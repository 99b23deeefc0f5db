import type { Call } from '@posthaste/contracts'

/** Levels of urgency: 0 is the most urgent, 7 the least. */
export const urgencyLevels = 8

/** What is asked for without a word about it. */
const urgencyDefault = 3

/**
 * How urgent a call is, by its header `priority`: `u=0` to `u=7`. What is no urgency there is ignored, and so is the rest of
 * the header, which is about how answers are sent.
 *
 * @see RFC 9218, section 4.1
 */
export function urgencyOf({ headers }: Call): number {
  const { priority } = headers
  if (priority === undefined) return urgencyDefault
  let urgency = urgencyDefault
  for (const member of priority.split(',')) {
    const found = /^\s*u=([0-7])\s*(?:;|$)/.exec(member)
    if (found !== null) urgency = Number(found[1])
  }
  return urgency
}

/** The level of what an application says; the usual one where that is no number. */
export function urgencyLevel(said: number): number {
  return Number.isNaN(said) ? urgencyDefault : Math.min(Math.max(Math.trunc(said), 0), urgencyLevels - 1)
}
