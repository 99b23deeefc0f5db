import { JetStreamApiError } from '@nats-io/jetstream'
import { errors, type Msg } from '@nats-io/nats-core'
import { certificateRemedy, type ErrorCode, type Outcome, PosthasteError } from '@posthaste/contracts'

/** What the server says in its own words. */
export function textOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown)
}

/** Codes of JetStream errors that say what is wrong with the request; others are the server's trouble. */
const codesByApiCode: Readonly<Record<number, ErrorCode>> = {
  10014: 'NOT_FOUND',
  10037: 'NOT_FOUND',
  10059: 'NOT_FOUND',
  10054: 'BODY_TOO_LARGE',
  10097: 'INVALID_ARGUMENT',
  10047: 'ENGINE_WRITE_FAILED',
  10077: 'ENGINE_WRITE_FAILED',
  10023: 'ENGINE_WRITE_FAILED',
}

/** Whether the server answered with this code. */
export function isApiError(thrown: unknown, ...codes: readonly number[]): boolean {
  return thrown instanceof JetStreamApiError && codes.includes(thrown.apiError().err_code)
}

export const apiCodes = {
  consumerNotFound: 10014,
  streamNotFound: 10059,
  noMessage: 10037,
  sequenceNotFound: 10043,
  deleteFailed: 10057,
  streamNameInUse: 10058,
  subjectsOverlap: 10065,
  consumerNameExists: 10013,
  consumerExists: 10148,
  wrongLastSequence: 10071,
  consumerNotUnique: 10100,
  multipleConsumers: 10099,
} as const

/** Anything the client threw, as an error of ours with the server's text. */
export function errorFrom(thrown: unknown, what: string): PosthasteError {
  if (PosthasteError.is(thrown)) return thrown
  const remedy = certificateRemedy(thrown)
  return new PosthasteError(codeOf(thrown), `${what}: ${textOf(thrown)}`, { cause: thrown, remedy })
}

function codeOf(thrown: unknown): ErrorCode {
  if (thrown instanceof JetStreamApiError) return codesByApiCode[thrown.apiError().err_code] ?? 'UNAVAILABLE'
  if (thrown instanceof errors.AuthorizationError || thrown instanceof errors.UserAuthenticationExpiredError) {
    return 'UNAUTHENTICATED'
  }
  if (thrown instanceof errors.PermissionViolationError) return 'PERMISSION_DENIED'
  return 'UNAVAILABLE'
}

/** The answer of a stream to a publication. */
export interface PubAnswer {
  readonly seq?: number
  readonly duplicate?: boolean
  readonly error?: { readonly code: number; readonly err_code: number; readonly description: string }
}

const startOfError = 0x65

/** Whether a stream refused what was published, told without parsing: an error is the first thing in its answer. */
export function isRefusal(data: Uint8Array): boolean {
  return data[2] === startOfError
}

/** Why a stream refused a publication. */
export function refusalOf(answer: Msg, what: string): PosthasteError {
  const { error } = answer.json<PubAnswer>()
  const code = codesByApiCode[error?.err_code ?? 0] ?? 'UNAVAILABLE'
  return new PosthasteError(code, `${what}: ${error?.description ?? 'refused'}`, {
    details: { serverCode: error?.err_code },
  })
}

export function failed(error: PosthasteError): Outcome {
  return { ok: false, error }
}

export function lost(what: string): PosthasteError {
  return new PosthasteError('DELIVERY_LOST', what)
}
