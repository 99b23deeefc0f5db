import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { msgpack } from './msgpack.ts'

const codec = msgpack()
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')
const unhex = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text.replaceAll(' ', ''), 'hex'))
const roundTrip = (value: unknown): unknown => codec.decode(codec.encode(value))
const withCode = (code: string): unknown => expect.objectContaining({ code, verdict: 'permanent' })

/** Bytes written by hand from the specification, and the value that they are. */
const vectors: readonly (readonly [bytes: string, value: unknown])[] = [
  ['c0', null],
  ['c2', false],
  ['c3', true],
  ['00', 0],
  ['7f', 127],
  ['e0', -32],
  ['ff', -1],
  ['cc ff', 255],
  ['cd 01 00', 256],
  ['ce 00 01 00 00', 65_536],
  ['cf 00 00 00 01 00 00 00 00', 2 ** 32],
  ['cf ff ff ff ff ff ff ff ff', 2n ** 64n - 1n],
  ['d0 80', -128],
  ['d1 80 00', -32_768],
  ['d2 80 00 00 00', -(2 ** 31)],
  ['d3 ff ff ff fe ff ff ff ff', -(2 ** 32) - 1],
  ['d3 80 00 00 00 00 00 00 00', -(2n ** 63n)],
  ['ca 3f c0 00 00', 1.5],
  ['cb 3f b9 99 99 99 99 99 9a', 0.1],
  ['a0', ''],
  ['a3 c3 a9 78', 'éx'],
  ['d9 01 78', 'x'],
  ['da 00 01 78', 'x'],
  ['db 00 00 00 01 78', 'x'],
  ['c4 02 00 ff', Uint8Array.of(0, 255)],
  ['c5 00 01 07', Uint8Array.of(7)],
  ['c6 00 00 00 01 07', Uint8Array.of(7)],
  ['90', []],
  ['93 01 a1 62 c0', [1, 'b', null]],
  ['dc 00 01 05', [5]],
  ['dd 00 00 00 01 05', [5]],
  ['80', {}],
  ['82 a7 63 6f 6d 70 61 63 74 c3 a6 73 63 68 65 6d 61 00', { compact: true, schema: 0 }],
  ['de 00 01 a1 61 01', { a: 1 }],
  ['df 00 00 00 01 a1 61 01', { a: 1 }],
  ['81 07 01', { 7: 1 }],
  ['81 ff 01', { '-1': 1 }],
  ['81 d0 80 01', { '-128': 1 }],
  ['81 cd 01 00 01', { 256: 1 }],
  ['d6 ff 00 00 00 01', new Date(1_000)],
  ['d7 ff 00 3d 09 00 00 00 00 01', new Date(1_001)],
  ['c7 0c ff 00 00 00 00 ff ff ff ff ff ff ff ff', new Date(-1_000)],
]

describe('the MessagePack codec', () => {
  it.each(vectors)('reads %s as the specification has it', (bytes, value) => {
    expect(codec.decode(unhex(bytes))).toStrictEqual(value)
  })

  it.each([
    [{ compact: true, schema: 0 }, '82a7636f6d70616374c3a6736368656d6100'],
    [Date.UTC(2026, 0, 1), 'd30000019b76daa800'],
    [2 ** 32, 'd30000000100000000'],
    [-(2 ** 53) + 1, 'd3ffe0000000000001'],
    [0.5, 'cb3fe0000000000000'],
    [2n ** 64n - 1n, 'cfffffffffffffffff'],
    [Uint8Array.of(1, 2), 'c4020102'],
    [new Date(1_000), 'd6ff00000001'],
    [new Map([[7, 'x']]), '8107a178'],
    [Array.from({ length: 20 }, () => 0), `dc0014${'00'.repeat(20)}`],
    [128, 'cc80'],
    ['é', 'a2c3a9'],
  ])('writes %s as any reader expects it', (value, bytes) => {
    expect(hex(codec.encode(value))).toBe(bytes)
  })

  it('gives back what JSON can say', () => {
    const json = fc.jsonValue().filter((value) => !JSON.stringify(value).includes('__proto__'))
    fc.assert(
      fc.property(json, (value) => {
        expect(roundTrip(value)).toStrictEqual(JSON.parse(JSON.stringify(value)))
      }),
    )
  })

  it('gives back every integer of 64 bits, as a number where that holds it', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 64n - 1n }), (value) => {
        const back = roundTrip([value, { value }]) as [number | bigint, { value: number | bigint }]
        const isSmall = value >= -(2n ** 53n) && value <= 2n ** 53n
        expect(back).toStrictEqual(isSmall ? [Number(value), { value: Number(value) }] : [value, { value }])
      }),
    )
  })

  it('gives back every number but -0', () => {
    fc.assert(
      fc.property(fc.double(), (value) => {
        expect(roundTrip(value)).toBe(value === 0 ? 0 : value)
      }),
    )
  })

  it('gives back every date to the millisecond', () => {
    const anyDate = fc.date({ min: new Date(-8.64e15), max: new Date(8.64e15), noInvalidDate: true })
    fc.assert(
      fc.property(anyDate, (value) => {
        expect(roundTrip({ value })).toStrictEqual({ value })
      }),
    )
  })

  it('gives back bytes, in memory of their own', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 70_000 }), (bytes) => {
        expect(roundTrip(bytes)).toStrictEqual(bytes)
      }),
    )
    const body = codec.encode(Uint8Array.of(1, 2, 3))
    const read = codec.decode(body) as Uint8Array
    body.fill(0)
    expect(read).toStrictEqual(Uint8Array.of(1, 2, 3))
  })

  it('gives back every text, with U+FFFD for half of a surrogate pair, however long the text is', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 100 }), fc.nat(80), (text, repeat) => {
        const whole = `${text}\ud800${'x'.repeat(repeat)}\udfff`
        expect(roundTrip({ whole, text })).toStrictEqual({ whole: whole.toWellFormed(), text: text.toWellFormed() })
      }),
    )
  })

  it('finds bytes wherever they stand, and changes nothing of what it was given', () => {
    const bytes = Uint8Array.of(1)
    const value = { a: [bytes, 0], m: new Map([['b', bytes]]), j: { toJSON: undefined, bytes }, big: { toJSON: 1 } }
    expect(roundTrip(value)).toStrictEqual({ a: [bytes, 0], m: { b: bytes }, j: { bytes }, big: { toJSON: 1 } })
    expect(value.a[0]).toBe(bytes)
    const told = new (class {
      toJSON(): unknown {
        return { bytes }
      }
    })()
    expect(roundTrip([told])).toStrictEqual([{ bytes }])
  })

  it('leaves out properties that are undefined, and keeps the places of an array', () => {
    expect(roundTrip({ a: undefined, b: [1, undefined] })).toStrictEqual({ b: [1, null] })
  })

  it('takes an instance for its properties, or for what its toJSON says', () => {
    class Point {
      readonly x = 1
    }
    expect(roundTrip([new Point(), new URL('http://a.example/'), { toJSON: () => 5 }])).toStrictEqual([
      { x: 1 },
      'http://a.example/',
      5,
    ])
  })

  it('never writes over bytes that it has handed out', () => {
    const texts = Array.from({ length: 5_000 }, (_, n) => `${n}`.padStart((n * 37) % 300, 'ä'))
    const bodies = texts.map((text) => codec.encode(text))
    expect(bodies.map((body) => codec.decode(body))).toEqual(texts)
  })

  const cycle: { self?: unknown } = {}
  cycle.self = cycle
  it.each([
    ['undefined', undefined],
    ['a function', { f: () => 1 }],
    ['a symbol', [Symbol('x')]],
    ['a cycle', cycle],
    ['an integer beyond 64 bits', 2n ** 64n],
    ['a negative integer beyond 64 bits', -(2n ** 63n) - 1n],
    ['an invalid date', new Date(Number.NaN)],
    ['a set', new Set([1])],
    ['a regular expression', /x/],
    ['an error', new Error('x')],
    ['an array of other numbers', new Int32Array(2)],
    ['a buffer without a view', new ArrayBuffer(2)],
    ['the key __proto__', JSON.parse('{"__proto__":{"admin":true}}')],
    ['a map with a key that is no name', new Map([[null, 1]])],
    [
      'a toJSON that throws',
      new (class {
        toJSON(): never {
          throw 'no error at all'
        }
      })(),
    ],
  ])('refuses to write %s, and writes on', (_, value) => {
    expect(() => codec.encode(value)).toThrow(withCode('PAYLOAD_INVALID'))
    expect(roundTrip({ a: 1 })).toEqual({ a: 1 })
  })

  it('has the content type that IANA knows, or one of those from before', () => {
    expect(msgpack().contentType).toBe('application/vnd.msgpack')
    expect(msgpack({ contentType: 'application/x-msgpack' }).contentType).toBe('application/x-msgpack')
  })

  it('refuses wrong options, all at once', () => {
    const options = { contentType: 'text/plain', depthMax: 0, records: true } as unknown as { depthMax: number }
    expect(() => msgpack(options)).toThrow(
      expect.objectContaining({
        code: 'CONFIG_INVALID',
        issues: ['records', 'contentType', 'depthMax'].map((path) => expect.objectContaining({ path })),
      }),
    )
  })
})
