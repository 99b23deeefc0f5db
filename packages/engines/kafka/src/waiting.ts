import type { Clock } from '@posthaste/contracts'

/** Resolves after a while. */
export function rest(clock: Clock, ms: number): Promise<void> {
  return new Promise((resolve) => clock.setTimer(ms, resolve))
}

const backoffFirstMs = 20
const backoffMsMax = 1_000

/** How long to wait before the `round`-th try (from 0), with jitter: half to all of a time that doubles. */
export function backoffMs(round: number, random: () => number): number {
  return Math.min(backoffMsMax, backoffFirstMs * 2 ** Math.min(round, 10)) * (0.5 + random() / 2)
}
