import { type ErrorCode, PosthasteError } from '@posthaste/contracts'

/** An exit code, and which errors end a command with it. */
export interface ExitCode {
  readonly code: number
  readonly meaning: string
  readonly errors: readonly ErrorCode[]
}

const failed = 1

/** What the program ends with; an error that stands nowhere here is {@link exitCodeOf} 1. */
export const exitCodes: readonly ExitCode[] = [
  { code: 0, meaning: 'done; for `tail` and `broker` also: ended by Ctrl-C', errors: [] },
  { code: failed, meaning: 'it failed, or only a part of it was done', errors: [] },
  {
    code: 2,
    meaning: 'it cannot be understood: the command line, or the data',
    errors: ['INVALID_ARGUMENT', 'CONFIG_INVALID', 'CONTRACT_INVALID', 'ENVELOPE_INVALID', 'BODY_MALFORMED'],
  },
  { code: 3, meaning: 'what it is about does not exist', errors: ['NOT_FOUND'] },
  {
    code: 4,
    meaning: 'the engine cannot be reached or used now; it may be tried again',
    errors: ['UNAVAILABLE', 'DEADLINE_EXCEEDED', 'OVERLOADED', 'RATE_LIMITED', 'ENGINE_LOCKED', 'ENGINE_CLOSED'],
  },
  { code: 5, meaning: 'this user may not do it', errors: ['UNAUTHENTICATED', 'PERMISSION_DENIED'] },
  { code: 6, meaning: 'this engine cannot do it', errors: ['CAPABILITY_UNSUPPORTED', 'UNIMPLEMENTED'] },
  {
    code: 7,
    meaning: 'the state does not allow it, as when a group that is to be moved has members',
    errors: ['CONFLICT', 'FAILED_PRECONDITION', 'TOPOLOGY_DRIFT'],
  },
  { code: 130, meaning: 'ended by Ctrl-C before it was done', errors: [] },
]

/** By Ctrl-C, as shells have it: 128 and the number of the signal. */
export const interrupted = 130

/** What the program ends with when a command fails so. */
export function exitCodeOf(error: unknown): number {
  if (!PosthasteError.is(error)) return failed
  return exitCodes.find(({ errors }) => errors.includes(error.code))?.code ?? failed
}
