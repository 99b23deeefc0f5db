import { createHash } from 'node:crypto'
import avsc from 'avsc'

/** A schema in Avro's JSON, parsed: the name of a type, a complex type, or an array of them for a union. */
export type AvroSchema = string | Readonly<Record<string, unknown>> | readonly AvroSchema[]

/** A type of the library. */
export type AvroType = avsc.Type

/** Longs as numbers where a number holds them exactly, and as `bigint` where not. */
const longs = avsc.types.LongType.__with({
  fromBuffer(bytes: Buffer) {
    const value = bytes.readBigInt64LE()
    const number = Number(value)
    return Number.isSafeInteger(number) ? number : value
  },
  toBuffer(value: number | bigint) {
    const bytes = Buffer.alloc(8)
    bytes.writeBigInt64LE(BigInt(value))
    return bytes
  },
  isValid: (value: unknown) =>
    typeof value === 'bigint' ? BigInt.asIntN(64, value) === value : Number.isSafeInteger(value),
  fromJSON: (value: unknown) => value,
  toJSON: (value: unknown) => value,
  compare: (one: number | bigint, other: number | bigint) => (one < other ? -1 : Number(one > other)),
})

/** The library's own longs are wrong by one, or in their sign, from 2^52; and a registry would not reach logical types. */
function longHook(schema: avsc.Schema): AvroType | undefined {
  const isLong = schema === 'long' || (typeof schema === 'object' && 'type' in schema && schema.type === 'long')
  return isLong ? longs : undefined
}

/**
 * Logical types are what they stand on: dates are numbers, decimals bytes.
 * @throws Error when it is no schema
 */
export function typeOf(schema: AvroSchema): AvroType {
  return avsc.Type.forSchema(schema as avsc.Schema, { typeHook: longHook, omitRecordMethods: true })
}

/**
 * Names a schema by the SHA-256 of its canonical form, as a URI: schemas that only differ in what does not matter to the bytes
 * have one name.
 *
 * @see https://avro.apache.org/docs/1.12.0/specification/#schema-fingerprints
 * @see RFC 6920, Naming Things with Hashes
 */
export function dataSchemaOf(type: AvroType): string {
  return `ni:///sha-256;${createHash('sha256').update(JSON.stringify(type.schema())).digest('base64url')}`
}

/** What the walk asks of types, which the library's own declarations leave out. */
export interface TypeParts {
  readonly typeName: string
  readonly fields: readonly { readonly type: AvroType }[]
  readonly types: readonly AvroType[]
  readonly itemsType: AvroType
  readonly valuesType: AvroType
  readonly underlyingType: AvroType
  readonly symbols: readonly string[]
  readonly size: number
}
