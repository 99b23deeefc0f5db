import { type CallOverrides, type Headers, type Issue, PosthasteError } from '@posthaste/contracts'
import type { CallScope } from './scope.ts'

/** How one call is made: what is said here goes, for this call, before the settings of the client's policies. */
export interface CallOptions extends CallOverrides {
  /** Milliseconds this call may take, its retries included, 1 to 2^31-1. Default: the client's own. */
  readonly timeoutMs?: number | undefined
  /** Sent along, names in lower case. */
  readonly headers?: Headers | undefined
  /** Gives the call up when it aborts. */
  readonly signal?: AbortSignal | undefined
  /** The call this one is made for, as the handler was given it: its deadline and its cancellation hold for this one too. */
  readonly within?: CallScope | undefined
  /**
   * How urgent it is, 0 (most) to 7 (least), sent as the header `priority`: a callee in trouble drops the least urgent
   * first. Default: the header is not sent, which means 3.
   * @see RFC 9218, "urgency"
   */
  readonly priority?: number | undefined
  /**
   * Sent as the header `idempotency-key`: a callee with the policy `idempotency` does what has the same key once. 1 to 255
   * printable ASCII characters.
   * @see draft-ietf-httpapi-idempotency-key-header
   */
  readonly idempotencyKey?: string | undefined
}

/** How one call with a stream is made: `attemptTimeoutMs` is the time to the first item of its answer, `timeoutMs` to its end. */
export type StreamCallOptions = Omit<CallOptions, 'hedge' | 'cache' | 'fallback' | 'idempotencyKey'>

interface Check {
  readonly expects: string
  accepts(value: unknown): boolean
}

const timeCheck: Check = {
  expects: 'milliseconds from 1 to 2^31-1',
  accepts: (value) => isNumber(value, 1, 2 ** 31 - 1),
}
const falseCheck: Check = { expects: 'false', accepts: (value) => value === false }
const anything: Check = { expects: '', accepts: () => true }

const checks: { readonly [K in keyof CallOptions]-?: Check } = {
  timeoutMs: timeCheck,
  attemptTimeoutMs: timeCheck,
  attempts: { expects: 'a whole number from 1 to 100', accepts: (value) => isWhole(value, 1, 100) },
  hedge: falseCheck,
  fallback: falseCheck,
  cache: { expects: `'refresh' or 'skip'`, accepts: (value) => value === 'refresh' || value === 'skip' },
  priority: { expects: 'a whole number from 0 to 7', accepts: (value) => isWhole(value, 0, 7) },
  idempotencyKey: {
    expects: '1 to 255 printable ASCII characters',
    accepts: (value) => typeof value === 'string' && /^[\x21-\x7e]{1,255}$/.test(value),
  },
  // `Authorization` would be no `authorization`: answers that are kept would be given to other callers.
  headers: { expects: 'texts by names in lower case', accepts: areHeaders },
  signal: anything,
  within: anything,
}

const notOfStreams = ['hedge', 'cache', 'fallback', 'idempotencyKey'] as const

/** @throws CONFIG_INVALID listing every wrong or unknown option, and those that mean nothing to a call with a stream */
export function checkStreamCallOptions(target: string, options: CallOptions): void {
  const refused = notOfStreams.filter((name) => options[name] !== undefined)
  checkCallOptions(
    target,
    options,
    refused.map((path) => ({ path, message: 'is not an option of a call with a stream' })),
  )
}

/** @throws CONFIG_INVALID listing every wrong or unknown option, and what was found before */
export function checkCallOptions(target: string, options: CallOptions, found: readonly Issue[] = []): void {
  const issues: Issue[] = [...found]
  for (const name in options) {
    const check = Object.hasOwn(checks, name) ? checks[name as keyof CallOptions] : undefined
    const value = options[name as keyof CallOptions]
    if (check === undefined) issues.push({ path: name, message: 'is not an option of a call' })
    else if (value !== undefined && !check.accepts(value)) {
      issues.push({ path: name, message: `must be ${check.expects}, not ${String(value)}` })
    }
  }
  if (issues.length === 0) return
  const told = issues.map(({ path, message }) => `${path} ${message}`).join('; ')
  throw new PosthasteError('CONFIG_INVALID', `${target}: ${told}`, { issues })
}

/** The headers a call goes out with: the caller's, and what its options say by headers. */
export function headersOf({ headers = noHeaders, priority, idempotencyKey }: CallOptions): Headers {
  if (priority === undefined && idempotencyKey === undefined) return headers
  return {
    ...headers,
    ...(priority !== undefined && { priority: `u=${priority}` }),
    ...(idempotencyKey !== undefined && { 'idempotency-key': idempotencyKey }),
  }
}

const noHeaders: Headers = Object.freeze({})

function areHeaders(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false
  for (const name in value) {
    if (typeof (value as Headers)[name] !== 'string' || /[A-Z]/.test(name)) return false
  }
  return true
}

function isNumber(value: unknown, min: number, max: number): boolean {
  return typeof value === 'number' && value >= min && value <= max
}

function isWhole(value: unknown, min: number, max: number): boolean {
  return Number.isInteger(value) && isNumber(value, min, max)
}
