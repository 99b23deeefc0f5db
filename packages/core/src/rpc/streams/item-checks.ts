import { type Filter, PosthasteError, type Schema } from '@posthaste/contracts'
import { andThen, attempt } from '../../pipeline/maybe-promise.ts'
import { validateWith } from '../../pipeline/validation.ts'
import { type ItemCheck, ItemStream } from './item-stream.ts'

/** The caller's check of each item: those that fit the schema pass as they are, since the callee applies the schema itself. */
export function inputItemsCheck(schema: Schema): Filter {
  return inputFilter(schema, (item, index, what) => andThen(validItem({ schema, what }, item, index), () => item))
}

/** The callee's check of each item: passes what the schema makes of it. */
export function inputItemsValidation(schema: Schema): Filter {
  return inputFilter(schema, (item, index, what) => validItem({ schema, what }, item, index))
}

/** Passes what the output's schema makes of each item; one that does not fit fails the stream as INTERNAL. */
export function outputItemsCheck(schema: Schema): Filter {
  return {
    role: 'output',
    describe: () => ({ role: 'output', vendor: schema['~standard'].vendor, each: 'item' }),
    apply: (call, next) => {
      const what = `the output of ${call.target}`
      const check: ItemCheck = (item, index) =>
        attempt(
          () => validItem({ schema, what }, item, index),
          (valid) => valid,
          (cause) => {
            const message = `the output of '${call.target}' does not fit its contract in item ${index}`
            throw new PosthasteError('INTERNAL', message, { cause })
          },
        )
      return andThen(next(call), (output) => (output instanceof ItemStream ? output.check(check) : output))
    },
  }
}

function inputFilter(
  schema: Schema,
  check: (item: unknown, index: number, what: string) => ReturnType<ItemCheck>,
): Filter {
  return {
    role: 'validation',
    describe: () => ({ role: 'validation', vendor: schema['~standard'].vendor, each: 'item' }),
    apply(call, next) {
      const what = `the input of ${call.target}`
      if (call.payload instanceof ItemStream) call.payload.check((item, index) => check(item, index, what))
      return next(call)
    },
  }
}

interface Expected {
  readonly schema: Schema
  readonly what: string
}

/** @throws PAYLOAD_INVALID with the item's place in front of each issue's path */
function validItem({ schema, what }: Expected, item: unknown, index: number): ReturnType<ItemCheck> {
  return attempt(
    () => validateWith(schema, item, what),
    (valid) => valid,
    (thrown) => {
      if (!PosthasteError.is(thrown, 'PAYLOAD_INVALID')) throw thrown
      const issues = thrown.issues.map(({ path, message }) => ({
        path: path === '' ? String(index) : `${index}.${path}`,
        message,
      }))
      const told = issues.map(({ path, message }) => `${path}: ${message}`).join('; ')
      throw new PosthasteError('PAYLOAD_INVALID', `${what}: ${told}`, { issues })
    },
  )
}
