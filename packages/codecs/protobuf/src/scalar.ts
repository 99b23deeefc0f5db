import { type DescEnum, type DescField, ScalarType } from '@bufbuild/protobuf'

/** What is wrong with a value of a field, or undefined. Completes the sentence "x …". */
export type ScalarCheck = (value: unknown) => string | undefined

const is = (holds: (value: unknown) => boolean, expected: string): ScalarCheck => {
  return (value) => (holds(value) ? undefined : `must be ${expected}`)
}

const wholeWithin = (min: number, max: number): ScalarCheck =>
  is(
    (value) => Number.isInteger(value) && (value as number) >= min && (value as number) <= max,
    `a whole number from ${min} to ${max}`,
  )

const longWithin = (min: bigint, max: bigint): ScalarCheck =>
  is((value) => {
    if (typeof value !== 'bigint' && !Number.isSafeInteger(value)) return false
    const long = BigInt(value as number | bigint)
    return long >= min && long <= max
  }, `a bigint from ${min} to ${max}, or a whole number that is exact`)

const text = is((value) => typeof value === 'string' && value.isWellFormed(), 'text without halves of surrogate pairs')
const truth = is((value) => typeof value === 'boolean', 'true or false')
const bytes = is((value) => value instanceof Uint8Array, 'a Uint8Array')
const number = is((value) => typeof value === 'number', 'a number')
const floatMax = 3.4028234663852886e38
const float = is(
  (value) => typeof value === 'number' && !(Math.abs(value) > floatMax && Number.isFinite(value)),
  'a number that fits 32 bits',
)
const int32 = wholeWithin(-(2 ** 31), 2 ** 31 - 1)
const uint32 = wholeWithin(0, 2 ** 32 - 1)
const int64 = longWithin(-(2n ** 63n), 2n ** 63n - 1n)
const uint64 = longWithin(0n, 2n ** 64n - 1n)

const checks: Readonly<Record<ScalarType, ScalarCheck>> = {
  [ScalarType.DOUBLE]: number,
  [ScalarType.FLOAT]: float,
  [ScalarType.INT64]: int64,
  [ScalarType.UINT64]: uint64,
  [ScalarType.INT32]: int32,
  [ScalarType.FIXED64]: uint64,
  [ScalarType.FIXED32]: uint32,
  [ScalarType.BOOL]: truth,
  [ScalarType.STRING]: text,
  [ScalarType.BYTES]: bytes,
  [ScalarType.UINT32]: uint32,
  [ScalarType.SFIXED32]: int32,
  [ScalarType.SFIXED64]: int64,
  [ScalarType.SINT32]: int32,
  [ScalarType.SINT64]: int64,
}

const whole = /^-?\d{1,20}$/
const longTypes: ReadonlySet<ScalarType> = new Set([
  ScalarType.INT64,
  ScalarType.UINT64,
  ScalarType.FIXED64,
  ScalarType.SFIXED64,
  ScalarType.SINT64,
])

/** The library writes much that it is given as something else (5 as text, text as true); this does not let it. */
export function scalarCheck(type: ScalarType, longAsString = false): ScalarCheck {
  if (!longAsString || !longTypes.has(type)) return checks[type]
  return (value) => (typeof value === 'string' && whole.test(value) ? checks[type](BigInt(value)) : 'must be digits')
}

/** Open enums (proto3) take any number of 32 bits, closed ones those they name. */
export function enumCheck(desc: DescEnum): ScalarCheck {
  if (desc.open) return int32
  const numbers = new Set<unknown>(desc.values.map((value) => value.number))
  return is((value) => numbers.has(value), `a number of the enum ${desc.typeName}`)
}

/** Keys of a map are names of properties, whatever they are on the wire. */
export function mapKeyCheck(field: DescField & { readonly fieldKind: 'map' }): (key: string) => string | undefined {
  const check = scalarCheck(field.mapKey)
  if (field.mapKey === ScalarType.STRING) return check
  if (field.mapKey === ScalarType.BOOL) return is((key) => key === 'true' || key === 'false', 'true or false')
  const parse = longTypes.has(field.mapKey) ? BigInt : Number
  return (key) => (whole.test(key) ? check(parse(key)) : 'must be a whole number')
}
