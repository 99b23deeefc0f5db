import { PosthasteError } from '@posthaste/contracts'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { json } from './json.ts'

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
const malformed = expect.objectContaining({ code: 'BODY_MALFORMED', verdict: 'permanent' })

describe('JSON on a link', () => {
  it('gives back what it was given', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        expect(json.decode(json.encode(value))).toEqual(JSON.parse(JSON.stringify(value)))
      }),
    )
  })

  it('never writes over bytes that it has handed out', () => {
    const texts = Array.from({ length: 5_000 }, (_, n) => `${n}`.padStart((n * 37) % 300, 'ä'))
    const bodies = texts.map((text) => json.encode(text))
    expect(bodies.map((body) => json.decode(body))).toEqual(texts)
  })

  it('reads a part of a larger buffer', () => {
    expect(json.decode(bytes('xx{"a":1}xx').subarray(2, 9))).toEqual({ a: 1 })
  })

  it.each([undefined, () => 1, Symbol('x'), 10n])('refuses to write %s', (value) => {
    expect(() => json.encode(value)).toThrow(expect.objectContaining({ code: 'PAYLOAD_INVALID' }))
  })

  it.each(['{"a":', '', '{"__proto__":{}}', '{"\\u005f_proto__":{}}', '[9007199254740993]', '[-12345678901234567890]'])(
    'refuses to read %s',
    (text) => {
      expect(() => json.decode(bytes(text))).toThrow(malformed)
    },
  )

  it('refuses integers that a double would round wherever they stand', () => {
    for (let before = 0; before < 40; before++) {
      const text = (digits: string): Uint8Array => bytes(`["${'x'.repeat(before)}",${digits},1]`)
      expect(() => json.decode(text('9007199254740993'))).toThrow(malformed)
      expect(json.decode(text('9007199254740991'))).toHaveLength(3)
    }
  })

  it('refuses to read what is no UTF-8, and reads a replacement character that was meant', () => {
    expect(() => json.decode(Uint8Array.of(0x22, 0xff, 0x22))).toThrow(malformed)
    expect(json.decode(bytes('"\ufffd"'))).toBe('\ufffd')
  })

  it('reads long numbers that a double holds or has written, and escapes that mean nothing special', () => {
    const text = '[0.12345678901234568,1152921504606846976,12345678901234567000,"\\u0041 1234567890123456789"]'
    expect(json.decode(bytes(text))).toEqual([
      0.12345678901234568,
      2 ** 60,
      Number('12345678901234567890'),
      'A 1234567890123456789',
    ])
  })

  it('reads any bytes or refuses them as malformed, and nothing else', () => {
    fc.assert(
      fc.property(fc.uint8Array(), (body) => {
        try {
          json.decode(body)
        } catch (error) {
          expect(PosthasteError.is(error, 'BODY_MALFORMED')).toBe(true)
        }
      }),
    )
  })
})
