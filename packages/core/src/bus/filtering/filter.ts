import { type HeaderMatch, type Headers, type Issue, type OutgoingRecord, PosthasteError } from '@posthaste/contracts'
import { checkTogether, refuseOptions } from '../../pipeline/options.ts'
import { type Expression, expression } from './cesql/expression.ts'
import type { Failure } from './cesql/values.ts'
import { attributeOf } from './record-attributes.ts'

/**
 * Which messages of its channel a group wants: all that is given must hold. The others are settled without a handler. The
 * same for all members of a group: where members differ, which of their filters holds for a message is left open.
 */
export interface SubscriptionFilter {
  /** The CloudEvents extension attribute `tag` is this, or one of these: 1 to 100 texts. */
  readonly tag?: string | readonly string[] | undefined
  /**
   * Attributes have these values: all of them, or at least one; 1 to 100. `id`, `specversion`, `partitionkey`, `priority`,
   * `deliverytime` and `expirytime` are for `sql` alone.
   */
  readonly headers?: { readonly all: Headers } | { readonly any: Headers } | undefined
  /**
   * A CloudEvents SQL expression over the attributes that must be true, at most 4,096 characters. What cannot be
   * evaluated for a message does not hold for it, and is counted (`filterErrors`): a comparison with an attribute that it
   * does not have, above all, so ask `EXISTS tenant AND tenant = 'a'`. `AND`, `OR` and `XOR` bind alike and are read from
   * left to right, so use parentheses.
   * @see https://github.com/cloudevents/spec/blob/main/cesql/spec.md
   */
  readonly sql?: string | undefined
}

/** A filter that was checked. */
export interface CompiledFilter {
  readonly tags: readonly string[] | undefined
  readonly headers: HeaderMatch | undefined
  readonly sql: string | undefined
  /** Whether it holds for a record, or what keeps the expression from having a value for it. Never throws. */
  readonly matches: (record: OutgoingRecord) => boolean | Failure
}

const countMax = 100
const sqlLengthMax = 4_096
const names: ReadonlySet<string> = new Set(['tag', 'headers', 'sql'])

/**
 * A filter, ready to be asked; undefined where there is none.
 * @throws CONFIG_INVALID with an issue per mistake
 */
export function readFilter(what: string, given: unknown): CompiledFilter | undefined {
  if (given === undefined) return undefined
  const path = `${what}.filter`
  if (!isRecord(given)) return refuse([{ path, message: 'must be an object' }])
  const { tag, headers, sql } = given as SubscriptionFilter
  const unknown = Object.keys(given).filter((name) => !names.has(name))
  const issues: Issue[] = unknown.map((name) => ({
    path: `${path}.${name}`,
    message: `is not a filter; there are ${[...names].join(', ')}`,
  }))
  if (Object.keys(given).length === 0) issues.push({ path, message: 'says nothing' })
  if (tag !== undefined && !areTags(tag)) {
    issues.push({ path: `${path}.tag`, message: `must be a text, or 1 to ${countMax} texts` })
  }
  if (headers !== undefined && !areHeaders(headers)) {
    const message = `must be { all: {…} } or { any: {…} } with 1 to ${countMax} attributes, their names of a-z and 0-9, their values texts`
    issues.push({ path: `${path}.headers`, message })
  }
  issues.push(...fieldIssues(`${path}.headers`, headers))
  const [, where] = checkTogether<Test | undefined>([() => refuse(issues), () => sqlTest(`${path}.sql`, sql)])
  return compiled(given as SubscriptionFilter, where)
}

type Test = (record: OutgoingRecord) => boolean | Failure

function compiled({ tag, headers, sql }: SubscriptionFilter, where: Test | undefined): CompiledFilter {
  const tags = tag === undefined ? undefined : typeof tag === 'string' ? [tag] : [...tag]
  const match = headers && headerMatch(headers)
  // The cheapest first.
  const tests = [tags && tagTest(tags), match && headerTest(match), where].filter((test) => test !== undefined)
  return { tags, headers: match, sql, matches: tests.length === 1 ? tests[0]! : allOf(tests) }
}

function allOf(tests: readonly Test[]): Test {
  return (record) => {
    for (const test of tests) {
      const result = test(record)
      if (result !== true) return result
    }
    return true
  }
}

/** @throws CONFIG_INVALID */
function sqlTest(path: string, sql: unknown): Test | undefined {
  if (sql === undefined) return undefined
  if (typeof sql !== 'string' || sql.length > sqlLengthMax) {
    return refuse([{ path, message: `must be a text of at most ${sqlLengthMax} characters` }])
  }
  const { type, evaluate } = readSql(path, sql)
  // Attributes travel as texts, so not even one by itself is ever true.
  if (type === 'Boolean') return evaluate as Test
  return refuse([{ path, message: `is ${type ?? 'an attribute'}, not true or false: compare it with something` }])
}

function readSql(path: string, sql: string): Expression<OutgoingRecord> {
  try {
    return expression(sql, attributeOf)
  } catch (thrown) {
    if (PosthasteError.is(thrown)) refuse(thrown.issues.map(({ message }) => ({ path, message })))
    throw thrown
  }
}

function tagTest(tags: readonly string[]): Test {
  const wanted = new Set(tags)
  return ({ headers: { tag } }) => tag !== undefined && wanted.has(tag)
}

function headerMatch(headers: NonNullable<SubscriptionFilter['headers']>): HeaderMatch {
  return 'all' in headers
    ? { match: 'all', values: Object.freeze({ ...headers.all }) }
    : { match: 'any', values: Object.freeze({ ...headers.any }) }
}

function headerTest({ match, values }: HeaderMatch): Test {
  const wanted = Object.entries(values)
  if (match === 'all') return ({ headers }) => wanted.every(([name, value]) => headers[name] === value)
  return ({ headers }) => wanted.some(([name, value]) => headers[name] === value)
}

function areTags(tag: unknown): boolean {
  if (typeof tag === 'string') return true
  return Array.isArray(tag) && isCount(tag.length) && tag.every((one) => typeof one === 'string')
}

const namePattern = /^[a-z0-9]{1,64}$/

function areHeaders(headers: unknown): boolean {
  if (!isRecord(headers)) return false
  const [match, ...more] = Object.keys(headers)
  const values: unknown = match === 'all' || match === 'any' ? headers[match] : undefined
  if (more.length > 0 || !isRecord(values)) return false
  const entries = Object.entries(values)
  return (
    isCount(entries.length) && entries.every(([name, value]) => namePattern.test(name) && typeof value === 'string')
  )
}

/** Attributes of the event that are fields of the record, not headers. */
const fields: ReadonlySet<string> = new Set([
  ...['id', 'specversion', 'partitionkey', 'priority', 'deliverytime', 'expirytime'],
])

function fieldIssues(path: string, headers: unknown): Issue[] {
  const values = isRecord(headers) ? Object.values(headers).filter(isRecord) : []
  const names = values.flatMap((each) => Object.keys(each)).filter((name) => fields.has(name))
  return names.map((name) => ({ path: `${path}.${name}`, message: 'can only be compared in sql' }))
}

const isCount = (count: number): boolean => count > 0 && count <= countMax

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function refuse(issues: readonly Issue[]): undefined {
  refuseOptions(issues)
  return undefined
}
