import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { overlap } from './overlap.ts'

describe('overlap', () => {
  it.each([
    ['shop.order.created', 'shop.order.created', true],
    ['shop.order.created', 'shop.order.paid', false],
    ['shop.order.*', 'shop.order.created', true],
    ['shop.order.*', 'shop.order', false],
    ['shop.order.*', 'shop.order.item.added', false],
    ['shop.**', 'shop.order.item.added', true],
    ['shop.**', 'shop', false],
    ['**', 'shop', true],
    ['*.order.*', 'shop.*.created', true],
    ['*.order.*', 'shop.payment.*', false],
    ['shop.order.**', 'shop.*', false],
    ['shop.order.**', 'shop.*.*', true],
    ['shop.**', 'shop.order.**', true],
  ])('of %s and %s is %s', (one, other, expected) => {
    expect(overlap(one, other)).toBe(expected)
    expect(overlap(other, one)).toBe(expected)
  })

  it('of a pattern and a name is whether the name matches', () => {
    const word = fc.constantFrom('a', 'b', 'c')
    const name = fc.array(word, { minLength: 1, maxLength: 4 })
    const pattern = fc
      .tuple(fc.array(fc.constantFrom('a', 'b', '*'), { minLength: 1, maxLength: 4 }), fc.boolean())
      .map(([words, open]) => (open ? [...words, '**'] : words))
    fc.assert(
      fc.property(pattern, name, (words, given) => {
        const source = words.map((each) => (each === '**' ? '.+' : each === '*' ? '[^.]+' : each)).join('\\.')
        const matches = new RegExp(`^${source}$`).test(given.join('.'))
        expect(overlap(words.join('.'), given.join('.'))).toBe(matches)
      }),
    )
  })
})
