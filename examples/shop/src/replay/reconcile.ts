import { type Books, booksTable } from '../books/books.ts'
import { type Equation, holds } from '../books/equations.ts'
import type { Pence } from '../money.ts'
import { orders, returns } from '../orders/order.ts'
import type { Store } from '../store/store.ts'
import type { FeedReport } from './feed.ts'

/** The end of a replay. */
export interface Reconciliation {
  readonly balanced: boolean
  readonly text: string
}

/** Holds the file against the shop, and the shop's services against each other. */
export function reconcile(report: FeedReport, books: Books, store: Store): Reconciliation {
  const equations = [...fileEquations(report, store), ...books.equations]
  return { balanced: equations.every(holds), text: booksTable({ equations }) }
}

function fileEquations(report: FeedReport, store: Store): Equation[] {
  const { lines, linesOrdered, linesReturned, linesBad, linesRefused, numbers, taken, refused } = report
  const found = [...taken.keys()].map((number) => totalIn(store, number))
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

function totalIn(store: Store, invoiceNo: string): Pence | undefined {
  return (store.get(orders, invoiceNo) ?? store.get(returns, invoiceNo))?.totalPence
}

function sum(amounts: readonly Pence[]): Pence {
  return amounts.reduce((total, amount) => total + amount, 0)
}
