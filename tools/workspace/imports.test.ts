import { describe, expect, it } from 'vitest'
import { importsOf } from './imports.ts'
import { isTest, parseSource } from './source.ts'

describe('importsOf', () => {
  it('sees each way to name a module, type-only ones included, and no look-alikes', () => {
    const text = [
      "import './effect.ts'",
      "import type { A } from './a.ts'",
      "export { b } from './b.ts'",
      "export type * from './c.ts'",
      "const d = await import('./d.ts')",
      "type E = import('./e.ts').E",
      "// import './comment.ts'",
      'const s = "import \'./string.ts\'"',
      'await import(s)',
    ].join('\n')
    expect(importsOf(parseSource('x.ts', text))).toEqual([
      { specifier: './effect.ts', line: 1 },
      { specifier: './a.ts', line: 2 },
      { specifier: './b.ts', line: 3 },
      { specifier: './c.ts', line: 4 },
      { specifier: './d.ts', line: 5 },
      { specifier: './e.ts', line: 6 },
    ])
  })
})

describe('parseSource', () => {
  it('names file and line of a syntax error', () => {
    expect(() => parseSource('bad.ts', 'const a = 1\nconst = 2\n')).toThrow(/^bad\.ts:2: /)
  })
})

describe('isTest', () => {
  it('tells tests by their name, or by the test folder of their package', () => {
    const tests = ['packages/core/src/bus/a.test.ts', 'a.int.test.ts', 'a.test-d.ts', 'packages/core/test/a.ts']
    expect(tests.map(isTest)).toEqual([true, true, true, true])
    expect(['packages/core/src/testing/a.ts', 'packages/contest/a.ts', 'latest.ts'].map(isTest)).toEqual([
      false,
      false,
      false,
    ])
  })
})
