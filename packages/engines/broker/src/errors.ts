import { certificateRemedy, type ErrorCode, type Outcome, PosthasteError } from '@posthaste/contracts'

/** The broker did not answer in time, or cannot be reached. */
export function unavailable(what: string, cause?: unknown): PosthasteError {
  const remedy = certificateRemedy(cause)
  return new PosthasteError('UNAVAILABLE', `broker: ${what}`, { cause, remedy })
}

/** The engine is used before `open` or after `close`. */
export function notOpen(): PosthasteError {
  return new PosthasteError('ENGINE_CLOSED', 'the broker engine is not open')
}

/** A delivery that the subscription does not (or no longer) hold. */
export const deliveryLost: Outcome = Object.freeze({
  ok: false,
  error: new PosthasteError('DELIVERY_LOST', 'the delivery is not held by this subscription'),
})

/** A failed outcome. */
export function failed(code: ErrorCode, message: string): Outcome {
  return { ok: false, error: new PosthasteError(code, message) }
}

/** The broker has not heard of this process for too long, or is another one by now. */
export function sessionLost(why: string): PosthasteError {
  return new PosthasteError('DELIVERY_LOST', `broker: the session has ended: ${why}`)
}
