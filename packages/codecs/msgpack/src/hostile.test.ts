import { PosthasteError } from '@posthaste/contracts'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { msgpack } from './msgpack.ts'

const codec = msgpack()
const unhex = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text.replaceAll(' ', ''), 'hex'))
const malformed = expect.objectContaining({ code: 'BODY_MALFORMED', verdict: 'permanent' })

/** Reads them or refuses them as malformed; anything else throws. */
function decodeOrRefuse(body: Uint8Array): void {
  try {
    codec.decode(body)
  } catch (error) {
    if (!PosthasteError.is(error, 'BODY_MALFORMED')) throw error
  }
}

const nested = (depth: number): unknown => (depth === 0 ? 0 : [nested(depth - 1)])

describe('bytes from elsewhere', () => {
  it.each([
    ['nothing', ''],
    ['the byte that is never used', 'c1'],
    ['a second value', '01 02'],
    ['a text that ends too early', 'a5 68 65'],
    ['a text of 4 GiB', 'db ff ff ff ff 78'],
    ['bytes of 4 GiB', 'c6 ff ff ff ff 00'],
    ['an array of 4 G', 'dd ff ff ff ff 00'],
    ['a map of 4 G', 'df ff ff ff ff a1 61 00'],
    ['an extension of 4 GiB', 'c9 ff ff ff ff ff 00'],
    ['a number that ends too early', 'cb 3f e0'],
    ['a length that ends too early', 'da 00'],
    ['a text that is no UTF-8', 'a2 c3 28'],
    ['a long text that is no UTF-8', `d9 21 ${'78 '.repeat(32)} ff`],
    ['half of a surrogate pair', 'a3 ed a0 80'],
    ['a key that is null', '81 c0 01'],
    ['a key that is an array', '81 90 01'],
    ['a key that is a fraction', '81 cb 3f e0 00 00 00 00 00 00 01'],
    ['a key without a value', '81 a1 61'],
    ['the key __proto__', '81 a9 5f 5f 70 72 6f 74 6f 5f 5f 80'],
    ['the key __proto__, written longer', '81 da 00 09 5f 5f 70 72 6f 74 6f 5f 5f 80'],
    ['a record definition of msgpackr', 'd4 72 40 91 a1 61 01'],
    ['a regular expression of msgpackr', 'd4 78 00 92 a2 28 2b a0'],
    ['a reference of msgpackr', 'd6 70 00 00 00 01'],
    ['a big integer of msgpackr', 'd6 42 00 00 00 05'],
    ['an array of numbers of msgpackr', 'd7 74 01 00 00 00 00 00 00 00'],
    ['bundled strings of msgpackr', 'd6 62 00 00 00 04 c1 01 a1 78 a0'],
    ['a timestamp of a wrong length', 'd5 ff 00 01'],
    ['an unknown extension', 'd4 05 00'],
  ])('are refused: %s', (_, bytes) => {
    expect(() => codec.decode(unhex(bytes))).toThrow(malformed)
    expect(codec.decode(unhex('81 a1 61 01'))).toEqual({ a: 1 })
  })

  it('are read or refused as malformed, whatever they are', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), decodeOrRefuse), { numRuns: 2_000 })
  })

  it('are read or refused as malformed when a byte of a message is another', () => {
    const anything = fc.object({ withDate: true, withBigInt: true, withNullPrototype: false, maxDepth: 3 })
    fc.assert(
      fc.property(anything, fc.nat(), fc.nat(255), (value, at, byte) => {
        let body: Uint8Array
        try {
          body = codec.encode(value)
        } catch {
          return
        }
        body[at % body.length] = byte
        decodeOrRefuse(body)
      }),
      { numRuns: 1_000 },
    )
  })

  it('are refused when a message is cut anywhere', () => {
    const body = codec.encode({
      name: 'ä'.repeat(40),
      at: new Date(1),
      n: [1, 2 ** 40, -5, 0.1],
      b: Uint8Array.of(1, 2),
    })
    for (let end = 0; end < body.length; end++) expect(() => codec.decode(body.subarray(0, end))).toThrow(malformed)
  })

  it('may be nested as deep as allowed and no deeper', () => {
    const shallow = msgpack({ depthMax: 3 })
    expect(shallow.decode(shallow.encode(nested(3)))).toEqual(nested(3))
    expect(() => shallow.encode(nested(4))).toThrow(expect.objectContaining({ code: 'PAYLOAD_INVALID' }))
    expect(() => shallow.decode(codec.encode(nested(4)))).toThrow(malformed)
    expect(() => codec.decode(new Uint8Array(1_000_000).fill(0x91))).toThrow(malformed)
    const deep = msgpack({ depthMax: 1_000 })
    expect(deep.decode(deep.encode(nested(1_000)))).toEqual(nested(1_000))
  })

  it('never change what objects inherit', () => {
    const body = codec.encode(new Map([['constructor', new Map([['prototype', { polluted: 1 }]])]]))
    codec.decode(body)
    expect(({} as { polluted?: number }).polluted).toBeUndefined()
  })

  it('are left as they are, and without a mark', () => {
    const body = codec.encode({ big: 2 ** 40 })
    const before = [...body]
    codec.decode(body)
    expect([...body]).toEqual(before)
    expect(Object.keys(body)).toEqual(Object.keys(Uint8Array.from(before)))
  })
})
