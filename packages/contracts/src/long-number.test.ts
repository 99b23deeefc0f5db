import fc from 'fast-check'
import { expect, it } from 'vitest'
import { hasLongNumber } from './long-number.ts'

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)

const texts = fc
  .array(fc.oneof(fc.stringMatching(/^[0-9]{1,20}$/), fc.constantFrom(',', '.', '-', '"ä"', '/', ':')), {
    maxLength: 40,
  })
  .map((parts) => parts.join(''))

it('Sixteen digits in a row are found wherever they stand, and nothing else is', () => {
  fc.assert(
    fc.property(texts, (text) => {
      expect(hasLongNumber(bytes(text))).toBe(/\d{16}/.test(text))
    }),
  )
})

it.each(['123456789012345,', '1,', '12345678,', '1234567890123.5,'])(
  'Texts of nothing but %s cost no more than two looks at each byte',
  (part) => {
    let looks = 0
    const text = bytes(part.repeat(3_000))
    const watched = new Proxy(text, {
      get(target, property) {
        if (property !== 'length') looks += 1
        return Reflect.get(target, property)
      },
    })
    expect(hasLongNumber(watched)).toBe(false)
    expect(looks).toBeLessThanOrEqual(text.length * 2)
  },
)
