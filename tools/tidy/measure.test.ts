import { describe, expect, it } from 'vitest'
import { parseSource } from '../workspace/source.ts'
import { commentLines, functionsOf, lineCount, spreadOf } from './measure.ts'

describe('functionsOf', () => {
  it('measures every kind of function and names it', () => {
    const text = [
      'function a() {',
      '  return 1',
      '}',
      'const b = () => 1',
      'const o = { c() {}, d: () => 1 }',
      'class E { f() {} #g = () => 1 }',
      'run(() => 1)',
    ].join('\n')
    expect(functionsOf(parseSource('x.ts', text)).map(({ name, lines }) => [name, lines])).toEqual([
      ['a', 3],
      ['b', 1],
      ['c', 1],
      ['d', 1],
      ['f', 1],
      ['g', 1],
      ['a function', 1],
    ])
  })
})

describe('lines', () => {
  it('are counted without the newline at the end, and comments by the lines they touch', () => {
    const source = parseSource('x.ts', '/**\n * Doc.\n */\nconst a = 1 // why\n\n')
    expect(lineCount(source)).toBe(5)
    expect(commentLines(source)).toBe(4)
  })
})

describe('spreadOf', () => {
  it('takes nearest ranks, and zeros of nothing', () => {
    expect(spreadOf([10, 1, 9, 2, 8, 3, 7, 4, 6, 5])).toEqual({ median: 5, p90: 9, max: 10 })
    expect(spreadOf([])).toEqual({ median: 0, p90: 0, max: 0 })
  })
})
