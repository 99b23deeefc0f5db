import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { fromBase64, toBase64 } from './base64.ts'

describe('base64', () => {
  it('is what Node writes', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 300 }),
        (bytes) => toBase64(bytes) === Buffer.from(bytes).toString('base64'),
      ),
    )
  })

  it('gives back the bytes it was made of', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        expect(fromBase64(toBase64(bytes))).toEqual(new Uint8Array(bytes))
      }),
    )
  })

  it('holds bodies larger than a function has arguments', () => {
    const bytes = new Uint8Array(1_000_003).map((_, index) => index % 251)
    expect(Buffer.from(toBase64(bytes), 'base64').equals(bytes)).toBe(true)
    expect(fromBase64(toBase64(bytes))).toEqual(bytes)
  })

  it.each(['a', 'ab', 'abc', 'a===', '====', 'ab=c', 'a b=', 'ab-_', 'ab\n=', 'ünü='])('refuses %j', (text) =>
    expect(fromBase64(text)).toBeUndefined(),
  )
})
