import { type ErrorCode, errorCodes, type PosthasteError } from '@posthaste/contracts'

/** A failure as it goes over the wire. */
export interface Problem {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  /** JSON of RFC 9457, media type `application/problem+json`. */
  readonly body: string
}

/** What only the edge knows about a failure. */
export interface ProblemContext {
  readonly requestId?: string | undefined
  /** Overrides the code's own status where HTTP has a finer one: 405, 408, 415, 431. */
  readonly status?: number | undefined
  readonly headers?: Readonly<Record<string, string>> | undefined
}

/**
 * The status of every code. Codes that never describe a caller's request (configuration, engines, message handling) are
 * the callee's own trouble: 503 where waiting may help, otherwise 500.
 * @see https://github.com/googleapis/googleapis/blob/master/google/rpc/code.proto for the call codes
 */
const statuses = {
  BODY_MALFORMED: 400,
  INVALID_ARGUMENT: 400,
  ENVELOPE_INVALID: 400,
  UNAUTHENTICATED: 401,
  PERMISSION_DENIED: 403,
  NOT_FOUND: 404,
  CONFLICT: 409,
  FAILED_PRECONDITION: 412,
  BODY_TOO_LARGE: 413,
  PAYLOAD_INVALID: 422,
  RATE_LIMITED: 429,
  CANCELLED: 499,
  INTERNAL: 500,
  UNIMPLEMENTED: 501,
  UNAVAILABLE: 503,
  BREAKER_OPEN: 503,
  OVERLOADED: 503,
  DEADLINE_EXCEEDED: 504,

  CONFIG_INVALID: 500,
  CONTRACT_INVALID: 500,
  CONTRACT_DUPLICATE: 500,
  CAPABILITY_UNSUPPORTED: 500,
  TOPOLOGY_DRIFT: 500,
  HANDLER_FAILED: 500,
  HANDLER_RETRY: 503,
  HANDLER_REJECTED: 500,
  HANDLER_IGNORED: 500,
  ATTEMPTS_EXHAUSTED: 500,
  MESSAGE_EXPIRED: 500,
  DELIVERY_LOST: 500,
  ENGINE_LOCKED: 500,
  ENGINE_FORMAT: 500,
  ENGINE_CORRUPT: 500,
  ENGINE_WRITE_FAILED: 503,
  ENGINE_CLOSED: 503,
} as const satisfies Record<ErrorCode, number>

/** Codes a caller may see beside a 5xx; any other would tell how the callee is built. */
const publicServerCodes: ReadonlySet<ErrorCode> = new Set(['UNIMPLEMENTED', 'DEADLINE_EXCEEDED', 'OVERLOADED'])

/** Seconds to wait where an error that asks for patience does not say how long. */
const retryAfterDefaultS = 1

/**
 * A failure as a problem document. A 4xx says what the error says, because the caller can act on it; a 5xx says only what
 * kind of thing happened, because its text, issues and causes are about the inside.
 * @see https://www.rfc-editor.org/rfc/rfc9457
 */
export function problemOf(error: PosthasteError, context: ProblemContext = {}): Problem {
  const status = context.status ?? statuses[error.code]
  const code = publicCode(error.code, status)
  const theirs = status < 500
  const headers: Record<string, string> = {
    ...context.headers,
    'content-type': 'application/problem+json',
    'cache-control': 'no-store',
  }
  const waitS = retryAfterS(error, status)
  if (waitS !== undefined) headers['retry-after'] = String(waitS)
  if (status === 401) headers['www-authenticate'] ??= 'Bearer'
  const body = JSON.stringify({
    type: `urn:posthaste:error:${code}`,
    title: errorCodes[code].meaning,
    status,
    detail: theirs ? detailOf(error) : undefined,
    code,
    remedy: theirs ? error.remedy : errorCodes[code].remedy,
    errors:
      theirs && error.issues.length > 0 ? error.issues.map(({ path, message }) => ({ path, message })) : undefined,
    details: theirs ? writable(error.details) : undefined,
    requestId: context.requestId,
  })
  return { status, headers, body }
}

function publicCode(code: ErrorCode, status: number): ErrorCode {
  if (status < 500 || publicServerCodes.has(code)) return code
  return status === 503 ? 'UNAVAILABLE' : 'INTERNAL'
}

/** The message without the code that `PosthasteError` puts in front of it. */
function detailOf(error: PosthasteError): string {
  const prefix = `[${error.code}] `
  return error.message.startsWith(prefix) ? error.message.slice(prefix.length) : error.message
}

/** Nobody is asked to come again with what is refused for good. */
function retryAfterS({ retryAfterMs, verdict }: PosthasteError, status: number): number | undefined {
  if (verdict === 'permanent') return undefined
  if (retryAfterMs !== undefined && Number.isFinite(retryAfterMs)) return Math.max(1, Math.ceil(retryAfterMs / 1_000))
  return status === 429 || status === 503 ? retryAfterDefaultS : undefined
}

/** Details are the application's own: what JSON cannot carry is left out rather than failing the answer. */
function writable(details: unknown): unknown {
  try {
    JSON.stringify(details)
    return details
  } catch {
    return undefined
  }
}
