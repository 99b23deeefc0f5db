import { type CaseResult, resultOf } from '../document.ts'
import type { Contestant } from './contestants.ts'
import type { Figures } from './figures.ts'
import { limits } from './limits.ts'

/** A contestant in a scenario: the median over the seeds, figure by figure. */
export interface Row extends Figures {
  readonly contestant: string
  /** The worst of the seeds; null: never in one of them. */
  readonly recoveryMsMax: number | null
}

/** What the simulation prints. The same seeds give the same document on any machine. */
export interface SimDocument {
  readonly bench: 'sim'
  readonly method: Readonly<Record<string, number | string>>
  /** How everybody is set. */
  readonly contestants: Readonly<Record<string, string>>
  readonly scenarios: readonly ScenarioResult[]
  readonly goals: readonly CaseResult[]
  /** Every figure in which somebody else is better than ours. */
  readonly worse: readonly Worse[]
}

/** A figure in which ours is worse. */
export interface Worse {
  readonly scenario: string
  readonly figure: ComparedFigure
  /** Which of ours. */
  readonly compared: string
  readonly ours: string
  /** Those that are better, each with theirs. */
  readonly better: Readonly<Record<string, string>>
}

/** What is compared. */
export type ComparedFigure = 'success' | 'p50' | 'p99' | 'attempts per call' | 'time to recover'

/** A scenario, and what became of everybody in it. */
export interface ScenarioResult {
  readonly name: string
  readonly what: string
  /** Which of ours the others are compared with. */
  readonly compared: string
  readonly rows: readonly Row[]
}

/** A contestant's runs of a scenario come to this. */
export function rowOf(contestant: string, runs: readonly Figures[]): Row {
  const middle = (pick: (run: Figures) => number | null): number | null => median(runs.map(pick))
  const slowest = Math.max(...runs.map(({ recoveryMs }) => recoveryMs ?? Number.POSITIVE_INFINITY))
  const tiers = runs[0]!.amplification.length
  return {
    contestant,
    successShare: rounded(middle((run) => run.successShare)!, 4),
    p50Ms: whole(middle((run) => run.p50Ms)),
    p99Ms: whole(middle((run) => run.p99Ms)),
    amplification: Array.from({ length: tiers }, (_, tier) => rounded(middle((run) => run.amplification[tier]!)!, 2)),
    amplificationTotal: rounded(middle((run) => run.amplificationTotal)!, 2),
    recoveryMs: middle((run) => run.recoveryMs),
    recoveryMsMax: slowest === Number.POSITIVE_INFINITY ? null : slowest,
    goodputShare: rounded(middle((run) => run.goodputShare)!, 2),
  }
}

/** Puts the results together, and compares them. */
export function documentOf(
  results: readonly ScenarioResult[],
  made: { readonly seeds: number; readonly contestants: readonly Contestant[] },
): SimDocument {
  return {
    bench: 'sim',
    method: {
      seeds: made.seeds,
      figures: 'medians over the seeds, of the calls that began while the fault lasted',
      attemptTimeoutMs: limits.attemptTimeoutMs,
      attempts: limits.attempts,
      failurePercent: limits.failurePercent,
      windowMs: limits.windowMs,
      callsMin: limits.callsMin,
      openMs: limits.openMs,
    },
    contestants: Object.fromEntries(made.contestants.map(({ name, settings }) => [name, settings])),
    scenarios: results,
    goals: goalsOf(results),
    worse: worseIn(results),
  }
}

const isOurs = ({ contestant }: Row): boolean => contestant.startsWith('ours')

function goalsOf(results: readonly ScenarioResult[]): CaseResult[] {
  const goal = (scenario: string, { name, unit, figure, bound }: Goal, who = 'ours'): CaseResult[] => {
    const rows = results.find((result) => result.name === scenario)?.rows ?? []
    const ours = rows.find(({ contestant }) => contestant === who)
    if (ours === undefined) return []
    const peers = Object.fromEntries(rows.filter((row) => !isOurs(row)).map((row) => [row.contestant, figure(row)]))
    return [resultOf({ case: `${scenario}, ${who}: ${name}`, unit, ours: figure(ours), peers, goal: bound })]
  }
  return [
    ...goal('outage', amplification),
    ...goal('silent outage', amplification),
    ...goal('retry storm', amplificationOfTier),
    ...goal('outage', recovery),
    ...goal('silent outage', recovery),
    ...goal('retry storm', recovery),
    ...goal('overload', goodput, 'ours + limit'),
    ...goal('overload', goodput, 'ours + server limit'),
    ...goal('overload by many', goodput, 'ours + server limit'),
  ]
}

interface Goal {
  readonly name: string
  readonly unit: string
  readonly figure: (row: Row) => number
  readonly bound: { readonly min: number } | { readonly max: number }
}

const amplification: Goal = {
  name: 'attempts per call',
  unit: '',
  figure: ({ amplificationTotal }) => amplificationTotal,
  bound: { max: 1.2 },
}

const amplificationOfTier: Goal = {
  name: 'attempts per call, in the worst tier',
  unit: '',
  figure: (row) => Math.max(...row.amplification),
  bound: { max: 1.1 },
}

const recovery: Goal = {
  name: 'time to recover, with the worst seed',
  unit: 's',
  figure: ({ recoveryMsMax }) => (recoveryMsMax ?? Number.POSITIVE_INFINITY) / 1_000,
  bound: { max: (2 * limits.openMs) / 1_000 },
}

const goodput: Goal = {
  name: 'goodput, of the capacity',
  unit: '',
  figure: ({ goodputShare }) => goodputShare,
  bound: { min: 0.9 },
}

interface Compared {
  readonly name: ComparedFigure
  readonly unit: string
  /** Higher is better; null where there is nothing to compare. */
  readonly score: (row: Row) => number | null
  /** Differences up to this, in the unit, are not told. */
  readonly tolerance: number
}

const compared: readonly Compared[] = [
  { name: 'success', unit: '%', score: ({ successShare }) => successShare * 100, tolerance: 0.5 },
  { name: 'p50', unit: 'ms', score: ({ p50Ms }) => negative(p50Ms), tolerance: 5 },
  { name: 'p99', unit: 'ms', score: ({ p99Ms }) => negative(p99Ms), tolerance: 20 },
  { name: 'attempts per call', unit: '', score: ({ amplificationTotal }) => -amplificationTotal, tolerance: 0.02 },
  {
    name: 'time to recover',
    unit: 's',
    score: ({ recoveryMs }) => -(recoveryMs ?? Number.POSITIVE_INFINITY) / 1_000,
    tolerance: 0.5,
  },
]

/** Ours against each of the others, figure by figure. */
export function worseIn(results: readonly ScenarioResult[]): Worse[] {
  return results.flatMap((result) => {
    const ours = result.rows.find(({ contestant }) => contestant === result.compared)!
    return compared.flatMap(({ name, unit, score, tolerance }) => {
      const mine = score(ours)
      if (mine === null) return []
      const text = (value: number): string => withUnit(Math.abs(value), unit)
      const better = result.rows.flatMap((row) => {
        const theirs = isOurs(row) ? null : score(row)
        return theirs === null || theirs - mine <= tolerance ? [] : [[row.contestant, text(theirs)] as const]
      })
      const worse = {
        scenario: result.name,
        figure: name,
        compared: ours.contestant,
        ours: text(mine),
        better: Object.fromEntries(better),
      }
      return better.length === 0 ? [] : [worse]
    })
  })
}

/** The document for people. */
export function tableOf({ method, contestants, scenarios, goals, worse }: SimDocument): string {
  const facts = Object.entries(method).map(([name, value]) => `${name} ${value}`)
  const lines = [`sim: ${facts.join(', ')}`]
  for (const [name, settings] of Object.entries(contestants)) lines.push(`  ${name.padEnd(14)} ${settings}`)
  for (const { name, what, rows } of scenarios) {
    lines.push('', `${name}: ${what}`, `  ${header.map((text, at) => cell(text, at)).join('')}`)
    for (const row of rows)
      lines.push(
        `  ${cellsOf(row)
          .map((text, at) => cell(text, at))
          .join('')}`,
      )
  }
  lines.push('', 'goals')
  for (const { case: name, ours, unit, goal, met } of goals) {
    lines.push(`  ${name.padEnd(64)} ${withUnit(ours, unit)}  ${met ? 'met' : 'MISSED'}: ${goal}`)
  }
  lines.push('', 'where ours is worse')
  for (const { scenario, figure, compared: who, ours, better } of worse) {
    lines.push(`  ${scenario}, ${figure}: ${who} ${ours}; ${betterText(better)}`)
  }
  lines.push('')
  return lines.join('\n')
}

/** Those that are better, in a line. */
export function betterText(better: Worse['better']): string {
  return Object.entries(better)
    .map(([contestant, text]) => `${contestant} ${text}`)
    .join(', ')
}

const header = ['', 'success', 'p50', 'p99', 'attempts/call', 'recovered', '(worst)', 'goodput']

/** A row as it is printed. */
export function cellsOf(row: Row): string[] {
  const seconds = (ms: number | null): string => (ms === null ? 'never' : `${(ms / 1_000).toFixed(1)} s`)
  const ms = (value: number | null): string => (value === null ? '-' : `${value} ms`)
  const tiers =
    row.amplification.length > 1 ? `${row.amplification.map((factor) => factor.toFixed(2)).join(' ')} = ` : ''
  return [
    row.contestant,
    `${(row.successShare * 100).toFixed(1)} %`,
    ms(row.p50Ms),
    ms(row.p99Ms),
    `${tiers}${row.amplificationTotal.toFixed(2)}`,
    seconds(row.recoveryMs),
    seconds(row.recoveryMsMax),
    row.goodputShare.toFixed(2),
  ]
}

const widths = [16, 9, 9, 9, 24, 11, 10, 9]

function cell(text: string, at: number): string {
  return at === 0 ? text.padEnd(widths[0]!) : text.padStart(widths[at]!)
}

function withUnit(value: number, unit: string): string {
  return value === Number.POSITIVE_INFINITY || unit === '' ? figureText(value) : `${figureText(value)} ${unit}`
}

function figureText(value: number): string {
  return value === Number.POSITIVE_INFINITY ? 'never' : `${rounded(value, value < 10 ? 2 : 1)}`
}

function negative(value: number | null): number | null {
  return value === null ? null : -value
}

function whole(value: number | null): number | null {
  return value === null ? null : Math.round(value)
}

function rounded(value: number, digits: number): number {
  return Math.round(value * 10 ** digits) / 10 ** digits
}

/** What is null is worse than any number, and is null where the middle one is. */
function median(values: readonly (number | null)[]): number | null {
  const sorted = values.map((value) => value ?? Number.POSITIVE_INFINITY).sort((a, b) => a - b)
  const middle = sorted[Math.floor((sorted.length - 1) / 2)]!
  return middle === Number.POSITIVE_INFINITY ? null : middle
}
