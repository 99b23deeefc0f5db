import { type OutgoingRecord, PosthasteError } from '@posthaste/contracts'
import { lastMessage } from '@posthaste/link/connection'
import { unavailable } from './errors.ts'
import type { Presence } from './presence.ts'
import { type Parcel, packParcel, readParcel } from './protocol/calls.ts'
import { type CallName, methodOf, sessionHeader } from './protocol/methods.ts'

/** Asks the broker, and gives what it answers: one parcel or more. */
export type Ask = (call: CallName, head: unknown, about?: About) => Promise<readonly Parcel[]>

/** What else belongs to a call. */
export interface About {
  readonly records?: readonly OutgoingRecord[]
  /** Whether it may be made again when nobody knows whether it was made. */
  readonly repeatable?: boolean
}

/** Calls wait for a connection, and are made again over the next one where they may be. */
export function asking(presence: () => Presence, timeoutMs: number): Ask {
  return async (call, head, { records = [], repeatable = false } = {}) => {
    const body = packParcel(head, records)
    const on = presence()
    const deadlineMs = on.host.clock.monotonicMs() + timeoutMs
    for (;;) {
      const leftMs = deadlineMs - on.host.clock.monotonicMs()
      if (leftMs <= 0) throw unavailable(`${call} was not answered in time`, on.cause)
      await on.ready(leftMs)
      try {
        return await once(on, call, { body, timeoutMs: leftMs })
      } catch (thrown) {
        const error = PosthasteError.from(thrown, 'INTERNAL', `broker: ${call}`)
        if (error.code !== 'UNAVAILABLE' || !(repeatable || error.notSent)) throw error
        // What failed with the connection is told before the presence hears of it.
        if (on.isAttached) await new Promise<void>((resolve) => void on.host.clock.setTimer(restMs, resolve))
      }
    }
  }
}

const restMs = 20

/** Asks at once, before anything that is sent later, and does not wait for the answer. */
export function tell(presence: Presence, call: CallName, head: unknown): void {
  once(presence, call, { body: packParcel(head), timeoutMs: noTimeoutMs }).catch((cause: unknown) =>
    presence.host.log.warn(`the broker did not ${call} again`, { cause }),
  )
}

const noTimeoutMs = 600_000

function once(
  presence: Presence,
  call: CallName,
  { body, timeoutMs }: { readonly body: Uint8Array; readonly timeoutMs: number },
): Promise<readonly Parcel[]> {
  const { promise, resolve, reject } = Promise.withResolvers<readonly Parcel[]>()
  const parcels: Parcel[] = []
  const metadata = { [sessionHeader]: presence.session }
  const stream = presence.unary(methodOf(call), body, {
    metadata,
    timeoutMs,
    sink: {
      message(message, flags) {
        try {
          parcels.push(readParcel(message))
        } catch (thrown) {
          reject(thrown)
        }
        if (flags & lastMessage) resolve(parcels)
      },
      ended: () => resolve(parcels),
      failed: reject,
      writable: () => {},
    },
  })
  const timer = presence.host.clock.setTimer(timeoutMs, () => {
    stream.fail(new PosthasteError('DEADLINE_EXCEEDED', `${call} was given up`))
    reject(unavailable(`${call} was not answered in time`))
  })
  return promise.finally(() => timer.cancel())
}
