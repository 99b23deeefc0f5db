/** The three types of the language. */
export type Value = string | number | boolean

/** Their names. */
export type Type = 'String' | 'Integer' | 'Boolean'

/** What keeps an expression from having a value. */
export type FailureKind = 'missing-attribute' | 'cast' | 'math' | 'function'

/**
 * Why an expression has no value. Handed on like a value and not thrown: that a message lacks an attribute is nothing
 * unusual, and a throw for each would cost more than the evaluation.
 */
export class Failure {
  readonly kind: FailureKind
  readonly message: string

  constructor(kind: FailureKind, message: string) {
    this.kind = kind
    this.message = message
  }
}

/** What an evaluation comes to. */
export type Result = Value | Failure

/** The type of a value. */
export function typeOf(value: Value): Type {
  return typeof value === 'string' ? 'String' : typeof value === 'number' ? 'Integer' : 'Boolean'
}

/**
 * A value as one of another type.
 * @see https://github.com/cloudevents/spec/blob/main/cesql/spec.md#37-type-casting
 */
export function cast(value: Value, type: Type): Result {
  if (type === 'String') return typeof value === 'string' ? value : String(value)
  return type === 'Integer' ? toInteger(value) : toBoolean(value)
}

const integerPattern = /^[+-]?[0-9]+$/

/** Least and greatest integer. */
export const integerMin = -(2 ** 31)
export const integerMax = 2 ** 31 - 1

function toInteger(value: Value): Result {
  if (typeof value === 'number') return value
  if (typeof value === 'boolean') return value ? 1 : 0
  // Adding 0 makes nothing of a negative zero.
  const number = integerPattern.test(value) ? Number(value) + 0 : Number.NaN
  return number >= integerMin && number <= integerMax ? number : notCast(value, 'Integer')
}

function toBoolean(value: Value): Result {
  if (typeof value === 'boolean') return value
  if (typeof value === 'number') return value !== 0
  const text = value.toLowerCase()
  return text === 'true' || (text !== 'false' && notCast(value, 'Boolean'))
}

const shownMax = 40

function notCast(text: string, type: Type): Failure {
  const shown = text.length > shownMax ? `${text.slice(0, shownMax)}…` : text
  return new Failure('cast', `'${shown}' is no ${type}`)
}
