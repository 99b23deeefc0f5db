import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { type AvroSchema, avro } from './avro.ts'

const record = (...fields: readonly object[]): AvroSchema => ({
  type: 'record',
  name: 'Order',
  namespace: 'shop',
  fields,
})
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')
const optional = (type: AvroSchema): AvroSchema => ['null', type]

const Order = record(
  { name: 'orderNo', type: 'string' },
  { name: 'cents', type: 'long' },
  { name: 'state', type: { type: 'enum', name: 'State', symbols: ['OPEN', 'PAID'] }, default: 'OPEN' },
  { name: 'note', type: optional('string'), default: null },
  { name: 'photo', type: optional('bytes'), default: null },
  { name: 'sum', type: { type: 'fixed', name: 'Sum', size: 2 } },
  { name: 'stock', type: { type: 'map', values: 'int' }, default: {} },
  { name: 'tags', type: { type: 'array', items: 'string' }, default: [] },
  { name: 'ratio', type: 'double' },
  { name: 'parent', type: optional('Order'), default: null },
  { name: 'at', type: { type: 'long', logicalType: 'timestamp-millis' } },
  { name: 'gift', type: 'boolean' },
)
const order = {
  ...{
    orderNo: 'A-1',
    cents: 12_990,
    state: 'PAID',
    note: 'ä',
    photo: Uint8Array.of(0, 255),
    sum: Uint8Array.of(1, 2),
  },
  ...{ stock: { a: 1 }, tags: ['x', 'y'], ratio: 0.5, parent: null, at: 1_800_000_000_000, gift: true },
}
const codec = avro(Order)
/** Records come back as instances of a class of their name, and bytes as buffers. */
const plain = (value: unknown): unknown => {
  if (value instanceof Uint8Array) return Uint8Array.from(value)
  if (Array.isArray(value)) return value.map(plain)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, plain(inner)]))
}
const roundTrip = (value: unknown, of = codec): unknown => plain(of.decode(of.encode(value), of.dataSchema))

describe('the Avro codec', () => {
  it('writes what the specification has as its example', () => {
    const test = {
      type: 'record',
      name: 'test',
      fields: [
        { name: 'a', type: 'long' },
        { name: 'b', type: 'string' },
      ],
    }
    expect(hex(avro(test).encode({ a: 27, b: 'foo' }))).toBe('3606666f6f')
    expect(hex(avro({ type: 'array', items: 'long' }).encode([3, 27]))).toBe('04063600')
    expect(hex(avro(['null', 'string']).encode('a'))).toBe('020261')
  })

  it('gives back every kind of value', () => {
    expect(roundTrip(order)).toStrictEqual(order)
    expect(roundTrip({ ...order, parent: order })).toStrictEqual({ ...order, parent: order })
  })

  it('takes defaults for what is not there', () => {
    const { orderNo, cents, sum, ratio, at, gift } = order
    const rest = { state: 'OPEN', note: null, photo: null, stock: {}, tags: [], parent: null }
    expect(roundTrip({ orderNo, cents, sum, ratio, at, gift })).toEqual({
      orderNo,
      cents,
      sum,
      ratio,
      at,
      gift,
      ...rest,
    })
  })

  it('reads data that a schema can check', () => {
    const schema = z.object({ orderNo: z.string(), photo: z.instanceof(Uint8Array), tags: z.array(z.string()) })
    expect(schema.parse(codec.decode(codec.encode(order)))).toMatchObject({ orderNo: 'A-1', tags: ['x', 'y'] })
  })

  it('gives back every long, as a number where that holds it', () => {
    const long = avro('long')
    fc.assert(
      fc.property(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), (value) => {
        const number = Number(value)
        expect(roundTrip(value, long)).toBe(Number.isSafeInteger(number) ? number : value)
      }),
    )
  })

  it('gives back whatever fits the schema', () => {
    const text = fc.string({ unit: 'grapheme' })
    const any = fc.record({
      orderNo: text,
      cents: fc.maxSafeInteger(),
      state: fc.constantFrom('OPEN', 'PAID'),
      note: fc.option(text),
      photo: fc.option(fc.uint8Array()),
      sum: fc.uint8Array({ minLength: 2, maxLength: 2 }),
      stock: fc.dictionary(
        text.filter((key) => key !== '__proto__'),
        fc.integer(),
        { noNullPrototype: true },
      ),
      tags: fc.array(text),
      ratio: fc.double(),
      at: fc.maxSafeInteger(),
      gift: fc.boolean(),
    })
    fc.assert(
      fc.property(any, (value) => {
        const given = { ...value, parent: null, cents: value.cents || 0, at: value.at || 0 }
        expect(roundTrip(given)).toEqual(given)
      }),
    )
  })

  it('reads and writes unions by what fits, or wrapped where that does not tell', () => {
    const natural = avro(['null', 'int', 'string', { type: 'array', items: 'int' }])
    for (const value of [null, 5, 'x', [1]]) expect(roundTrip(value, natural)).toEqual(value)
    const named = (name: string): AvroSchema => ({ type: 'record', name, fields: [{ name: 'x', type: 'int' }] })
    const wrapped = avro([named('A'), named('B')])
    expect(roundTrip({ B: { x: 1 } }, wrapped)).toEqual({ B: { x: 1 } })
  })

  it('leaves what it was given as it is', () => {
    const before = structuredClone(order)
    codec.encode(order)
    expect(order).toStrictEqual(before)
  })

  it.each([
    ['a field that the schema does not have', { ...order, total: 1 }, ['']],
    ['a field of a wrong type', { ...order, orderNo: 5 }, ['orderNo']],
    ['a missing field', { ...order, gift: undefined }, ['gift']],
    ['a wrong value inside', { ...order, stock: { a: 0.5 }, tags: ['x', 5] }, ['stock.a', 'tags.1']],
    ['a long that is not exact', { ...order, cents: 2 ** 53 }, ['cents']],
    ['a long that is too big', { ...order, cents: 2n ** 63n }, ['cents']],
    ['a fixed of another size', { ...order, sum: Uint8Array.of(1) }, ['sum']],
    ['nothing', undefined, ['']],
  ])('refuses to write %s', (_, value, paths) => {
    const issues = paths.map((path) => expect.objectContaining({ path }))
    expect(() => codec.encode(value)).toThrow(expect.objectContaining({ code: 'PAYLOAD_INVALID', issues }))
  })

  const cycle: { parent?: unknown } = { ...order }
  cycle.parent = cycle
  it.each([
    ['a cycle', cycle],
    ['a Map for a map', { ...order, stock: new Map([['a', 1]]) }],
    ['other numbers for bytes', { ...order, photo: new Int32Array(1) }],
    ['the key __proto__', { ...order, stock: JSON.parse('{"__proto__":1}') }],
  ])('refuses to write %s', (_, value) => {
    expect(() => codec.encode(value)).toThrow(expect.objectContaining({ code: 'PAYLOAD_INVALID' }))
    expect(roundTrip(order)).toStrictEqual(order)
  })

  it('refuses wrong options, all at once', () => {
    const options = { contentType: 'text/plain', dataSchema: 'no uri', rows: 1, writers: ['string', 'nonsense'] }
    expect(() => avro({ type: 'record' }, options as never)).toThrow(
      expect.objectContaining({
        code: 'CONFIG_INVALID',
        issues: ['rows', 'contentType', 'schema', 'dataSchema', 'writers.1'].map((path) =>
          expect.objectContaining({ path }),
        ),
      }),
    )
    expect(() => avro('string', { writers: { 'urn:a': 'int' } })).toThrow(/urn:a cannot be read/)
    expect(() => avro('string', { writers: { a: 'string' } })).toThrow(/absolute URI/)
  })
})

describe('versions of a schema', () => {
  const older = record({ name: 'orderNo', type: 'string' }, { name: 'cents', type: 'int' })
  const newer = record(
    { name: 'orderNo', type: 'string' },
    { name: 'total', aliases: ['cents'], type: 'long' },
    { name: 'currency', type: 'string', default: 'EUR' },
  )
  const oldBody = avro(older).encode({ orderNo: 'A-1', cents: 5 })
  const oldName = avro(older).dataSchema!

  it('have names that follow from what matters to the bytes', () => {
    const sha256 = createHash('sha256').update('"string"').digest('base64url')
    expect(avro('string').dataSchema).toBe(`ni:///sha-256;${sha256}`)
    expect(avro({ type: 'string', doc: 'a text' }).dataSchema).toBe(avro('string').dataSchema)
    expect(avro(newer).dataSchema).not.toBe(oldName)
  })

  it('let a newer reader read what an older one wrote', () => {
    expect(avro(newer, { writers: [older] }).decode(oldBody, oldName)).toEqual({
      ...{ orderNo: 'A-1', total: 5, currency: 'EUR' },
    })
  })

  it('let an older reader read what a newer one wrote, once it knows the schema', () => {
    const renamed = record(
      { name: 'orderNo', type: 'string' },
      { name: 'cents', type: 'int' },
      { name: 'tax', type: 'int' },
    )
    const body = avro(renamed).encode({ orderNo: 'A-2', cents: 7, tax: 1 })
    expect(avro(older, { writers: [renamed] }).decode(body, avro(renamed).dataSchema)).toEqual({
      orderNo: 'A-2',
      cents: 7,
    })
  })

  it('are read by names of others', () => {
    const uri = 'https://registry.example/schemas/ids/7'
    const reader = avro(newer, { writers: { [uri]: older }, dataSchema: 'https://registry.example/schemas/ids/8' })
    expect(reader.dataSchema).toBe('https://registry.example/schemas/ids/8')
    expect(reader.decode(oldBody, uri)).toMatchObject({ total: 5 })
    const own = { orderNo: 'A', total: 1, currency: 'CHF' }
    expect(reader.decode(reader.encode(own))).toEqual(own)
    expect(reader.decode(reader.encode(own), avro(newer).dataSchema)).toEqual(own)
  })

  it('are refused where they are not known, with what to do', () => {
    expect(() => avro(newer).decode(oldBody, oldName)).toThrow(
      expect.objectContaining({ code: 'BODY_MALFORMED', remedy: expect.stringContaining('writers') }),
    )
  })
})
