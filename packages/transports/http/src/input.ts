import { PosthasteError } from '@posthaste/contracts'

/** Values by name, as text. */
export type PathParams = Readonly<Record<string, string | undefined>>

/** Values by name; a name that came more than once has all of its values, in order. */
export type QueryFields = Readonly<Record<string, string | readonly string[]>>

/**
 * The fields of a query string, as `application/x-www-form-urlencoded` has them.
 * @throws INVALID_ARGUMENT on percent-encoding that decodes to nothing, and on the name `__proto__`
 */
export function queryFields(query: string): QueryFields {
  const fields: Record<string, string | string[]> = {}
  if (query === '') return fields
  for (const pair of query.split('&')) {
    if (pair === '') continue
    const equals = pair.indexOf('=')
    const name = decoded(equals < 0 ? pair : pair.slice(0, equals))
    const value = equals < 0 ? '' : decoded(pair.slice(equals + 1))
    if (name === '__proto__') throw new PosthasteError('INVALID_ARGUMENT', `'__proto__' is not a query parameter`)
    const before = Object.hasOwn(fields, name) ? fields[name] : undefined
    if (before === undefined) fields[name] = value
    else if (typeof before === 'string') fields[name] = [before, value]
    else before.push(value)
  }
  return fields
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '))
  } catch {
    throw new PosthasteError('INVALID_ARGUMENT', 'the query string is not valid percent-encoding')
  }
}

/**
 * Path parameters over the rest of the input. A field that comes both ways must say the same both ways: whichever won
 * silently would be the way around somebody's check of the other.
 *
 * @param rest the query's fields, or the body
 * @throws INVALID_ARGUMENT when they differ, or when the rest is no object that could take the parameters
 */
export function mergeInput(params: PathParams, rest: unknown): unknown {
  const names = Object.keys(params)
  if (names.length === 0) return rest
  if (typeof rest !== 'object' || rest === null || Array.isArray(rest)) {
    throw new PosthasteError(
      'INVALID_ARGUMENT',
      `the body must be a JSON object, because the path carries ${names.join(', ')}`,
    )
  }
  const input: Record<string, unknown> = { ...rest }
  for (const name of names) {
    const value = params[name]
    if (Object.hasOwn(input, name) && !sameText(input[name], value)) {
      throw new PosthasteError('INVALID_ARGUMENT', `'${name}' is one thing in the path and another beside it`, {
        remedy: 'Send the field in the path only.',
        issues: [{ path: name, message: 'differs from the path parameter' }],
      })
    }
    input[name] = value
  }
  return input
}

function sameText(field: unknown, param: string | undefined): boolean {
  return typeof field !== 'object' && String(field) === param
}
