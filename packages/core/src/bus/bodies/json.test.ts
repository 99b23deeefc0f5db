import { PosthasteError } from '@posthaste/contracts'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { jsonCodec } from './json.ts'

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)

describe('the JSON codec', () => {
  it('gives back what it was given', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        expect(jsonCodec.decode(jsonCodec.encode(value))).toEqual(JSON.parse(JSON.stringify(value)))
      }),
    )
  })

  it('never writes over bytes that it has handed out', () => {
    const texts = Array.from({ length: 5_000 }, (_, n) => `${n}`.padStart((n * 37) % 300, 'ä'))
    const bodies = texts.map((text) => jsonCodec.encode(text))
    expect(bodies.map((body) => jsonCodec.decode(body))).toEqual(texts)
  })

  it.each([undefined, () => 1, Symbol('x'), 10n])('refuses to write %s', (value) => {
    expect(() => jsonCodec.encode(value)).toThrow(expect.objectContaining({ code: 'PAYLOAD_INVALID' }))
  })

  it('refuses to write a cycle', () => {
    const cycle: { self?: unknown } = {}
    cycle.self = cycle
    expect(() => jsonCodec.encode(cycle)).toThrow(expect.objectContaining({ code: 'PAYLOAD_INVALID' }))
  })

  it.each([bytes('{"a":'), bytes(''), Uint8Array.of(0x22, 0xff, 0x22)])(
    'refuses to read bytes that are not JSON',
    (body) => {
      expect(() => jsonCodec.decode(body)).toThrow(
        expect.objectContaining({ code: 'BODY_MALFORMED', verdict: 'permanent' }),
      )
    },
  )

  it('reads any bytes or refuses them as malformed, and nothing else', () => {
    fc.assert(
      fc.property(fc.uint8Array(), (body) => {
        try {
          jsonCodec.decode(body)
        } catch (error) {
          expect(PosthasteError.is(error, 'BODY_MALFORMED')).toBe(true)
        }
      }),
    )
  })
})
