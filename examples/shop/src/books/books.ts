import type { App } from 'posthaste'
import { BackOffice } from '../contracts.ts'
import type { Store } from '../store/store.ts'
import { deadLetterCensus } from './dead-letters.ts'
import { type Equation, equationsOf, holds, sideText } from './equations.ts'
import { totalsOf } from './totals.ts'

/** The books of a moment. */
export interface Books {
  readonly equations: readonly Equation[]
  readonly balanced: boolean
}

/** Draws up the books. They balance once the shop is quiet; while it works, much is on its way. */
export async function drawUpBooks(app: App, store: Store): Promise<Books> {
  const equations = equationsOf(totalsOf(store, await deadLetterCensus(app)))
  return { equations, balanced: equations.every(holds) }
}

/** The books as an aligned table, one equation a line. */
export function booksTable({ equations }: Pick<Books, 'equations'>): string {
  const cells = equations.map((equation) => {
    const { what, unit, left, right } = equation
    return [holds(equation) ? '✓' : '✗', what, sideText(left, unit), '=', sideText(right, unit)] as const
  })
  const widths = [0, 1, 2].map((column) => Math.max(...cells.map((row) => row[column]!.length)))
  return cells.map((row) => row.map((cell, at) => cell.padEnd(widths[at] ?? 0)).join('  ')).join('\n')
}

/** Serves what the people who run the shop ask. */
export function backOfficeService(app: App, store: Store): void {
  app.serve(BackOffice, {
    async deadLetters() {
      return { payments: [...(await deadLetterCensus(app)).payments] }
    },
    async books() {
      const { balanced, equations } = await drawUpBooks(app, store)
      const told = equations.map((equation) => ({
        what: equation.what,
        left: sideText(equation.left, equation.unit),
        right: sideText(equation.right, equation.unit),
        holds: holds(equation),
      }))
      return { balanced, equations: told }
    },
  })
}
