import { formatPence } from '../money.ts'
import type { Totals } from './totals.ts'

/** One summand: what it is, and how much. */
export type Term = readonly [amount: number, what: string]

/** Two sums that must be the same, each side from the tables of another service. */
export interface Equation {
  readonly what: string
  readonly unit: 'pieces' | 'pence'
  readonly left: readonly Term[]
  readonly right: readonly Term[]
}

/** What must hold once the shop is quiet. */
export function equationsOf(totals: Totals): readonly Equation[] {
  return [...saleEquations(totals), ...moneyEquations(totals), ...stockEquations(totals), ...customerEquations(totals)]
}

/** Whether both sides are the same. */
export function holds({ left, right }: Equation): boolean {
  return sumOf(left) === sumOf(right)
}

/** One side as text: `500 in − 3 lost`. */
export function sideText(terms: readonly Term[], unit: Equation['unit']): string {
  const amount = (value: number): string => (unit === 'pence' ? formatPence(value) : value.toLocaleString('en-GB'))
  return terms
    .map(([value, what], at) => {
      // What is subtracted stays so when it is nothing.
      const sign = value < 0 || Object.is(value, -0) ? '− ' : at > 0 ? '+ ' : ''
      return `${sign}${amount(Math.abs(value))} ${what}`
    })
    .join(' ')
}

function saleEquations({ orders, returns, deadLetters, payment, stock }: Totals): Equation[] {
  return [
    count(
      'orders',
      [[orders.in, 'in']],
      [
        [orders.shipped, 'paid and shipped'],
        [orders.cancelled, 'cancelled'],
      ],
    ),
    count('unpublished', [[orders.unpublished, 'in the outbox']], [[0, 'expected']]),
    count(
      'cancelled',
      [[orders.cancelled, 'orders']],
      [
        [deadLetters.payments, 'dead-lettered'],
        [payment.late, 'paid too late'],
        [payment.overtaken + stock.overtaken, 'timed out before payment'],
        [stock.refused, 'out of stock'],
      ],
    ),
    count('other dead letters', [[deadLetters.others, 'found']], [[0, 'expected']]),
    count('returns', [[returns.in, 'in']], [[returns.refunded, 'refunded']]),
  ]
}

function moneyEquations({ orders, returns, payment }: Totals): Equation[] {
  return [
    money(
      'order value',
      [[orders.pence, 'in']],
      [
        [orders.shippedPence, 'shipped'],
        [orders.cancelledPence, 'cancelled'],
      ],
    ),
    count(
      'payments',
      [
        [payment.captured, 'captured'],
        [-payment.late, 'paid back'],
      ],
      [[orders.shipped, 'orders shipped']],
    ),
    money(
      'paid',
      [
        [payment.capturedPence, 'captured'],
        [-payment.latePence, 'paid back'],
      ],
      [[orders.shippedPence, 'shipped']],
    ),
    money('refunds', [[payment.refundedPence, 'paid back']], [[returns.pence, 'returned']]),
  ]
}

function stockEquations({ orders, returns, stock }: Totals): Equation[] {
  return [
    count(
      'stock',
      [
        [stock.opening, 'opening'],
        [-stock.deducted, 'deducted'],
        [stock.givenBack, 'given back'],
        [stock.returned, 'returned'],
      ],
      [[stock.onHand, 'on hand']],
    ),
    count(
      'pieces sold',
      [
        [stock.deducted, 'deducted'],
        [-stock.givenBack, 'given back'],
      ],
      [[orders.shippedPieces, 'in shipped orders']],
    ),
    count('pieces returned', [[stock.returned, 'put back']], [[returns.pieces, 'in returns']]),
  ]
}

function customerEquations({ orders, returns, points, parcels, notices }: Totals): Equation[] {
  const occasions: Term[] = [
    [orders.in, 'orders'],
    [orders.shipped, 'shipped'],
    [orders.cancelled, 'cancelled'],
    [returns.in, 'returns'],
  ]
  return [
    count('points granted', [[points.granted, 'booked']], [[orders.shippedPoints, 'whole pounds shipped to users']]),
    count('points withdrawn', [[points.withdrawn, 'booked']], [[returns.points, 'whole pounds returned by users']]),
    count(
      'points',
      [
        [points.granted, 'granted'],
        [-points.withdrawn, 'withdrawn'],
      ],
      [[points.balance, 'in accounts']],
    ),
    count('parcels', [[parcels, 'sent']], [[orders.shipped, 'orders shipped']]),
    count('notices', [[notices, 'sent']], occasions),
  ]
}

function count(what: string, left: readonly Term[], right: readonly Term[]): Equation {
  return { what, unit: 'pieces', left, right }
}

function money(what: string, left: readonly Term[], right: readonly Term[]): Equation {
  return { what, unit: 'pence', left, right }
}

function sumOf(terms: readonly Term[]): number {
  return terms.reduce((sum, [value]) => sum + value, 0)
}
