import { type Cancellation, PosthasteError } from '@posthaste/contracts'
import { cancelSource, neverCancelled } from '../pipeline/cancellation.ts'

/** Work that calls are made for: what a handler is given, of calls and of messages alike. */
export interface CallScope {
  /** On the monotonic clock. */
  readonly deadlineAtMs: number
  readonly signal: AbortSignal
  /** The signal's cheaper form, where there is one. */
  readonly cancellation?: Cancellation | undefined
}

/** What can give a call up from outside, until the call is left. */
export interface CancelScope {
  readonly cancellation: Cancellation
  /** Takes back whatever listens; signals often live longer than calls. */
  leave(): void
}

const noScope: CancelScope = Object.freeze({ cancellation: neverCancelled, leave() {} })

/** The cancellation of a call that is made within another, on a signal, both or neither. */
export function scopeOf(given: {
  readonly signal?: AbortSignal | undefined
  readonly within?: CallScope | undefined
}): CancelScope {
  const { signal, within } = given
  const parent = within === undefined ? noScope : outerScope(within)
  if (signal === undefined) return parent
  const own = signalScope(signal, parent.cancellation)
  return {
    cancellation: own.cancellation,
    leave() {
      own.leave()
      parent.leave()
    },
  }
}

function outerScope({ cancellation, signal }: CallScope): CancelScope {
  return cancellation === undefined ? signalScope(signal) : { cancellation, leave: noScope.leave }
}

function signalScope(signal: AbortSignal, parent: Cancellation = neverCancelled): CancelScope {
  const source = cancelSource(parent)
  const abort = (): void => source.cancel(gaveUp(signal.reason))
  if (signal.aborted) abort()
  else signal.addEventListener('abort', abort, { once: true })
  return {
    cancellation: source.token,
    leave() {
      signal.removeEventListener('abort', abort)
      source.release()
    },
  }
}

/** A signal that carries one of our own reasons, such as a handler's, keeps it. */
function gaveUp(reason: unknown): PosthasteError {
  return PosthasteError.is(reason)
    ? reason
    : new PosthasteError('CANCELLED', 'the caller gave the call up', { cause: reason })
}
