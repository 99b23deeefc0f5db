import process from 'node:process'

/** One contestant: does the work once and returns its figure. */
export type Contestant<Figure> = (round: number) => Promise<Figure>

/**
 * Lets contestants do their work in turn, round after round, so that whatever else the machine does hits all of them
 * alike. A first round warms up and is dropped.
 *
 * @returns the figures of each, in order of the rounds
 */
export async function interleaved<Name extends string, Figure>(
  rounds: number,
  contestants: Readonly<Record<Name, Contestant<Figure>>>,
): Promise<Record<Name, Figure[]>> {
  const names = Object.keys(contestants) as Name[]
  const figures = Object.fromEntries(names.map((name) => [name, [] as Figure[]])) as Record<Name, Figure[]>
  for (let round = 0; round <= rounds; round++) {
    for (const name of names) {
      const figure = await contestants[name](round)
      if (round > 0) figures[name].push(figure)
    }
  }
  return figures
}

/** The figure in the middle; the upper of two. */
export function median(figures: readonly number[]): number {
  return percentile(figures, 50)
}

/** The smallest figure that at least `percent` of all do not exceed, by nearest rank; 0 for the smallest of all. */
export function percentile(figures: readonly number[], percent: number): number {
  if (figures.length === 0) throw new RangeError('there is no percentile of nothing')
  const sorted = [...figures].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor((percent / 100) * sorted.length))]!
}

/**
 * Does numbered work with a fixed number of pieces under way: each that ends begins the next.
 * @returns pieces per second
 */
export async function rateOf(
  count: number,
  outstanding: number,
  work: (index: number) => Promise<unknown>,
): Promise<number> {
  let next = 0
  const lane = async (): Promise<void> => {
    while (next < count) await work(next++)
  }
  const beganAtMs = performance.now()
  await Promise.all(Array.from({ length: outstanding }, lane))
  return (count / (performance.now() - beganAtMs)) * 1_000
}

/**
 * The same for a time instead of a count, for work whose speed nobody knows beforehand. What is under way when the time is
 * over is waited for, and counts.
 */
export async function rateFor(
  durationMs: number,
  outstanding: number,
  work: () => Promise<unknown>,
): Promise<{ readonly count: number; readonly perSecond: number }> {
  let count = 0
  const beganAtMs = performance.now()
  const lane = async (): Promise<void> => {
    while (performance.now() - beganAtMs < durationMs) {
      count++
      await work()
    }
  }
  await Promise.all(Array.from({ length: outstanding }, lane))
  return { count, perSecond: (count / (performance.now() - beganAtMs)) * 1_000 }
}

/**
 * Begins pieces of work at a steady rate, whether earlier ones are done or not (open loop), and tells each when it was to
 * begin: latencies from then on hold the time that a slow system makes others wait, which latencies from the actual
 * beginning leave out (coordinated omission). Resolves when the last has begun.
 *
 * @see https://www.scylladb.com/2021/04/22/on-coordinated-omission/
 */
export async function atRate(
  { perSecond, count }: { readonly perSecond: number; readonly count: number },
  work: (index: number, dueAtMs: number) => void,
): Promise<void> {
  const beganAtMs = performance.now()
  for (let index = 0; index < count; ) {
    const elapsedMs = performance.now() - beganAtMs
    for (; index < count && (index / perSecond) * 1_000 <= elapsedMs; index++)
      work(index, beganAtMs + (index / perSecond) * 1_000)
    // Timers are a millisecond late, which would be most of what is measured.
    await new Promise(setImmediate)
  }
}

/**
 * Does numbered work one piece at a time.
 * @returns how long each took, in microseconds
 */
export async function latenciesOf(
  count: number,
  work: (index: number) => Promise<unknown> | undefined,
): Promise<number[]> {
  const latencies: number[] = []
  for (let index = 0; index < count; index++) {
    const beganAtMs = performance.now()
    const done = work(index)
    if (done !== undefined) await done
    latencies.push((performance.now() - beganAtMs) * 1_000)
  }
  return latencies
}

/** Work that was measured: how fast it went, and what it cost the thread that everything else runs on. */
export interface Cost {
  readonly perSecond: number
  /** Microseconds of processor time of the calling thread, per piece. Hardly depends on what else the machine does. */
  readonly cpuUs: number
}

/** Measures what pieces of work cost this thread, beside their rate. */
export async function costOf(count: number, work: () => Promise<number>): Promise<Cost> {
  const before = process.threadCpuUsage()
  const perSecond = await work()
  const { user, system } = process.threadCpuUsage(before)
  return { perSecond, cpuUs: (user + system) / count }
}
