import { create, createFileRegistry, type DescMessage, type MessageInitShape, toBinary } from '@bufbuild/protobuf'
import {
  type FieldDescriptorProtoSchema,
  type FileDescriptorProtoSchema,
  FileDescriptorSetSchema,
  file_google_protobuf_struct,
  file_google_protobuf_timestamp,
  file_google_protobuf_wrappers,
  FieldDescriptorProto_Label as Label,
  FieldDescriptorProto_Type as Type,
} from '@bufbuild/protobuf/wkt'
import { PosthasteError } from '@posthaste/contracts'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { protobuf } from './protobuf.ts'

type Field = MessageInitShape<typeof FieldDescriptorProtoSchema>

/** What protoc would have read from a file, built here, so that no test needs protoc. */
function schemaOf(file: MessageInitShape<typeof FileDescriptorProtoSchema>, name: string): DescMessage {
  const known = [file_google_protobuf_struct, file_google_protobuf_timestamp, file_google_protobuf_wrappers]
  const all = [...known.map((each) => each.proto), { name: 'test.proto', package: 'test', syntax: 'proto3', ...file }]
  return createFileRegistry(create(FileDescriptorSetSchema, { file: all })).getMessage(`test.${name}`)!
}

const field = (name: string, number: number, kind: Type | Field): Field => {
  const more = typeof kind === 'object' ? kind : { type: kind }
  return { name, number, label: Label.OPTIONAL, jsonName: name, ...more }
}
const many = { label: Label.REPEATED }
const message = (typeName: string, more: Field = {}): Field => ({ type: Type.MESSAGE, typeName, ...more })

const entry = (name: string, value: Field) => ({
  name,
  options: { mapEntry: true },
  field: [field('key', 1, Type.STRING), value],
})

const Order = schemaOf(
  {
    dependency: ['google/protobuf/struct.proto', 'google/protobuf/timestamp.proto', 'google/protobuf/wrappers.proto'],
    enumType: [{ name: 'State', value: ['OPEN', 'PAID'].map((name, number) => ({ name, number })) }],
    messageType: [
      {
        name: 'Order',
        field: [
          field('orderNo', 1, Type.STRING),
          field('cents', 2, Type.INT64),
          field('state', 3, { type: Type.ENUM, typeName: '.test.State' }),
          field('note', 4, { type: Type.STRING, proto3Optional: true, oneofIndex: 1 }),
          field('photo', 5, Type.BYTES),
          field('items', 6, message('.test.Item', many)),
          field('card', 7, { type: Type.STRING, oneofIndex: 0 }),
          field('voucher', 8, message('.test.Item', { oneofIndex: 0 })),
          field('stock', 9, message('.test.Order.StockEntry', many)),
          field('weight', 10, Type.FLOAT),
          field('at', 11, message('.google.protobuf.Timestamp')),
          field('limit', 12, message('.google.protobuf.Int32Value')),
          field('extra', 13, message('.google.protobuf.Struct')),
          field('parts', 14, message('.test.Item', many)),
          field('size', 16, message('.google.protobuf.Int32Value', { oneofIndex: 0 })),
          field('ids', 15, { type: Type.UINT64, ...many }),
        ],
        nestedType: [entry('StockEntry', field('value', 2, Type.UINT32))],
        oneofDecl: [{ name: 'paid' }, { name: '_note' }],
      },
      {
        name: 'Item',
        field: [
          field('sku', 1, Type.STRING),
          field('count', 2, Type.INT32),
          field('inner', 3, message('.test.Item')),
          field('tags', 4, message('.test.Item.TagsEntry', many)),
        ],
        nestedType: [entry('TagsEntry', field('value', 2, message('.test.Item')))],
      },
    ],
  },
  'Order',
)

const codec = protobuf(Order)
const empty = {
  ...{ orderNo: '', cents: 0n, state: 0, photo: new Uint8Array(0), items: [], paid: { case: undefined }, stock: {} },
  ...{ weight: 0, parts: [], ids: [] },
}
const item = { sku: 'S', count: 2, tags: {} }
const full = {
  ...{ orderNo: 'A-1', cents: 2n ** 60n, state: 1, note: '', photo: Uint8Array.of(0, 255), items: [item, item] },
  ...{ paid: { case: 'voucher', value: item }, stock: { a: 1, __b: 4_000_000_000 }, weight: 0.5, limit: 7 },
  ...{
    at: { seconds: -1n, nanos: 5 },
    extra: { any: ['json', null, { deep: true }] },
    parts: [],
    ids: [2n ** 64n - 1n],
  },
}
const roundTrip = (value: unknown): unknown => codec.decode(codec.encode(value))
const invalid = (...paths: readonly string[]): unknown =>
  expect.objectContaining({
    code: 'PAYLOAD_INVALID',
    issues: paths.map((path) => expect.objectContaining({ path })),
  })

describe('the protobuf codec', () => {
  it('writes what any protobuf reader reads', () => {
    // From the encoding guide: field 1 as length-delimited, field 2 as varint.
    expect([...codec.encode({ orderNo: 'hi', cents: 150n })]).toEqual([0x0a, 2, 0x68, 0x69, 0x10, 0x96, 0x01])
    expect(codec.contentType).toBe('application/protobuf')
  })

  it('gives back every kind of field as plain data', () => {
    expect(roundTrip(full)).toStrictEqual(full)
  })

  it('fills in what was not set, and leaves out what says whether it is set', () => {
    expect(roundTrip({})).toStrictEqual(empty)
    expect(roundTrip({ note: undefined, at: null, paid: { case: undefined } })).toStrictEqual(empty)
    expect(roundTrip({ note: '' })).toStrictEqual({ ...empty, note: '' })
  })

  it('reads data that a schema can check', () => {
    const schema = z.object({
      orderNo: z.string(),
      cents: z.bigint(),
      paid: z.discriminatedUnion('case', [
        z.object({ case: z.literal('card'), value: z.string() }),
        z.object({ case: z.undefined() }),
      ]),
    })
    const order = { orderNo: 'A-1', cents: 5n, paid: { case: 'card', value: 'visa' } }
    expect(schema.parse(roundTrip(order))).toEqual(order)
    expect(schema.parse(roundTrip(schema.parse(roundTrip({}))))).toMatchObject({ paid: { case: undefined } })
  })

  it('has wrappers as messages in a oneof, as the library has them', () => {
    const paid = { case: 'size', value: { value: 7 } }
    expect(roundTrip({ paid })).toMatchObject({ paid })
  })

  it('leaves out fields with presence that are not set, whatever their default', () => {
    const Older = schemaOf(
      { syntax: 'proto2', messageType: [{ name: 'P', field: [{ ...field('n', 1, Type.INT32), defaultValue: '5' }] }] },
      'P',
    )
    const proto2 = protobuf(Older)
    expect(proto2.decode(proto2.encode({}))).toStrictEqual({})
    expect(proto2.decode(proto2.encode({ n: 5 }))).toStrictEqual({ n: 5 })
  })

  it('takes whole numbers for 64 bits and gives back bigint', () => {
    expect(roundTrip({ cents: 12, ids: [1] })).toMatchObject({ cents: 12n, ids: [1n] })
  })

  it('takes messages that the library made', () => {
    const made = create(Order, { orderNo: 'A-1', extra: { a: 1 } } as never)
    expect(roundTrip(made)).toMatchObject({ orderNo: 'A-1', extra: { a: 1 } })
  })

  it('gives back whatever fits the message', () => {
    const name = fc.string({ unit: 'grapheme' })
    const anItem = fc.record({ sku: name, count: fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }) })
    const order = fc.record({
      orderNo: name,
      cents: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
      state: fc.integer({ min: 0, max: 9 }),
      photo: fc.uint8Array(),
      items: fc.array(anItem),
      stock: fc.dictionary(name, fc.integer({ min: 0, max: 2 ** 32 - 1 })),
      weight: fc.float().filter((value) => value !== 0),
      ids: fc.array(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n })),
    })
    fc.assert(
      fc.property(order, (value) => {
        const items = value.items.map((each) => ({ ...each, tags: {} }))
        expect(roundTrip(value)).toEqual({ ...empty, ...value, items })
      }),
    )
  })

  it('has bytes in memory of their own', () => {
    const body = codec.encode({ photo: Uint8Array.of(1, 2) })
    const { photo } = codec.decode(body) as { photo: Uint8Array }
    body.fill(0)
    expect(photo).toStrictEqual(Uint8Array.of(1, 2))
  })

  it('keeps names of a map that objects have a meaning for', () => {
    const stock = JSON.parse('{"__proto__":1,"constructor":2}')
    expect(Object.entries((roundTrip({ stock }) as typeof full).stock)).toEqual([
      ['__proto__', 1],
      ['constructor', 2],
    ])
    const extra = { $typeName: 'google.protobuf.Struct', a: 1 }
    expect(roundTrip({ extra })).toMatchObject({ extra })
  })

  it.each([
    ['something else than an object', 'x', ['']],
    ['nothing', undefined, ['']],
    ['a property that is no field', { orderNo: 'A', ordeNo: 'B' }, ['ordeNo']],
    ['a property that is no field of an inner message', { items: [{ sku: 'S', price: 1 }] }, ['items.0.price']],
    ['a number for text, and text for a number', { orderNo: 5, weight: '1' }, ['orderNo', 'weight']],
    ['a fraction for a whole number', { state: 0.5 }, ['state']],
    ['a number that is too big', { items: [{ count: 2 ** 31 }], stock: { a: -1 } }, ['items.0.count', 'stock.a']],
    ['a number that is not exact', { cents: 2 ** 53 }, ['cents']],
    ['a bigint that is too big', { ids: [2n ** 64n] }, ['ids.0']],
    ['a float that is too big', { weight: 1e39 }, ['weight']],
    ['bytes that are none', { photo: 'x' }, ['photo']],
    ['half of a surrogate pair', { orderNo: '\ud800' }, ['orderNo']],
    ['no list for a list', { items: {} }, ['items']],
    ['null in a list', { ids: [null] }, ['ids.0']],
    ['a Map for a map', { stock: new Map([['a', 1]]) }, ['stock']],
    ['a Date for a timestamp', { at: new Date(0) }, ['at']],
    ['a wrapper that is not what it wraps', { limit: { value: 1 } }, ['limit']],
    ['a case that there is not', { paid: { case: 'cash', value: 1 } }, ['paid']],
    ['a case without its value', { paid: { case: 'card' } }, ['paid.value']],
    ['a value without its case', { paid: { value: 'visa' } }, ['paid']],
    ['a oneof with more than a case and a value', { paid: { case: 'card', value: 'visa', cvc: 1 } }, ['paid']],
    ['a oneof that is none', { paid: 'visa' }, ['paid']],
    ['no object for a struct', { extra: 'x' }, ['extra']],
  ])('refuses to write %s', (_, value, paths) => {
    expect(() => codec.encode(value)).toThrow(invalid(...paths))
  })

  it('refuses to write a struct of what is no JSON, and a cycle', () => {
    expect(() => codec.encode({ extra: { a: 1n } })).toThrow(invalid('extra'))
    const nested = (depth: number): object => (depth === 1 ? {} : { a: nested(depth - 1) })
    expect(roundTrip({ extra: nested(50) })).toMatchObject({ extra: nested(50) })
    expect(() => codec.encode({ extra: nested(51) })).toThrow(invalid('extra'))
    const leaf = (depth: number): object => ({ a: depth === 1 ? 1 : leaf(depth - 1) })
    expect(roundTrip({ extra: leaf(49) })).toMatchObject({ extra: leaf(49) })
    expect(() => codec.encode({ extra: leaf(50) })).toThrow(invalid('extra'))
    expect(() => codec.encode({ extra: { a: Number.NaN } })).toThrow(invalid('extra'))
    const cycle: { inner?: unknown } = {}
    cycle.inner = cycle
    expect(() => codec.encode({ items: [cycle] })).toThrow(invalid(`items.0${'.inner'.repeat(99)}`))
  })

  it('refuses wrong options, all at once', () => {
    expect(() => protobuf({} as DescMessage, { contentType: 'text/plain', json: true } as never)).toThrow(
      expect.objectContaining({
        code: 'CONFIG_INVALID',
        issues: ['json', 'schema', 'contentType'].map((path) => expect.objectContaining({ path })),
      }),
    )
  })
})

describe('versions of a message', () => {
  const version = (...fields: readonly Field[]) =>
    protobuf(schemaOf({ messageType: [{ name: 'V', field: [...fields] }] }, 'V'))
  const older = version(field('sku', 1, Type.STRING), field('count', 2, Type.INT32))
  const newer = version(field('sku', 1, Type.STRING), field('amount', 2, Type.INT32), field('unit', 3, Type.STRING))

  it('are known by their numbers, so that a newer reader reads what an older one wrote', () => {
    expect(newer.decode(older.encode({ sku: 'S', count: 3 }))).toEqual({ sku: 'S', amount: 3, unit: '' })
  })

  it('may have fields more, which an older reader drops', () => {
    expect(older.decode(newer.encode({ sku: 'S', amount: 3, unit: 'kg' }))).toEqual({ sku: 'S', count: 3 })
  })
})

describe('bytes from elsewhere', () => {
  const malformed = expect.objectContaining({ code: 'BODY_MALFORMED', verdict: 'permanent' })

  it.each([
    ['a text that ends too early', [0x0a, 5, 0x68]],
    ['a text of 4 GiB', [0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f, 0x68]],
    ['a text that is no UTF-8', [0x0a, 1, 0xff]],
    ['a varint without end', [0x10, ...Array.from({ length: 20 }, () => 0xff)]],
    ['the field 0', [0x00, 0x01]],
    ['a wire type that there is not', [0x0f, 0x01]],
    ['a list of numbers that ends too early', [0x7a, 100, 1]],
    ['a message that ends too early', [0x32, 100, 0x0a]],
    ['a group without end', [0x0b, 0x0b]],
  ])('are refused: %s', (_, bytes) => {
    expect(() => codec.decode(Uint8Array.from(bytes))).toThrow(malformed)
  })

  it('may be nested 100 deep and no deeper', () => {
    const Item = Order.fields.find(({ name }) => name === 'items')!.message!
    const nested = (depth: number): object => (depth === 1 ? {} : { inner: nested(depth - 1) })
    const itemCodec = protobuf(Item)
    expect(itemCodec.decode(itemCodec.encode(nested(100)))).toMatchObject(nested(100))
    const tooDeep = toBinary(Item, create(Item, nested(101) as Record<string, unknown>))
    expect(() => itemCodec.decode(tooDeep)).toThrow(malformed)
  })

  it('are read or refused as malformed, whatever they are', () => {
    const sound = codec.encode(full)
    const changed = fc.tuple(fc.nat(sound.length - 1), fc.nat(255)).map(([at, byte]) => sound.with(at, byte))
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
  })
})
