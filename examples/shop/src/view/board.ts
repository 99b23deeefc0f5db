import type { AppSnapshot } from 'posthaste'
import { faultsOf, type Row, rowsOf } from './rows.ts'

/** The lines of a board that is redrawn: one for each filter between the services that has a state. */
export function boardOf(snapshot: AppSnapshot): string[] {
  const table = rowsOf(snapshot).flatMap(({ target, cells }) =>
    cells.map(({ role, state, figures }, at) => [at === 0 ? target : '', role, state, figures]),
  )
  const widths = [0, 1, 2].map((column) => Math.max(0, ...table.map((row) => row[column]!.length)))
  const lines = table.map((row) => row.map((text, column) => text.padEnd(widths[column] ?? 0)).join('  '))
  return [faultsOf(snapshot) ?? 'no chaos', ...lines]
}

/** What is told where nothing can be redrawn: each change of a state, once. */
export function changesBetween(before: AppSnapshot, after: AppSnapshot): string[] {
  const known = new Map(statesOf(rowsOf(before)))
  return statesOf(rowsOf(after))
    .filter(([what, { state }]) => known.get(what)?.state !== state)
    .map(([what, { state, figures }]) => `${what}: ${known.get(what)?.state ?? 'new'} → ${state} (${figures})`)
}

function statesOf(rows: readonly Row[]): [what: string, cell: Row['cells'][number]][] {
  return rows
    .flatMap(({ target, cells }) => cells.map((cell) => [`${target} ${cell.role}`, cell] as const))
    .map(([what, cell]) => [what, cell])
}
