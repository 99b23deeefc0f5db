import { expect, it } from 'vitest'
import { advanced, isUndecided, type Order, type OrderState } from './order.ts'

function order(state: OrderState): Order {
  return { orderNo: '1', lines: [], totalPence: 0, createdAtMs: 0, state, history: [] }
}

it.each([
  ['accepted', 'reserved', 'reserved'],
  ['reserved', 'paid', 'paid'],
  ['accepted', 'cancelled', 'cancelled'],
  ['paid', 'reserved', 'paid'],
  ['shipped', 'paid', 'shipped'],
  ['cancelled', 'reserved', 'cancelled'],
] as const)('an order that is %s and hears of %s is %s', (from, to, state) => {
  expect(advanced(order(from), to, 'news')).toMatchObject({ state, history: [{ what: 'news' }] })
})

it('may go either way until it is paid or cancelled', () => {
  const undecided = (['accepted', 'reserved', 'paid', 'shipped', 'cancelled'] as const).map((s) =>
    isUndecided(order(s)),
  )
  expect(undecided).toEqual([true, true, false, false, false])
})
