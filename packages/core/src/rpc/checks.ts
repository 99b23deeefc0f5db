import { type Call, type Filter, PosthasteError, type Schema } from '@posthaste/contracts'
import { type Continuation, continueWith } from '../pipeline/continuation.ts'
import { isPromiseLike } from '../pipeline/maybe-promise.ts'
import { validateWith } from '../pipeline/validation.ts'

/**
 * The caller's check: lets inputs pass that fit the schema, as they are. The callee applies the schema itself, and its
 * transformations must happen once.
 */
export function inputCheck(schema: Schema): Filter {
  return {
    role: 'validation',
    describe: () => ({ role: 'validation', vendor: schema['~standard'].vendor }),
    apply(call, next) {
      const valid = validateWith(schema, call.payload, `the input of ${call.target}`)
      return isPromiseLike(valid) ? valid.then(() => next(call)) : next(call)
    },
  }
}

/**
 * Passes what the output's schema makes of an answer. Where an answer is made, fields the contract does not know are
 * dropped before they leave; where it arrives from outside, nothing else is let in. An answer that does not fit is
 * INTERNAL, because its caller can do nothing about it.
 */
export function outputCheck(schema: Schema): Filter {
  // Hot path: no closure per call.
  const answered: Continuation<Call> = {
    succeeded: (output, { target }) => checked(schema, output, target),
    failed(thrown) {
      throw thrown
    },
  }
  return {
    role: 'output',
    describe: () => ({ role: 'output', vendor: schema['~standard'].vendor }),
    apply(call, next) {
      const output = next(call)
      return isPromiseLike(output) ? continueWith(output, answered, call) : checked(schema, output, call.target)
    },
  }
}

/** In the type it came with: whoever sets a stack up pairs schema and service. */
function checked<R>(schema: Schema, output: R, target: string): R | PromiseLike<R> {
  let valid: R | PromiseLike<R>
  try {
    valid = validateWith(schema, output, `the output of ${target}`) as R | PromiseLike<R>
  } catch (cause) {
    return misfit(target, cause)
  }
  return isPromiseLike(valid) ? valid.then(undefined, (cause) => misfit(target, cause)) : valid
}

function misfit(target: string, cause: unknown): never {
  throw new PosthasteError('INTERNAL', `the output of '${target}' does not fit its contract`, { cause })
}
