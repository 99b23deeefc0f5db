import type { HeaderMatch, Headers, Issue, OutgoingRecord } from '@posthaste/contracts'
import { refuseOptions } from '../../pipeline/options.ts'

/** Which messages of its channel a group wants: all that is given must hold. The others are settled without a handler. */
export interface SubscriptionFilter {
  /** The CloudEvents extension attribute `tag` is this, or one of these: 1 to 100 texts. */
  readonly tag?: string | readonly string[] | undefined
  /** Attributes have these values: all of them, or at least one; 1 to 100. */
  readonly headers?: { readonly all: Headers } | { readonly any: Headers } | undefined
  /**
   * A CloudEvents SQL expression over the attributes that must be true, at most 4,096 characters. What cannot be
   * evaluated for a message does not hold for it, and is counted (`filterErrors`).
   * @see https://github.com/cloudevents/spec/blob/main/cesql/spec.md
   */
  readonly sql?: string | undefined
}

/** A filter that was checked. */
export interface CompiledFilter {
  readonly tags: readonly string[] | undefined
  readonly headers: HeaderMatch | undefined
  readonly sql: string | undefined
  /** @throws whatever keeps the expression from having a value for this record */
  readonly matches: (record: OutgoingRecord) => boolean
}

const countMax = 100
const names: ReadonlySet<string> = new Set(['tag', 'headers', 'sql'])

/**
 * A filter, ready to be asked; undefined where there is none.
 * @throws CONFIG_INVALID with an issue per mistake
 */
export function readFilter(what: string, given: unknown): CompiledFilter | undefined {
  if (given === undefined) return undefined
  const path = `${what}.filter`
  if (!isRecord(given)) return refuse([{ path, message: 'must be an object' }])
  const { tag, headers } = given as SubscriptionFilter
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
  refuseOptions(issues)
  return compiled(given as SubscriptionFilter)
}

function compiled({ tag, headers }: SubscriptionFilter): CompiledFilter {
  const tags = tag === undefined ? undefined : typeof tag === 'string' ? [tag] : [...tag]
  const match = headers && headerMatch(headers)
  const tests = [tags && tagTest(tags), match && headerTest(match)].filter((test) => test !== undefined)
  const [first, ...others] = tests
  const matches =
    first === undefined || others.length === 0
      ? (first ?? (() => true))
      : (record: OutgoingRecord) => tests.every((test) => test(record))
  return { tags, headers: match, sql: undefined, matches }
}

type Test = (record: OutgoingRecord) => boolean

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

const isCount = (count: number): boolean => count > 0 && count <= countMax

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function refuse(issues: readonly Issue[]): undefined {
  refuseOptions(issues)
  return undefined
}
