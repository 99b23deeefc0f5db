import type { Shot } from './volley.ts'

/** How long users waited, and for what. */
export interface Tally {
  readonly sent: number
  /** With a status below 400, however late. */
  readonly answered: number
  readonly inTime: number
  readonly refused: number
  readonly p50Ms: number
  readonly p99Ms: number
}

/** How long a user waits before going elsewhere. */
export const patienceMs = 2_000

/** Sums requests up. Waiting times are those of all answers, refusals included. */
export function tallyOf(shots: readonly Shot[]): Tally {
  const answered = shots.filter(isAnswered)
  const waits = shots.map(waitOf).sort((one, other) => one - other)
  return {
    sent: shots.length,
    answered: answered.length,
    inTime: answered.filter((shot) => waitOf(shot) <= patienceMs).length,
    refused: shots.length - answered.length,
    p50Ms: quantile(waits, 0.5),
    p99Ms: quantile(waits, 0.99),
  }
}

/** Whether the user got what was asked for. */
export function isAnswered({ status }: Shot): boolean {
  return status > 0 && status < 400
}

/** How long the user of a request waited. */
export function waitOf({ dueMs, endedMs }: Shot): number {
  return endedMs - dueMs
}

/**
 * The value that this share of values does not exceed; 0 of none.
 * @param sorted ascending
 */
export function quantile(sorted: readonly number[], share: number): number {
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? 0
}

/** How many requests were waiting at this time. */
export function waitingAt(shots: readonly Shot[], atMs: number): number {
  return shots.filter(({ dueMs, endedMs }) => dueMs <= atMs && endedMs > atMs).length
}

/** Most requests that waited at a time. */
export function mostWaiting(shots: readonly Shot[]): number {
  const steps = shots.flatMap(({ dueMs, endedMs }) => [[dueMs, 1] as const, [endedMs, -1] as const])
  steps.sort(([one, up], [other, down]) => one - other || up - down)
  let waiting = 0
  let most = 0
  for (const [, step] of steps) {
    waiting += step
    most = Math.max(most, waiting)
  }
  return most
}
