import type { Verdict } from './verdict.ts'

/** What the registry knows about one error code. */
export interface ErrorCodeEntry {
  /** What a failure with this code means to whoever decides about a retry; a single error may override it. */
  readonly verdict: Verdict
  /** What happened, in one clause; `docs/reference/errors.md` repeats it. */
  readonly meaning: string
  /** What to do about it, one imperative sentence; used where an error brings no remedy of its own. */
  readonly remedy: string
}

const entry = (verdict: Verdict, meaning: string, remedy: string): ErrorCodeEntry => ({ verdict, meaning, remedy })

/**
 * The closed list of error codes. There are no user-defined codes: a domain failure picks the code that tells the caller
 * what to do (`FAILED_PRECONDITION`, `CONFLICT`, …) and says the rest in `message` and `details`.
 *
 * The call codes follow the canonical codes of gRPC, so that every transport can map them without loss.
 * @see https://grpc.io/docs/guides/status-codes/
 */
export const errorCodes = {
  // Configuration and contracts: found before anything starts.
  CONFIG_INVALID: entry('permanent', 'options are wrong', 'Correct every option the message lists.'),
  CONTRACT_INVALID: entry('permanent', 'a contract is not well formed', 'Correct the contract as the message says.'),
  CONTRACT_DUPLICATE: entry(
    'permanent',
    'two things claim the same name',
    'Give each contract, handler and group a name of its own.',
  ),
  CAPABILITY_UNSUPPORTED: entry(
    'permanent',
    'the engine or transport cannot do what is asked',
    'Drop the option, or use an engine that declares the capability.',
  ),
  TOPOLOGY_DRIFT: entry(
    'permanent',
    'the engine holds the channel with other settings',
    'Change the contract back, or drain and delete the channel by hand.',
  ),

  // Payloads and envelopes.
  PAYLOAD_INVALID: entry(
    'permanent',
    'the data does not fit the contract’s schema',
    'Correct the fields that the issues name.',
  ),
  BODY_MALFORMED: entry(
    'permanent',
    'the bytes cannot be decoded as their content type',
    'Send a body that matches its content type.',
  ),
  BODY_TOO_LARGE: entry(
    'permanent',
    'the body is over the limit',
    'Send a smaller body, or raise the limit on both sides.',
  ),
  ENVELOPE_INVALID: entry(
    'permanent',
    'the message is not a valid CloudEvent',
    'Send the required CloudEvents attributes in their types.',
  ),

  // Calls.
  CANCELLED: entry('ignored', 'the caller gave up', 'Nothing: the caller no longer waits for an answer.'),
  DEADLINE_EXCEEDED: entry(
    'retryable',
    'the deadline passed before an answer came',
    'Raise the deadline, or make the callee faster.',
  ),
  INVALID_ARGUMENT: entry('permanent', 'an argument makes no sense whatever the state', 'Correct the argument.'),
  NOT_FOUND: entry('permanent', 'what was asked for does not exist', 'Check the identifier.'),
  CONFLICT: entry('permanent', 'the request contradicts the current state', 'Read the current state and decide again.'),
  FAILED_PRECONDITION: entry(
    'permanent',
    'the state does not allow the request',
    'Bring the resource into the required state first.',
  ),
  UNAUTHENTICATED: entry('permanent', 'the caller has not proven who it is', 'Send valid credentials.'),
  PERMISSION_DENIED: entry('permanent', 'the caller may not do this', 'Ask for the permission, or do not call.'),
  RATE_LIMITED: entry('retryable', 'the caller sends more than it may', 'Slow down and retry after the time given.'),
  UNAVAILABLE: entry('retryable', 'the callee cannot be reached or is shutting down', 'Retry with backoff.'),
  UNIMPLEMENTED: entry('permanent', 'nobody serves this method', 'Serve the method, or call one that exists.'),
  INTERNAL: entry(
    'permanent',
    'the callee failed in a way it did not expect',
    'Look at the callee’s log for the cause.',
  ),

  // Resilience.
  BREAKER_OPEN: entry(
    'retryable',
    'the circuit breaker rejects calls to an unhealthy target',
    'Wait until the breaker lets calls through again.',
  ),
  OVERLOADED: entry(
    'retryable',
    'a bound on concurrent or queued work is reached',
    'Retry with backoff, or add capacity.',
  ),

  // Handling of messages.
  HANDLER_FAILED: entry('retryable', 'the handler threw', 'Look at the cause and correct the handler or the message.'),
  HANDLER_RETRY: entry('retryable', 'the handler asked for another attempt', 'Nothing: it is retried.'),
  HANDLER_REJECTED: entry(
    'permanent',
    'the handler refused the message for good',
    'Correct the message or the handler, then redrive.',
  ),
  HANDLER_IGNORED: entry('ignored', 'the handler chose to skip the message', 'Nothing: the message is settled.'),
  ATTEMPTS_EXHAUSTED: entry(
    'permanent',
    'every attempt failed, or ended with the process',
    'Correct the cause, then redrive the dead letter.',
  ),
  MESSAGE_EXPIRED: entry(
    'permanent',
    'the message outlived its time to live before it was handled',
    'Raise its time to live, or add consumers.',
  ),
  DELIVERY_LOST: entry(
    'ignored',
    'the delivery belongs to somebody else by now',
    'Nothing: the engine delivers it again.',
  ),

  // Engines and life cycle.
  ENGINE_LOCKED: entry(
    'permanent',
    'another process owns the data directory',
    'Stop that process, or use another directory.',
  ),
  ENGINE_FORMAT: entry(
    'permanent',
    'the data directory has a format this version does not read',
    'Use the version that wrote it, or an empty directory.',
  ),
  ENGINE_CORRUPT: entry(
    'permanent',
    'a stored record does not match its checksum',
    'Keep the data directory and restore the record from a backup.',
  ),
  ENGINE_WRITE_FAILED: entry(
    'retryable',
    'the engine could not make a write durable',
    'Free disk space or repair the disk, then restart.',
  ),
  ENGINE_CLOSED: entry('retryable', 'the engine or the application is closed', 'Start it again before use.'),
} as const satisfies Record<string, ErrorCodeEntry>

/** A code of {@link errorCodes}. */
export type ErrorCode = keyof typeof errorCodes

/** Whether text, from the wire for instance, is a code that this version knows. */
export function isErrorCode(code: unknown): code is ErrorCode {
  return typeof code === 'string' && Object.hasOwn(errorCodes, code)
}
