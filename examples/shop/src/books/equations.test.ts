import { describe, expect, it } from 'vitest'
import { booksTable, told } from './books.ts'
import { type Equation, equationsOf, holds, sideText } from './equations.ts'
import type { Totals } from './totals.ts'

/** Three orders, one of them declined and cancelled, and one return. */
const totals: Totals = {
  orders: {
    in: 3,
    pence: 10_000,
    shipped: 2,
    shippedPence: 7_000,
    shippedPieces: 7,
    shippedPoints: 70,
    cancelled: 1,
    cancelledPence: 3_000,
    unpublished: 0,
  },
  returns: { in: 1, refunded: 1, pence: 1_000, pieces: 1, points: 10 },
  stock: { opening: 100, onHand: 94, deducted: 10, givenBack: 3, returned: 1, refused: 0, overtaken: 0 },
  payment: { captured: 2, capturedPence: 7_000, late: 0, latePence: 0, overtaken: 0, refundedPence: 1_000 },
  points: { granted: 70, withdrawn: 10, balance: 60 },
  parcels: 2,
  notices: 7,
  deadLetters: { payments: 1, others: 0 },
}

type Path = [keyof Totals, string]

/** Every single figure of the totals. */
const figures = Object.entries(totals).flatMap(([service, values]): Path[] =>
  typeof values === 'number'
    ? [[service as keyof Totals, '']]
    : Object.keys(values).map((name) => [service as keyof Totals, name]),
)

function offByOne([service, name]: Path): Totals {
  const values = totals[service]
  if (typeof values === 'number') return { ...totals, [service]: values + 1 }
  return { ...totals, [service]: { ...values, [name]: (values as Record<string, number>)[name]! + 1 } }
}

describe('equationsOf', () => {
  it('holds for a shop that is quiet', () => {
    expect(equationsOf(totals).filter((equation) => !holds(equation))).toEqual([])
  })

  it.each(figures)('notices when %s %s is off by one', (...path) => {
    expect(equationsOf(offByOne(path)).every(holds)).toBe(false)
  })

  it('counts a payment that came too late as paid back', () => {
    const late = {
      ...totals,
      payment: { ...totals.payment, captured: 3, capturedPence: 10_000, late: 1, latePence: 3_000 },
      deadLetters: { payments: 0, others: 0 },
    }
    expect(equationsOf(late).every(holds)).toBe(true)
  })
})

describe('the table', () => {
  const equations: Equation[] = [
    {
      what: 'stock',
      unit: 'pieces',
      left: [
        [1_000, 'opening'],
        [-7, 'sold'],
      ],
      right: [[993, 'on hand']],
    },
    {
      what: 'money',
      unit: 'pence',
      left: [[1_234, 'in']],
      right: [
        [1_233, 'out'],
        [-0, 'lost'],
      ],
    },
  ]

  it('aligns its columns, and marks what does not hold', () => {
    expect(booksTable(equations.map(told)).split('\n')).toEqual([
      '✓  stock  1,000 opening − 7 sold  =  993 on hand',
      '✗  money  £12.34 in               =  £12.33 out − £0.00 lost',
    ])
  })

  it('shows a side as a sum', () => {
    expect(
      sideText(
        [
          [1, 'a'],
          [0, 'b'],
          [-3, 'c'],
        ],
        'pieces',
      ),
    ).toBe('1 a + 0 b − 3 c')
  })
})
