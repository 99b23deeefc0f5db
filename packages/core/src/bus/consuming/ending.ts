import { PosthasteError } from '@posthaste/contracts'
import { type Failure, isRefusal } from './after-failure.ts'
import type { Outbox } from './context.ts'
import type { Work } from './work.ts'

/** How a handling ended. */
export type Ending =
  | { readonly kind: 'done'; readonly outbox: Outbox }
  | { readonly kind: 'failed'; readonly failure: Failure }

/** Most messages publish nothing, so most endings are this one. */
export const doneQuietly: Ending = Object.freeze({ kind: 'done', outbox: undefined })

/** The ending of what was handled. */
export function done(outbox: Outbox): Ending {
  return outbox === undefined ? doneQuietly : { kind: 'done', outbox }
}

/** A filter that refuses before any attempt has refused the message; later it has only ended the attempts. */
export function failed(work: Work, thrown: unknown): Ending {
  const error = handlerError(thrown, work.record.channel)
  if (work.tries === 0) return { kind: 'failed', failure: { error, by: 'filter' } }
  const reason = isRefusal(error) ? (work.failure ?? error) : error
  return { kind: 'failed', failure: { error: reason, by: 'handler' } }
}

/** The ending of a message that cannot be read. */
export function unreadable(thrown: unknown, target: string): Ending {
  const error = PosthasteError.from(thrown, 'BODY_MALFORMED', `${target} cannot read the message`)
  return { kind: 'failed', failure: { error, by: 'handler' } }
}

/** What a handler failed with, as a `PosthasteError`. */
export function handlerError(thrown: unknown, target: string): PosthasteError {
  try {
    return PosthasteError.from(thrown, 'HANDLER_FAILED', `the handler of ${target} failed`)
  } catch (cause) {
    // A value that cannot even be looked at, such as a proxy that throws.
    return new PosthasteError('HANDLER_FAILED', `the handler of ${target} failed`, { cause })
  }
}
