import { type FaultRun, isSound } from './run.ts'

/** What is kept of a run, and printed for machines. */
export interface FaultDocument {
  readonly engine: string
  readonly serverVersion?: string
  readonly seed: number
  readonly sound: boolean
  readonly confirmed: number
  readonly lost: number
  readonly handled: number
  readonly duplicates: number
  readonly republished: number
  readonly orderViolations: number
  readonly attemptsRepeated: number
  readonly attemptsReset: number
  readonly twiceAtOnce: number
  readonly deadLetters: number
  readonly requests: { readonly answered: number; readonly failed: number }
  readonly faults: readonly FaultRow[]
}

/** One fault of a document; times are milliseconds, those of recovery from the healing. */
export interface FaultRow {
  readonly kind: string
  readonly tookMs: number
  /** Null where it did not recover. */
  readonly firstMs: number | null
  readonly fullMs: number | null
}

/** A run as data. */
export function documentOf(run: FaultRun): FaultDocument {
  const { engine, serverVersion, seed, verdict, requests } = run
  return {
    engine,
    ...(serverVersion !== undefined && { serverVersion }),
    seed,
    sound: isSound(run),
    confirmed: verdict.confirmed,
    lost: verdict.lost.length,
    handled: verdict.handled,
    duplicates: verdict.duplicates,
    republished: verdict.republished,
    orderViolations: verdict.orderViolations.length,
    attemptsRepeated: verdict.attemptsRepeated,
    attemptsReset: verdict.attemptsReset.length,
    twiceAtOnce: verdict.twiceAtOnce.length,
    deadLetters: verdict.deadLetters,
    requests: { ...requests },
    faults: run.faults.map(({ fault, tookMs, recovery }) => ({
      kind: fault.kind,
      tookMs,
      firstMs: recovery?.firstMs ?? null,
      fullMs: recovery?.fullMs ?? null,
    })),
  }
}

/** Most examples of one fault that are shown. */
const examplesMax = 10

/** A run for people. */
export function textReport(run: FaultRun): string {
  const document = documentOf(run)
  const { lost, orderViolations, attemptsReset, twiceAtOnce } = run.verdict
  const rows = document.faults.map(({ kind, tookMs, firstMs, fullMs }) => [
    ...[kind, `${tookMs} ms`],
    ...(firstMs === null ? ['never', 'never'] : [`${firstMs} ms`, `${fullMs} ms`]),
  ])
  const examples = {
    lost,
    'out of order': orderViolations,
    'attempts reset': attemptsReset,
    'twice at once': twiceAtOnce,
  }
  return [
    `${document.engine} ${document.serverVersion ?? ''} (seed ${document.seed}): ${document.sound ? 'all held' : 'NOT all held'}`,
    `  ${document.confirmed} confirmed, ${document.lost} lost, ${document.handled} handled, ${document.duplicates} duplicates, ${document.republished} published again`,
    `  ${document.orderViolations} out of order, ${document.attemptsReset} attempts reset, ${document.attemptsRepeated} repeated, ${document.twiceAtOnce} twice at once, ${document.deadLetters} dead letters`,
    `  ${document.requests.answered} requests answered, ${document.requests.failed} not`,
    ...table([['fault', 'lasted', 'first delivery', 'full flow'], ...rows]).map((line) => `  ${line}`),
    ...Object.entries(examples).flatMap(([what, ids]) =>
      ids.slice(0, examplesMax).map((example) => `  ${what}: ${example}`),
    ),
  ].join('\n')
}

function table(rows: readonly (readonly string[])[]): readonly string[] {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => (row[column] ?? '').length)))
  return rows.map((row) => row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  '))
}
