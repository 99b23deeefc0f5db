import type { CaseFindings, Finding, LibraryName } from './run.ts'

interface Totals {
  readonly faults: number
  readonly prices: number
  readonly doNotApply: number
}

/** What the run prints. */
export interface FaultsDocument {
  readonly bench: 'known-faults'
  readonly node: string
  /** What was run, by library. */
  readonly versions: Readonly<Record<LibraryName, string>>
  /** How many faults each has, how many prices it asks, and how many cases do not apply to it. */
  readonly totals: Readonly<Record<LibraryName, Totals>>
  readonly faults: readonly CaseFindings[]
}

/** Adds up what was found. */
export function documentOf(faults: readonly CaseFindings[], versions: FaultsDocument['versions']): FaultsDocument {
  const names = Object.keys(versions) as LibraryName[]
  const count = (holds: (one: CaseFindings) => boolean): number => faults.filter(holds).length
  const totals = Object.fromEntries(
    names.map((name): [LibraryName, Totals] => [
      name,
      {
        faults: count(({ theme, findings }) => theme !== 'price' && isThere(findings[name])),
        prices: count(({ theme, findings }) => theme === 'price' && isThere(findings[name])),
        doNotApply: count(({ findings }) => 'doesNotApply' in findings[name]),
      },
    ]),
  ) as FaultsDocument['totals']
  return { bench: 'known-faults', node: process.version, versions, totals, faults }
}

/** Whether it was found. */
export function isThere(finding: Finding): boolean {
  return 'hasFault' in finding && finding.hasFault
}

const width = 12

/** The document for people. */
export function tableOf({ versions, totals, faults }: FaultsDocument): string {
  const names = Object.keys(versions) as LibraryName[]
  const row = (cells: readonly string[], rest: string): string =>
    `${cells.map((cell) => cell.padEnd(width)).join('')}${rest}`
  const notes = faults.flatMap(({ findings }) =>
    names.flatMap((name) => {
      const finding = findings[name]
      return 'doesNotApply' in finding ? [`${name} ${finding.doesNotApply}`] : []
    }),
  )
  return [
    row(names, 'the fault'),
    row(
      names.map((name) => versions[name]),
      '',
    ),
    ...faults.map(({ name, theme, findings }) =>
      row(
        names.map((library) => shown(findings[library])),
        `${theme}: ${name}`,
      ),
    ),
    row(
      names.map((name) => `${totals[name].faults} faults`),
      '',
    ),
    'n/a: it has no such thing',
    ...[...new Set(notes)].map((note) => `  ${note}`),
    '',
  ].join('\n')
}

function shown(finding: Finding): string {
  if ('doesNotApply' in finding) return 'n/a'
  return finding.hasFault ? 'HAS IT' : '-'
}
