import { type Filter, PosthasteError, type Schema } from '@posthaste/contracts'
import { andThen, attempt } from '../pipeline/maybe-promise.ts'
import { validateWith } from '../pipeline/validation.ts'

/**
 * The caller's check: lets inputs pass that fit the schema, as they are. The callee applies the schema itself, and its
 * transformations must happen once.
 */
export function inputCheck(schema: Schema): Filter {
  return {
    role: 'validation',
    describe: () => ({ role: 'validation', vendor: schema['~standard'].vendor }),
    apply: (call, next) => andThen(validateWith(schema, call.payload, `the input of ${call.target}`), () => next(call)),
  }
}

/**
 * Passes what the output's schema makes of an answer. Where an answer is made, fields the contract does not know are
 * dropped before they leave; where it arrives from outside, nothing else is let in. An answer that does not fit is
 * INTERNAL, because its caller can do nothing about it.
 */
export function outputCheck(schema: Schema): Filter {
  return {
    role: 'output',
    describe: () => ({ role: 'output', vendor: schema['~standard'].vendor }),
    apply: (call, next) => andThen(next(call), (output) => checked(schema, output, call.target)),
  }
}

/** In the type it came with: whoever sets a stack up pairs schema and service. */
function checked<R>(schema: Schema, output: R, target: string): R | PromiseLike<R> {
  return attempt(
    () => validateWith(schema, output, `the output of ${target}`) as R | PromiseLike<R>,
    (valid) => valid,
    (cause) => {
      throw new PosthasteError('INTERNAL', `the output of '${target}' does not fit its contract`, { cause })
    },
  )
}
