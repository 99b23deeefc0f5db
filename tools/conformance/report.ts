import type { ConformanceResult, GuaranteeResult } from '@posthaste/conformance'

/** What is kept of a run, and printed for machines. */
export interface ConformanceDocument {
  readonly engine: string
  readonly guarantees: readonly GuaranteeDocument[]
  readonly mutants: readonly MutantDocument[]
}

/** One guarantee of a document. */
export type GuaranteeDocument = Omit<GuaranteeResult, 'failures'> & { readonly failures?: readonly string[] }

/** One mutant of a document. */
export interface MutantDocument {
  readonly name: string
  readonly caughtBy: readonly string[]
  /** Why it was left out. */
  readonly lacking?: string
}

/** A run as data: without what cannot be written as JSON. */
export function documentOf({ engine, guarantees, mutants }: ConformanceResult): ConformanceDocument {
  return {
    engine,
    guarantees: guarantees.map(({ id, title, support, passed, figures, failures }) => ({
      ...{ id, title, support, passed, figures },
      ...(failures.length > 0 && { failures: failures.map((failure) => `${failure.case}: ${textOf(failure.error)}`) }),
    })),
    mutants: mutants.map(({ name, caughtBy, lacking }) => ({
      ...{ name, caughtBy },
      ...(lacking !== undefined && { lacking }),
    })),
  }
}

/** A run as it is kept: lists of ids in one line, as the formatter has them. */
export function fileText(document: ConformanceDocument): string {
  const short = /\[\s+("G\d+"(?:,\s+"G\d+")*)\s+\]/g
  const text = JSON.stringify(document, undefined, 2)
  return `${text.replace(short, (_, ids: string) => `[${ids.replace(/\s+/g, ' ')}]`)}\n`
}

/** A run for people. */
export function textReport({ engine, guarantees, mutants }: ConformanceDocument): string {
  const rows = guarantees.map((guarantee) => {
    const { id, title, support, passed, figures, failures = [] } = guarantee
    const row = `${passed ? '✓' : '✗'} ${id}  ${support.padEnd(8)}  ${title}  (${figuresText(figures)})`
    return [row, ...failures.map((failure) => `      ${firstLines(failure)}`)].join('\n')
  })
  const ran = mutants.filter(({ lacking }) => lacking === undefined)
  const missed = ran.filter(({ caughtBy }) => caughtBy.length === 0)
  const held = guarantees.filter(({ passed }) => passed).length
  return [
    `engine ${engine}`,
    ...rows,
    `${held} of ${guarantees.length} guarantees hold`,
    ...(ran.length > 0 ? [`${ran.length - missed.length} of ${ran.length} mutants caught`] : []),
    ...missed.map(({ name }) => `✗ the mutant ${name} was not found`),
    ...mutants
      .filter(({ lacking }) => lacking !== undefined)
      .map(({ name, lacking }) => `- ${name} left out: ${lacking}`),
  ].join('\n')
}

/** Most lines of a failure that are printed. */
const failureLinesMax = 40

/** Says so where lines are left out: a difference that is cut looks like another one. */
function firstLines(failure: string): string {
  const lines = failure.split('\n')
  const left = lines.length - failureLinesMax
  const shown = left > 0 ? [...lines.slice(0, failureLinesMax), `… ${left} more lines: --json has them`] : lines
  return shown.join('\n      ')
}

/** What did not hold on any engine, once more, for the end of a long log; undefined where everything did. */
export function failureReport(runs: readonly ConformanceDocument[]): string | undefined {
  const rows = runs.flatMap(({ engine, guarantees, mutants }) => [
    ...guarantees.flatMap(({ id, passed, failures = [] }) =>
      passed ? [] : failures.map((failure) => `✗ ${engine} ${id}  ${firstLines(failure)}`),
    ),
    ...mutants.flatMap(({ name, caughtBy, lacking }) =>
      caughtBy.length > 0 || lacking !== undefined ? [] : [`✗ ${engine}  the mutant ${name} was not found`],
    ),
  ])
  return rows.length === 0 ? undefined : ['What does not hold:', ...rows].join('\n')
}

/** Figures in a line: `5,000 messages, 0 duplicates, 3 cases`. */
export function figuresText(figures: Readonly<Record<string, number>>): string {
  const { cases = 0, ...others } = figures
  const number = (value: number) => value.toLocaleString('en-US')
  const plural = (name: string, value: number) =>
    value === 1
      ? name
          .replace(/ies$/, 'y')
          .replace(/(sh|ch)es$/, '$1')
          .replace(/s$/, '')
      : name
  const told = Object.entries(others).map(([name, value]) =>
    name.includes(',')
      ? `${name.replace(/,.*$/, '')} ${number(value)}${name.replace(/^.*,/, '')}`
      : `${number(value)} ${plural(name, value)}`,
  )
  return [`${number(cases)} ${cases === 1 ? 'case' : 'cases'}`, ...told].join(', ')
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
