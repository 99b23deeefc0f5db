/** What all are set to, where they can be. */
export const limits = {
  attemptTimeoutMs: 500,
  timeoutMs: 3_000,
  attempts: 3,
  backoffMs: 100,
  failurePercent: 50,
  windowMs: 10_000,
  callsMin: 20,
  openMs: 5_000,
} as const
