import type { AppSnapshot } from 'posthaste'
import { faultsOf, type Row, rowsOf } from './rows.ts'

/** The lines of a board that is redrawn: a line per method or handler that has something to tell. */
export function boardOf(snapshot: AppSnapshot): string[] {
  const rows = rowsOf(snapshot)
  const width = Math.max(0, ...rows.map(({ target }) => target.length))
  const lines = rows.map(({ target, cells }) => {
    const told = cells.map(({ role, state, figures }) => `${role} ${state} (${figures})`)
    return `${target.padEnd(width)}  ${told.join('  ')}`
  })
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
