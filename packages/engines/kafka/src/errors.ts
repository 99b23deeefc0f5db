import { protocolErrors, protocolErrorsCodesById } from '@platformatic/kafka'
import { certificateRemedy, type ErrorCode, PosthasteError } from '@posthaste/contracts'

/** The codes of the protocol that the engine decides by. @see https://kafka.apache.org/protocol#protocol_error_codes */
export const kafkaCodes = {
  offsetOutOfRange: 1,
  unknownTopic: 3,
  messageTooLarge: 10,
  notCoordinator: 16,
  illegalGeneration: 22,
  unknownMember: 25,
  topicExists: 36,
  invalidReplication: 38,
  invalidConfig: 40,
  outOfOrderSequence: 45,
  duplicateSequence: 46,
  invalidProducerEpoch: 47,
  concurrentTransactions: 51,
  unknownProducer: 59,
  groupNotEmpty: 68,
  groupNotFound: 69,
  fencedInstance: 82,
  producerFenced: 90,
  unknownTopicId: 100,
  fencedMemberEpoch: 110,
  unreleasedInstance: 111,
  staleMemberEpoch: 113,
} as const

/** An answer of the server that says no. */
export class KafkaError extends Error {
  override readonly name = 'KafkaError'
  readonly kafkaCode: number
  /** Whether the same request may succeed later. */
  readonly transient: boolean

  constructor(kafkaCode: number, what: string, serverText?: string | null) {
    const id = protocolErrorsCodesById[kafkaCode] ?? `code ${kafkaCode}`
    const known = protocolErrors[id]
    super(`${what}: ${id}: ${serverText ?? known?.message ?? 'the server gives no reason'}`)
    this.kafkaCode = kafkaCode
    this.transient = known?.canRetry ?? false
  }
}

/** The connection went away, or never came to be: what was under way may or may not have happened. */
export class ConnectionError extends Error {
  override readonly name = 'ConnectionError'
}

/** A transaction was to be committed, and nobody knows whether it was: what it wrote may stand, as one. */
export class InDoubtError extends Error {
  override readonly name = 'InDoubtError'
}

const authentication = new Set([29, 30, 31, 33, 34, 53, 58])

/** Every code of the protocol that an error brings, deep within. */
export function kafkaCodesOf(thrown: unknown): number[] {
  if (thrown instanceof KafkaError) return [thrown.kafkaCode]
  if (thrown instanceof AggregateError) return thrown.errors.flatMap(kafkaCodesOf)
  if (typeof thrown !== 'object' || thrown === null) return []
  const { apiCode, cause } = thrown as { readonly apiCode?: unknown; readonly cause?: unknown }
  return typeof apiCode === 'number' ? [apiCode] : kafkaCodesOf(cause)
}

/** Whether an error has one of these codes. */
export function hasCode(thrown: unknown, ...codes: readonly number[]): boolean {
  return kafkaCodesOf(thrown).some((code) => codes.includes(code))
}

/** Whether trying again may help: the connection went, or the server says so. */
export function isTransient(thrown: unknown): boolean {
  if (PosthasteError.is(thrown)) return false
  const codes = kafkaCodesOf(thrown)
  if (codes.length === 0) return thrown instanceof ConnectionError
  return codes.every((code) => protocolErrors[protocolErrorsCodesById[code] ?? '']?.canRetry === true)
}

/** Any failure as one of ours, with what the server said as its cause. */
export function mapped(thrown: unknown, what: string, code?: ErrorCode): PosthasteError {
  if (PosthasteError.is(thrown)) return thrown
  const remedy = certificateRemedy(thrown)
  return new PosthasteError(code ?? codeFor(thrown), `${what}: ${serverText(thrown)}`, { cause: thrown, remedy })
}

function codeFor(thrown: unknown): ErrorCode {
  const codes = kafkaCodesOf(thrown)
  if (codes.length === 0) return isAuthentication(thrown) ? 'UNAUTHENTICATED' : 'UNAVAILABLE'
  if (codes.some((code) => authentication.has(code)))
    return codes.includes(58) ? 'UNAUTHENTICATED' : 'PERMISSION_DENIED'
  if (codes.includes(kafkaCodes.invalidConfig)) return 'CONFIG_INVALID'
  if (codes.includes(kafkaCodes.messageTooLarge)) return 'BODY_TOO_LARGE'
  if (codes.includes(kafkaCodes.unknownTopic)) return 'NOT_FOUND'
  return 'UNAVAILABLE'
}

/** Whether the server refuses who we say we are. */
export function isAuthentication(thrown: unknown): boolean {
  if (typeof thrown !== 'object' || thrown === null) return false
  const { code, cause } = thrown as { readonly code?: unknown; readonly cause?: unknown }
  return code === 'PLT_KFK_AUTHENTICATION' || isAuthentication(cause)
}

/** What an error says, with what the server said. */
function serverText(thrown: unknown): string {
  if (thrown instanceof AggregateError) return thrown.errors.map(serverText).join('; ')
  if (!(thrown instanceof Error)) return String(thrown)
  const { apiId, serverErrorMessage } = thrown as { readonly apiId?: unknown; readonly serverErrorMessage?: unknown }
  const own = apiId === undefined ? thrown.message : `${String(apiId)}: ${String(serverErrorMessage ?? thrown.message)}`
  if (!(thrown.cause instanceof Error)) return own
  const inner = serverText(thrown.cause)
  const outer = own.replace(/\.$/, '')
  // What stands around an error of the client often says the same.
  return inner.startsWith(outer) ? inner : `${outer}: ${inner}`
}
