import { expect, it } from 'vitest'
import { reportOf } from './report.ts'

it('shows figures in a column per variant, and what must hold with a mark', () => {
  const text = reportOf({
    story: 'peak',
    scene: 'Orders come.',
    variants: ['before', 'after'],
    figures: [
      { what: 'orders', unit: '', values: [1_030, 7] },
      { what: 'wait', unit: 'ms', values: [2.34, undefined] },
    ],
    charts: [],
    claims: [
      { what: 'all are paid', holds: true },
      { what: 'none is lost', holds: false },
    ],
  })
  expect(text.split('\n')).toEqual([
    'Orders come.',
    '',
    '         before   after',
    'orders    1,030       7',
    'wait     2.3 ms       –',
    '',
    '✓  all are paid',
    '✗  none is lost',
  ])
})
