import { PosthasteError } from '@posthaste/contracts'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type AvroSchema, avro } from './avro.ts'

const unhex = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text.replaceAll(' ', ''), 'hex'))
const malformed = expect.objectContaining({ code: 'BODY_MALFORMED', verdict: 'permanent' })
const array = (items: AvroSchema): AvroSchema => ({ type: 'array', items })
const map = (values: AvroSchema): AvroSchema => ({ type: 'map', values })
const list: AvroSchema = { type: 'record', name: 'L', fields: [{ name: 'next', type: ['null', 'L'], default: null }] }
const endless: AvroSchema = { type: 'record', name: 'E', fields: [{ name: 'e', type: 'E' }] }
const everything: AvroSchema = {
  type: 'record',
  name: 'Everything',
  fields: ['null', 'boolean', 'int', 'long', 'float', 'double', 'bytes', 'string']
    .map((type, index) => ({ name: `f${index}`, type: array(type) as AvroSchema }))
    .concat([
      { name: 'm', type: map(['null', 'string', list]) },
      { name: 'e', type: { type: 'enum', name: 'En', symbols: ['A', 'B'] } },
      { name: 'x', type: { type: 'fixed', name: 'F', size: 3 } },
    ]),
}

describe('bytes from elsewhere', () => {
  it.each<[string, AvroSchema, string]>([
    ['an array of 2 billion nulls', array('null'), 'fe ff ff ff 0f 00'],
    ['an array of 2^62 nulls in a block that says its size', array('null'), 'ff ff ff ff ff ff ff ff 7f 00 00'],
    ['many arrays of nulls', array(array('null')), `c8 01 ${'80 89 7a 00'.repeat(100)} 00`],
    ['an array of 2 billion empty records', array({ type: 'record', name: 'R', fields: [] }), 'fe ff ff ff 0f 00'],
    ['an array of 2 billion longs', array('long'), 'fe ff ff ff 0f 02'],
    ['a map of 2 billion', map('null'), 'fe ff ff ff 0f 02 61'],
    ['a text of 2 GiB', 'string', 'fe ff ff ff 0f 61'],
    ['bytes of a negative length', 'bytes', '01'],
    ['a text of 2^62 bytes', 'string', 'fe ff ff ff ff ff ff ff 7f'],
    ['a number without end', 'long', 'ff ff ff ff ff ff ff ff ff ff ff'],
    ['an int of more than 32 bits', 'int', 'fe ff ff ff 1f'],
    ['a number that ends too early', 'long', '80'],
    ['a double that ends too early', 'double', '00 00'],
    ['a boolean that is neither', 'boolean', '02'],
    ['a branch that there is not', ['null', 'string'], '04'],
    ['a negative branch', ['null', 'string'], '01'],
    ['a symbol that there is not', { type: 'enum', name: 'E', symbols: ['A'] }, '02'],
    ['a text that is no UTF-8', 'string', '04 c3 28'],
    ['the key __proto__', map('int'), '02 12 5f 5f 70 72 6f 74 6f 5f 5f 02 00'],
    ['an array without an end', array('long'), '02 02'],
    ['a block that is longer than it says', array('long'), '01 04 02 00'],
    ['more than the value', 'int', '02 02'],
    ['nothing where something is expected', 'int', ''],
    ['a list of 100,000', list, '02'.repeat(100_000)],
    ['a record that holds itself', endless, '00'],
  ])('are refused: %s', (_, schema, bytes) => {
    expect(() => avro(schema).decode(unhex(bytes))).toThrow(malformed)
  })

  it('are refused by the schema that wrote them, and not by the reader’s', () => {
    const reader = avro('double', { writers: ['int'] })
    expect(reader.decode(unhex('02'), avro('int').dataSchema)).toBe(1)
    expect(() => reader.decode(unhex('00 00'), avro('int').dataSchema)).toThrow(malformed)
  })

  it('may come in blocks of any kind', () => {
    expect(avro(array('long')).decode(unhex('02 02 01 02 04 00'))).toEqual([1, 2])
  })

  it('may be nested and empty as far as what is written may be, and no further', () => {
    const nested = (depth: number): object => ({ next: depth === 1 ? null : nested(depth - 1) })
    const codec = avro(list)
    expect(codec.decode(codec.encode(nested(128)))).toEqual(nested(128))
    expect(() => codec.encode(nested(129))).toThrow(expect.objectContaining({ code: 'PAYLOAD_INVALID' }))
    const siblings = Array.from({ length: 200 }, () => ({ next: { next: null } }))
    const many = avro(array(list))
    expect(many.decode(many.encode(siblings))).toEqual(siblings)
    const nulls = avro(array('null'))
    const most = Array.from({ length: 65_536 }, () => null)
    expect(nulls.decode(nulls.encode(most))).toEqual(most)
    expect(() => nulls.encode([...most, null])).toThrow(expect.objectContaining({ code: 'PAYLOAD_INVALID' }))
  })

  it('are read or refused as malformed, whatever they are', () => {
    const codec = avro(everything)
    const sound = codec.encode({
      ...{
        f0: [null],
        f1: [true],
        f2: [1, -1],
        f3: [2 ** 40, 2n ** 60n],
        f4: [0.5],
        f5: [0.1],
        f6: [Uint8Array.of(1)],
      },
      ...{ f7: ['ä', ''], m: { a: null, b: 'x', c: { next: { next: null } } }, e: 'B', x: Uint8Array.of(1, 2, 3) },
    })
    const changed = fc
      .tuple(fc.nat(sound.length - 1), fc.nat(255))
      .map(([at, byte]) => Uint8Array.from(sound).with(at, byte))
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 100 }), changed), (body) => {
        try {
          codec.decode(body)
        } catch (error) {
          if (!PosthasteError.is(error, 'BODY_MALFORMED')) throw error
        }
      }),
      { numRuns: 2_000 },
    )
    for (let end = 0; end < sound.length; end++) expect(() => codec.decode(sound.subarray(0, end))).toThrow(malformed)
  })
})
