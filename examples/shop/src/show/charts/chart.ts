/** Values over time. */
export interface Series {
  readonly name: string
  /** One per step, from the beginning on. */
  readonly values: readonly number[]
}

/** A chart of one or more series over the same time. */
export interface Chart {
  readonly title: string
  /** What the values are: `/s`, `requests`, … */
  readonly unit: string
  /** Milliseconds from one value to the next. */
  readonly stepMs: number
  readonly series: readonly Series[]
}

/** Counts what happened in each step of time. Times are milliseconds; what lies outside is left out. */
export function countPerStep(atMs: readonly number[], stepMs: number, forMs: number): number[] {
  const counts = new Array<number>(Math.ceil(forMs / stepMs)).fill(0)
  for (const at of atMs) {
    const step = Math.floor(at / stepMs)
    if (step >= 0 && step < counts.length) counts[step] = counts[step]! + 1
  }
  return counts
}

/** The greatest value of all series, at least 1. */
export function peakOf({ series }: Chart): number {
  return series.reduce((peak, { values }) => values.reduce((most, value) => Math.max(most, value), peak), 1)
}
