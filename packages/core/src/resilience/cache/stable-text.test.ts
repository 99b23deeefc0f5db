import { isDeepStrictEqual } from 'node:util'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { stableText } from './stable-text.ts'

const data = fc.anything({ withBigInt: true, withDate: true, withNullPrototype: false, maxDepth: 3 })

/** Properties that are undefined are as good as absent, and -0 is 0, as in JSON. */
function plain(value: unknown): unknown {
  if (value === 0) return 0
  if (Array.isArray(value)) return Array.from(value, plain)
  if (typeof value !== 'object' || value === null || value instanceof Date) return value
  return Object.fromEntries(Object.entries(value).flatMap(([k, v]) => (v === undefined ? [] : [[k, plain(v)]])))
}

describe('the stable text of data', () => {
  it('is the same for equal data and another for any other', () => {
    fc.assert(
      fc.property(data, data, (one, other) => {
        const [a, b] = [stableText(one, 1e6), stableText(other, 1e6)]
        expect(a === b).toBe(isDeepStrictEqual(plain(one), plain(other)))
      }),
      { numRuns: 500 },
    )
  })

  it('does not depend on the order of properties', () => {
    const record = fc.dictionary(fc.string(), fc.jsonValue())
    fc.assert(
      fc.property(record, (given) => {
        const reversed = Object.fromEntries(Object.entries(given).reverse())
        expect(stableText(reversed, 1e6)).toBe(stableText(given, 1e6))
      }),
    )
  })

  it.each([
    [1, '1'],
    ['1', 1],
    [[1, 2], [12]],
    [[undefined], [null]],
    [[], {}],
    [1n, 1],
    [new Date(5), 5],
    [new Uint8Array([1, 2]), new Uint8Array([12])],
    [Number.NaN, null],
    [{ a: { b: 1 } }, { a: { c: 1 } }],
    [['a,b'], ['a', 'b']],
    [['1"a'], ['1', 'a']],
    [['a', 1], ['a,1']],
    [{ a: 'b', c: 'd' }, { 'a:1"b,1"c': 'd' }],
    ['null', null],
    ['Date(5)', new Date(5)],
  ])('tells %o from %o', (one, other) => {
    expect(stableText(one)).not.toBe(stableText(other))
  })

  it('is not made of what is no plain data, of what contains itself, and of what is too long', () => {
    const circular: unknown[] = []
    circular.push(circular)
    const impossible = [() => 1, new Map([[1, 2]]), new (class Money {})(), Symbol('x'), circular]
    for (const each of impossible) {
      expect(stableText(each)).toBeUndefined()
      expect(stableText({ deep: [each] })).toBeUndefined()
    }
    expect(stableText('x'.repeat(4_091))).toHaveLength(4_096)
    expect(stableText('x'.repeat(4_092))).toBeUndefined()
    expect(stableText(Array.from({ length: 5_000 }, () => 1))).toBeUndefined()
    expect(stableText({ a: 'x'.repeat(3_000), b: 'x'.repeat(3_000) })).toBeUndefined()
    expect(stableText(new Uint8Array(5_000_000))).toBeUndefined()
  })
})
