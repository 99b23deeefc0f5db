import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { formatPence, parseGermanAmount, totalOf } from './money.ts'

describe('parseGermanAmount', () => {
  it.each([
    ['2,55', 255],
    ['2,5', 250],
    ['0', 0],
    ['7', 700],
    ['887,52', 88_752],
    ['1.249', 124_900],
    ['1.234.567,89', 123_456_789],
  ])('reads %s as %i pence', (text, pence) => {
    expect(parseGermanAmount(text)).toBe(pence)
  })

  it.each(['', '2.55', '2,555', ',5', '-1', '1,', '1.23,4', '12.34', '1e3', '£2', ' 2', '1.2345'])(
    'does not take %j for an amount',
    (text) => {
      expect(parseGermanAmount(text)).toBeUndefined()
    },
  )

  it('reads every amount as the pence it was written from', () => {
    fc.assert(
      fc.property(fc.nat(99_999_999), (pence) => {
        const text = `${Math.floor(pence / 100)},${String(pence % 100).padStart(2, '0')}`
        expect(parseGermanAmount(text)).toBe(pence)
      }),
    )
  })
})

describe('formatPence', () => {
  it.each([
    [0, '£0.00'],
    [5, '£0.05'],
    [-250, '-£2.50'],
    [99_999, '£999.99'],
    [123_456_789, '£1,234,567.89'],
  ])('shows %i as %s', (pence, text) => {
    expect(formatPence(pence)).toBe(text)
  })
})

it('sums lines in whole pence, where fractions would be off', () => {
  const lines = Array.from({ length: 1_000 }, () => ({ productId: 'A', quantity: 3, unitPricePence: 10 }))
  expect(totalOf(lines)).toBe(30_000)
})
