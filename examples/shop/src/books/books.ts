import type { App } from 'posthaste'
import { BackOffice } from '../contracts.ts'
import type { Tables } from '../store/store.ts'
import { deadLetterCensus, type ShopGroup } from './dead-letters.ts'
import { type Equation, equationsOf, holds, sideText } from './equations.ts'
import { totalsOf } from './totals.ts'

/** The books of a moment. */
export interface Books {
  readonly equations: readonly Equation[]
  readonly balanced: boolean
}

/** Draws up the books. They balance once the shop is quiet; while it works, much is on its way. */
export async function drawUpBooks(app: App, store: Tables, groups?: readonly ShopGroup[]): Promise<Books> {
  const equations = equationsOf(totalsOf(store, await deadLetterCensus(app, groups)))
  return { equations, balanced: equations.every(holds) }
}

/** An equation as it is told: each side in words. */
export interface ToldEquation {
  readonly what: string
  readonly left: string
  readonly right: string
  readonly holds: boolean
}

/** Puts an equation in words. */
export function told(equation: Equation): ToldEquation {
  const { what, unit, left, right } = equation
  return { what, left: sideText(left, unit), right: sideText(right, unit), holds: holds(equation) }
}

/** Books as an aligned table, one equation a line. */
export function booksTable(equations: readonly ToldEquation[]): string {
  const cells = equations.map(
    ({ what, left, right, holds: does }) => [does ? '✓' : '✗', what, left, '=', right] as const,
  )
  const widths = [0, 1, 2].map((column) => Math.max(...cells.map((row) => row[column]!.length)))
  return cells.map((row) => row.map((cell, at) => cell.padEnd(widths[at] ?? 0)).join('  ')).join('\n')
}

/**
 * Serves what the people who run the shop ask.
 * @param groups all groups of the shop. Default: those of this application
 */
export function backOfficeService(app: App, store: Tables, groups?: readonly ShopGroup[]): void {
  app.serve(BackOffice, {
    async deadLetters() {
      return { payments: [...(await deadLetterCensus(app, groups)).payments] }
    },
    async books() {
      const { balanced, equations } = await drawUpBooks(app, store, groups)
      return { balanced, equations: equations.map(told) }
    },
  })
}
