/** What was measured: how many, in which time, and how long each answer took. */
export interface Measured {
  readonly count: number
  readonly elapsedMs: number
  /** One for each batch. */
  readonly timesMs: readonly number[]
}

/** What is told of it. */
export interface Figures {
  readonly perSecond: number
  /** Of bodies, in millions of bytes. */
  readonly megabytesPerSecond: number
  readonly p50Ms: number
  readonly p99Ms: number
  readonly seconds: number
}

/** The figures of a measurement; none of them infinite, also where no time has passed. */
export function figuresOf({ count, elapsedMs, timesMs }: Measured, bytes: number): Figures {
  const perSecond = elapsedMs > 0 ? (count * 1_000) / elapsedMs : 0
  const sorted = timesMs.toSorted((one, other) => one - other)
  return {
    perSecond: Math.round(perSecond),
    megabytesPerSecond: rounded((perSecond * bytes) / 1e6),
    p50Ms: rounded(quantile(sorted, 0.5)),
    p99Ms: rounded(quantile(sorted, 0.99)),
    seconds: rounded(elapsedMs / 1_000),
  }
}

/** The nearest rank of sorted values. */
export function quantile(sorted: readonly number[], share: number): number {
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? 0
}

const rounded = (value: number): number => Math.round(value * 1_000) / 1_000
