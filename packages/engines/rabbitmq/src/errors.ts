import { certificateRemedy, type ErrorCode, type Outcome, PosthasteError } from '@posthaste/contracts'

/** What the server or the client said, as one of ours; the server's own text stays in the message and in the cause. */
export function errorOf(cause: unknown, what: string): PosthasteError {
  if (PosthasteError.is(cause)) return cause
  // The client names the method that was refused; at a login there is none.
  const text = (cause instanceof Error ? cause.message : String(cause)).replace(/^undefined: /, '')
  return new PosthasteError(codeOf(cause), `rabbitmq: ${what}: ${text}`, { cause })
}

/** Whether the server answered so, by the name of its reply code. */
export function isReply(error: unknown, reply: ServerReply): boolean {
  return error instanceof Error && (error as { readonly code?: unknown }).code === reply
}

/** Reply codes that say more than that something failed. @see AMQP 0-9-1, 1.2 */
export type ServerReply =
  | 'ACCESS_REFUSED'
  | 'NOT_ALLOWED'
  | 'NOT_FOUND'
  | 'PRECONDITION_FAILED'
  | 'RESOURCE_ERROR'
  | 'RESOURCE_LOCKED'
  | 'VERSION_MISMATCH'

const codes: Readonly<Record<ServerReply, ErrorCode>> = {
  ACCESS_REFUSED: 'PERMISSION_DENIED',
  NOT_ALLOWED: 'PERMISSION_DENIED',
  NOT_FOUND: 'NOT_FOUND',
  PRECONDITION_FAILED: 'FAILED_PRECONDITION',
  RESOURCE_ERROR: 'OVERLOADED',
  RESOURCE_LOCKED: 'CONFLICT',
  VERSION_MISMATCH: 'FAILED_PRECONDITION',
}

/** Everything else is a connection that is not there: another attempt may find it. */
function codeOf(cause: unknown): ErrorCode {
  const reply = (cause as { readonly code?: unknown } | undefined)?.code
  return typeof reply === 'string' && Object.hasOwn(codes, reply) ? codes[reply as ServerReply] : 'UNAVAILABLE'
}

/** Why a connection was not made, or was lost. Refused access is a refused login there. */
export function connectionError(cause: unknown, what: string): PosthasteError {
  const { code, message } = errorOf(cause, what)
  const text = message.replace(/^\[\w+\] /, '')
  const remedy = certificateRemedy(cause)
  return new PosthasteError(isReply(cause, 'ACCESS_REFUSED') ? 'UNAUTHENTICATED' : code, text, { cause, remedy })
}

/** What no other attempt at connecting mends: credentials, the vhost, another protocol. */
export function isHopeless(cause: unknown): boolean {
  return isReply(cause, 'ACCESS_REFUSED') || isReply(cause, 'NOT_ALLOWED') || isReply(cause, 'VERSION_MISMATCH')
}

/** An error of ours. */
export function fail(code: ErrorCode, what: string): PosthasteError {
  return new PosthasteError(code, `rabbitmq: ${what}`)
}

/** The client is of a version that works otherwise inside. */
export function unknownClient(what: string): PosthasteError {
  return new PosthasteError('FAILED_PRECONDITION', `rabbitmq: this version of rabbitmq-client ${what}`, {
    remedy: 'Install the version of rabbitmq-client that @posthaste/rabbitmq depends on.',
  })
}

/** A failed outcome. */
export function failed(error: PosthasteError): Outcome {
  return { ok: false, error }
}

/** Settling what this member does not hold. */
export const deliveryLost: Outcome = Object.freeze(
  failed(fail('DELIVERY_LOST', 'the delivery is not held by this subscription')),
)
