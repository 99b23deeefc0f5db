import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseJson } from './json.ts'

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
const parse = (text: string, depthMax = 64): unknown => parseJson(bytes(text), { depthMax })
const malformed = expect.objectContaining({ code: 'BODY_MALFORMED' })

/** How deep a value nests. */
function depthOf(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0
  return 1 + Math.max(0, ...Object.values(value).map(depthOf))
}

/** JSON whose numbers a double holds, and which has no `__proto__`. */
const harmless = fc
  .jsonValue({ maxDepth: 6 })
  .filter((value) => !JSON.stringify(value).includes('__proto__') && !/\d{16}/.test(JSON.stringify(value)))

describe('JSON from the wire', () => {
  it('is what was written, whatever it holds', () => {
    fc.assert(
      fc.property(harmless, (value) => {
        expect(parse(JSON.stringify(value))).toEqual(JSON.parse(JSON.stringify(value)))
      }),
    )
  })

  it('is taken up to the depth limit exactly', () => {
    fc.assert(
      fc.property(harmless, fc.integer({ min: 1, max: 5 }), (value, depthMax) => {
        const text = JSON.stringify(value, null, 8)
        if (depthOf(value) <= depthMax) expect(parse(text, depthMax)).toEqual(JSON.parse(text))
        else expect(() => parse(text, depthMax)).toThrow(malformed)
      }),
    )
  })

  it('keeps every integer that a double holds and refuses every other', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(2n ** 70n), max: 2n ** 70n }), (integer) => {
        const text = `{"a":[${integer}]}`
        if (Number.isSafeInteger(Number(integer))) expect(parse(text)).toEqual({ a: [Number(integer)] })
        else expect(() => parse(text)).toThrow(malformed)
      }),
    )
  })

  it('takes long fractions and exponents, which are approximate anyway', () => {
    expect(parse('[0.12345678901234567890, 12345678901234567e3, 1.0]')).toEqual([
      0.12345678901234568, 12345678901234567e3, 1,
    ])
  })

  it.each(['{"__proto__":1}', '[{"a":{"__proto__":{}}}]', '{"\\u005f\\u005Fproto__":1}', '{"__pr\\u006fto__":1}'])(
    'has no prototypes in it: %s',
    (text) => {
      expect(() => parse(text)).toThrow(malformed)
    },
  )

  it.each(['', ' ', '{', '{"a":}', "{'a':1}", '[1,]', 'NaN', '01', '"\t"', '1 1'])(
    'is JSON and nothing else: %j',
    (text) => {
      expect(() => parse(text)).toThrow(malformed)
    },
  )

  it('may begin with a byte order mark, and is UTF-8', () => {
    expect(parseJson(Uint8Array.of(0xef, 0xbb, 0xbf, 0x31), { depthMax: 9 })).toBe(1)
    for (const wrong of [
      [0x22, 0xc3, 0x22],
      [0x22, 0xed, 0xa0, 0x80, 0x22],
      [0xff, 0xfe, 0x31, 0x00],
    ]) {
      expect(() => parseJson(Uint8Array.from(wrong), { depthMax: 9 })).toThrow(malformed)
    }
  })
})
