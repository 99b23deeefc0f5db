/** A call that was let through. */
export interface Admitted {
  /** Monotonic, in milliseconds. */
  readonly startedAtMs: number
  /** How many were under way with it. */
  readonly inFlight: number
}

/** What finds out how many calls at a time a callee can do. It is told how each call ended that says something about it. */
export interface LimitAlgorithm {
  /** From 1; not always whole. */
  readonly limit: number
  /** A call has been answered, or was dropped: refused for overload, unreachable, or too late. */
  ended(call: Admitted, nowMs: number, dropped: boolean): void
  /** What it knows, for looking at. */
  figures(): Readonly<Record<string, number>>
}

/** Least and greatest limit, and the first. */
export interface LimitBounds {
  readonly initial: number
  readonly min: number
  readonly max: number
}

/** The nearest limit that is allowed. */
export function bounded(limit: number, { min, max }: LimitBounds): number {
  return Math.max(min, Math.min(max, limit))
}
