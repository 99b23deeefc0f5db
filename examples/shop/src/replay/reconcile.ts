import { booksTable, type ToldEquation, told } from '../books/books.ts'
import type { Equation } from '../books/equations.ts'
import type { Pence } from '../money.ts'
import type { FeedReport } from './feed.ts'

/** The end of a replay. */
export interface Reconciliation {
  readonly balanced: boolean
  readonly text: string
}

/** What an invoice is worth in the shop; undefined where the shop does not know it. */
export type TotalOf = (invoiceNo: string) => Pence | undefined

/** Holds the file against the shop, and the shop's services against each other. */
export function reconcile(report: FeedReport, books: readonly ToldEquation[], totalOf: TotalOf): Reconciliation {
  const equations = [...fileEquations(report, totalOf).map(told), ...books]
  return { balanced: equations.every(({ holds }) => holds), text: booksTable(equations) }
}

function fileEquations(report: FeedReport, totalOf: TotalOf): Equation[] {
  const { lines, linesOrdered, linesReturned, linesBad, linesRefused, numbers, taken, refused } = report
  const found = [...taken.keys()].map(totalOf)
  const known = found.filter((total) => total !== undefined)
  return [
    {
      what: 'lines',
      unit: 'pieces',
      left: [[lines, 'read']],
      right: [
        [linesOrdered, 'ordered'],
        [linesReturned, 'returned'],
        [linesBad, 'bad'],
        [linesRefused, 'refused'],
      ],
    },
    {
      what: 'invoices',
      unit: 'pieces',
      left: [[numbers.size, 'in the file']],
      right: [
        [known.length, 'in the shop'],
        [refused, 'refused'],
        [numbers.size - taken.size - refused, 'without a usable line'],
      ],
    },
    {
      what: 'invoice value',
      unit: 'pence',
      left: [[sum([...taken.values()]), 'in the file']],
      right: [[sum(known), 'in the shop']],
    },
  ]
}

function sum(amounts: readonly Pence[]): Pence {
  return amounts.reduce((total, amount) => total + amount, 0)
}
