import type { CallRecord, Run } from './run.ts'
import { capacityPerSecond, type Scenario } from './scenarios.ts'

/** What a run comes to. Shares and factors have the scale of 1; null where nothing was there to measure. */
export interface Figures {
  /** Of the calls that began during the fault, those that were answered well. */
  readonly successShare: number
  /** How long calls of that time took that were answered well, in milliseconds. */
  readonly p50Ms: number | null
  readonly p99Ms: number | null
  /** Attempts that reached a tier during the fault, by those that were asked of the tier before it. */
  readonly amplification: readonly number[]
  /** The same, by the calls that the callers made: what the last tier bears of all retries. */
  readonly amplificationTotal: number
  /** From the end of the fault until at least 99 % of the calls that begin are answered well; null: never. */
  readonly recoveryMs: number | null
  /** Calls that were answered well in a second of the fault, by what the last tier can answer. */
  readonly goodputShare: number
}

/** Second by second. */
export interface Series {
  /** Of the calls that began in it, those that were answered well; null where none began. */
  readonly successShare: readonly (number | null)[]
  /** Attempts that reached the last tier. */
  readonly attempts: readonly number[]
  /** Of the calls that began in it and were answered well; null where there are none. */
  readonly p99Ms: readonly (number | null)[]
}

/** Recovery is looked for in steps, and must hold for the window. */
const recoveryStepMs = 100
const recoveryWindowMs = 2_000
const recoveredShare = 0.99

/** Measures a run. */
export function figuresOf(scenario: Scenario, run: Run): Figures {
  const { faultFromMs, faultToMs, tiers } = scenario
  const during = (atMs: number): boolean => atMs >= faultFromMs && atMs < faultToMs
  const offered = run.calls.filter(({ atMs }) => during(atMs))
  const answered = offered.filter(({ ok }) => ok)
  const latencies = answered.map(({ atMs, endedAtMs }) => endedAtMs - atMs).sort((a, b) => a - b)
  const arrived = run.arrivals.map((times) => times.filter(during).length)
  const done = run.calls.filter(({ ok, endedAtMs }) => ok && during(endedAtMs))
  const seconds = (faultToMs - faultFromMs) / 1_000
  return {
    successShare: answered.length / offered.length,
    p50Ms: quantile(latencies, 0.5),
    p99Ms: quantile(latencies, 0.99),
    amplification: arrived.map((count, tier) => count / (arrived[tier - 1] ?? offered.length)),
    amplificationTotal: arrived.at(-1)! / offered.length,
    recoveryMs: recoveryMs(scenario, run.calls),
    goodputShare: done.length / seconds / capacityPerSecond(tiers.at(-1)!),
  }
}

/** Second by second. */
export function seriesOf({ endMs }: Scenario, run: Run): Series {
  const seconds = Math.ceil(endMs / 1_000)
  const count = (times: readonly number[]): number[] => {
    const counts = Array<number>(seconds).fill(0)
    for (const atMs of times) if (atMs < endMs) counts[Math.floor(atMs / 1_000)]! += 1
    return counts
  }
  const offered = count(run.calls.map(({ atMs }) => atMs))
  const answered = count(run.calls.filter(({ ok }) => ok).map(({ atMs }) => atMs))
  return {
    successShare: offered.map((calls, second) => (calls === 0 ? null : answered[second]! / calls)),
    attempts: count(run.arrivals.at(-1)!),
    p99Ms: p99BySecond(run.calls, seconds),
  }
}

function p99BySecond(calls: readonly CallRecord[], seconds: number): (number | null)[] {
  const latencies = Array.from({ length: seconds }, (): number[] => [])
  for (const { atMs, endedAtMs, ok } of calls) if (ok) latencies[Math.floor(atMs / 1_000)]?.push(endedAtMs - atMs)
  return latencies.map((values) =>
    quantile(
      values.sort((a, b) => a - b),
      0.99,
    ),
  )
}

function recoveryMs({ faultToMs, endMs }: Scenario, calls: readonly CallRecord[]): number | null {
  const after = calls.filter(({ atMs }) => atMs >= faultToMs).sort((a, b) => a.atMs - b.atMs)
  for (let fromMs = faultToMs; fromMs + recoveryWindowMs <= endMs; fromMs += recoveryStepMs) {
    const window = after.filter(({ atMs }) => atMs >= fromMs && atMs < fromMs + recoveryWindowMs)
    const answered = window.filter(({ ok }) => ok).length
    if (window.length > 0 && answered >= recoveredShare * window.length) return fromMs - faultToMs
  }
  return null
}

function quantile(sorted: readonly number[], share: number): number | null {
  return sorted[Math.min(Math.floor(sorted.length * share), sorted.length - 1)] ?? null
}
