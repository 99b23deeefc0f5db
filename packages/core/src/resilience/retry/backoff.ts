/** How waits grow from attempt to attempt. */
export interface Backoff {
  /** Longest wait before the second attempt, in milliseconds. */
  readonly baseMs: number
  /** By how much the longest wait grows with each attempt; at least 1. */
  readonly factor: number
  /** The longest wait never exceeds this, in milliseconds. */
  readonly maxMs: number
}

/**
 * The wait before the next attempt: anything from 0 up to the longest wait, which grows exponentially (full jitter), so
 * that callers that failed together do not come back together.
 *
 * @param failed how many attempts have failed so far, from 1
 * @param random from 0 up to but not 1
 * @see https://aws.amazon.com/builders-library/timeouts-retries-and-backoff-with-jitter/
 */
export function backoffMs(backoff: Backoff, failed: number, random: () => number): number {
  return random() * backoffCeilingMs(backoff, failed)
}

/** The longest wait after so many failed attempts, without jitter. */
export function backoffCeilingMs({ baseMs, factor, maxMs }: Backoff, failed: number): number {
  // A power beyond all bounds is Infinity, and Infinity times a base of 0 is not a number.
  return baseMs === 0 ? 0 : Math.min(baseMs * factor ** (failed - 1), maxMs)
}

/**
 * The wait before the next attempt: anything from `baseMs` up to `factor` times the wait before (decorrelated jitter), and
 * `maxMs` at most. It never comes near 0, and grows by chance, not with the number of attempts.
 *
 * @param previousMs the wait before the last attempt; 0 if there was none
 * @param random from 0 up to but not 1
 * @see https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
 */
export function decorrelatedBackoffMs(
  { baseMs, factor, maxMs }: Backoff,
  previousMs: number,
  random: () => number,
): number {
  // Bounded before anything is drawn, so that no wait, however often it grew, gets beyond what numbers hold.
  const ceilingMs = Math.min(Math.max(previousMs, baseMs) * factor, maxMs)
  return baseMs + random() * Math.max(ceilingMs - baseMs, 0)
}
