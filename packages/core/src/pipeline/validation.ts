import {
  type Filter,
  type Issue,
  type MaybePromise,
  PosthasteError,
  type Schema,
  type SchemaIssue,
  type SchemaResult,
} from '@posthaste/contracts'
import { isPromiseLike } from './maybe-promise.ts'

/**
 * Checks a value against a schema. Synchronous where the schema is.
 *
 * @param what names the value in the error: `shop.order.created`, `the output of shop.Inventory/checkStock`
 * @returns the schema's output: defaults filled in, transformations done
 * @throws PAYLOAD_INVALID with one issue per mistake. What the schema itself throws passes through.
 */
export function validateWith<O>(schema: Schema<unknown, O>, value: unknown, what: string): MaybePromise<O> {
  const result = schema['~standard'].validate(value)
  return isPromiseLike(result) ? result.then((later) => accepted(later, what)) : accepted(result, what)
}

/**
 * A filter that passes the schema's output on in place of the payload. Outermost where data comes in, so that nothing
 * behind it sees, counts or repeats what does not fit.
 */
export function validation(schema: Schema): Filter {
  return {
    role: 'validation',
    describe: () => ({ role: 'validation', vendor: schema['~standard'].vendor }),
    apply(call, next) {
      // The one place where a filter changes the payload's type: whoever sets the stack up pairs schema and service.
      const output = validateWith(schema, call.payload, call.target)
      if (isPromiseLike(output)) return output.then((later) => next(call.withPayload(later as typeof call.payload)))
      return next(call.withPayload(output as typeof call.payload))
    },
  }
}

function accepted<O>(result: SchemaResult<O>, what: string): O {
  if (result.issues === undefined) return result.value
  const issues = result.issues.map(issueOf)
  const told = issues.map(({ path, message }) => (path === '' ? message : `${path}: ${message}`)).join('; ')
  throw new PosthasteError('PAYLOAD_INVALID', `${what}: ${told}`, { issues })
}

function issueOf({ message, path = [] }: SchemaIssue): Issue {
  return { message, path: path.map((segment) => String(typeof segment === 'object' ? segment.key : segment)).join('.') }
}
