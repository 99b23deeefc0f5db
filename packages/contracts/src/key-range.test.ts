import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { keyRangeOf } from './key-range.ts'

describe('the range of a key', () => {
  it('is that of FNV-1a with 32 bits', () => {
    const whole = 2 ** 32
    expect(keyRangeOf('', whole)).toBe(0x811c9dc5)
    expect(keyRangeOf('a', whole)).toBe(0xe40c292c)
    expect(keyRangeOf('foobar', whole)).toBe(0xbf9cf968)
  })

  it('is one of those there are, and always the same', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), fc.integer({ min: 1, max: 1_000 }), (key, count) => {
        const range = keyRangeOf(key, count)
        expect(range).toBe(keyRangeOf(key, count))
        expect(range >= 0 && range < count).toBe(true)
      }),
    )
  })

  it('uses every range', () => {
    const ranges = new Set(Array.from({ length: 1_000 }, (_, at) => keyRangeOf(`order-${at}`, 16)))
    expect(ranges.size).toBe(16)
  })
})
