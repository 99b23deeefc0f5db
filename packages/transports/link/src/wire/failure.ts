import { type Issue, isErrorCode, PosthasteError, type Verdict } from '@posthaste/contracts'
import { readObject } from './text.ts'
import { malformed } from './violation.ts'

/** The JSON of an ERROR, and of a GOAWAY that says why. */
interface Failure {
  readonly code: string
  readonly message: string
  readonly remedy?: string | undefined
  readonly verdict?: string | undefined
  readonly issues?: readonly Issue[] | undefined
  readonly details?: Readonly<Record<string, unknown>> | undefined
  readonly retryAfterMs?: number | undefined
}

/** Why, and after which stream, a connection goes away. */
export interface Goaway {
  /** The highest stream that was or will be worked on. */
  readonly last: number
  /** undefined where nothing is wrong. */
  readonly error: PosthasteError | undefined
}

/** Characters of a text that is cut; two such texts fit in 16 KiB even where JSON takes six bytes for each. */
const textLengthMax = 1024
const verdicts: ReadonlySet<unknown> = new Set<Verdict>(['retryable', 'permanent', 'ignored'])

/**
 * The payload of an ERROR. One that is too large loses details and issues first, then the end of its message; members that are
 * not what readers take are left out, because one of them would cost all streams their connection.
 * @param bytesMax the other side's bound on frames, at least 16 KiB
 */
export function encodeFailure(error: PosthasteError, bytesMax: number): Buffer {
  const whole: Failure = {
    code: error.code,
    message: bareMessage(error),
    remedy: isText(error.remedy) ? error.remedy : undefined,
    verdict: error.verdict,
    issues: isIssues(error.issues) && error.issues.length > 0 ? error.issues : undefined,
    details: isObject(error.details) && !('toJSON' in error.details) ? error.details : undefined,
    retryAfterMs: delayOf(error),
  }
  const payload = asJson(whole)
  if (payload !== undefined && payload.length <= bytesMax) return payload
  return asJson(shortened(whole)) as Buffer
}

/** The payload of a GOAWAY. */
export function encodeGoaway({ last, error }: Goaway): Buffer {
  const number = Buffer.alloc(4)
  number.writeUInt32BE(last)
  if (error === undefined) return number
  const why = { code: error.code, message: bareMessage(error), retryAfterMs: delayOf(error) }
  return Buffer.concat([number, asJson(shortened(why)) as Buffer])
}

/**
 * The error that an ERROR carries. A code that is unknown here becomes INTERNAL and stands among the details; a
 * verdict that is unknown is that of the code.
 * @throws BODY_MALFORMED when it is no JSON object, or a member has another type than it should
 */
export function readFailure(bytes: Buffer, start: number, end: number): PosthasteError {
  const failure = readObject(bytes, start, end)
  const { code, message, remedy, retryAfterMs, issues, details } = failure
  if (typeof code !== 'string' || typeof message !== 'string') throw malformed('an error has no code or no message')
  if (!isOptional(remedy, isText) || !isOptional(retryAfterMs, isDelay)) throw malformed('an error is ill-formed')
  if (issues !== undefined && !isIssues(issues)) throw malformed('the issues of an error are ill-formed')
  if (details !== undefined && !isObject(details)) throw malformed('the details of an error are ill-formed')
  const isKnown = isErrorCode(code)
  return new PosthasteError(isKnown ? code : 'INTERNAL', message, {
    remedy: remedy as string | undefined,
    verdict: verdicts.has(failure.verdict) ? (failure.verdict as Verdict) : undefined,
    issues,
    details: isKnown ? details : { code, ...details },
    retryAfterMs: retryAfterMs as number | undefined,
  })
}

/**
 * What a GOAWAY says.
 * @throws BODY_MALFORMED when the error it carries is not well formed, or the stream above 2^31-1
 */
export function readGoaway(bytes: Buffer, start: number, end: number): Goaway {
  const last = bytes.readInt32BE(start)
  if (last < 0) throw malformed('the number of a stream is above 2^31-1')
  return { last, error: end - start === 4 ? undefined : readFailure(bytes, start + 4, end) }
}

/** A time that has passed, or is none, is no time to wait for. */
function delayOf({ retryAfterMs }: PosthasteError): number | undefined {
  return isDelay(retryAfterMs) ? retryAfterMs : undefined
}

function bareMessage({ code, message }: PosthasteError): string {
  const prefix = `[${code}] `
  return message.startsWith(prefix) ? message.slice(prefix.length) : message
}

function shortened({ code, message, remedy, verdict, retryAfterMs }: Failure): Failure {
  const short = (text: string) => text.slice(0, textLengthMax)
  return {
    code,
    message: short(message),
    remedy: remedy === undefined ? undefined : short(remedy),
    verdict,
    retryAfterMs,
  }
}

/** undefined where something in it has no JSON. */
function asJson(failure: Failure): Buffer | undefined {
  try {
    return Buffer.from(JSON.stringify(failure), 'utf8')
  } catch {
    return undefined
  }
}

function isOptional(value: unknown, is: (value: unknown) => boolean): boolean {
  return value === undefined || is(value)
}

function isText(value: unknown): boolean {
  return typeof value === 'string'
}

function isDelay(value: unknown): boolean {
  return Number.isFinite(value) && (value as number) >= 0
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isIssues(value: unknown): value is readonly Issue[] {
  const isIssue = (issue: unknown) =>
    isObject(issue) && typeof issue.path === 'string' && typeof issue.message === 'string'
  return Array.isArray(value) && value.every(isIssue)
}
