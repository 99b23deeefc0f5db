import { describe, expect, it } from 'vitest'
import { cut, oneLine, tableOf } from './table.ts'

const columns = [{ title: 'channel' }, { title: 'ready', isFigure: true }, { title: 'reason' }]

describe('a table', () => {
  it('has figures stand right, and no blanks at the end of a line', () => {
    const rows = [
      ['a', '1', ''],
      ['facts', '1,000', 'no'],
    ]
    expect(tableOf(columns, rows)).toBe('channel  ready  reason\na            1\nfacts    1,000  no\n')
  })

  it('is cut where the line ends', () => {
    expect(tableOf(columns, [['a', '1', 'x'.repeat(50)]], 22).split('\n')[1]).toBe(`a            1  xxxxx…`)
    expect([cut('abc', 3), cut('abcd', 3), cut('abcd', 1)]).toEqual(['abc', 'ab…', '…'])
  })

  it('lets no message rule the terminal', () => {
    expect(oneLine('a\nb\u001b[31mred\u0007')).toBe('a bred ')
    expect(tableOf([{ title: 'x' }], [['one\ntwo']])).toBe('x\none two\n')
  })
})
