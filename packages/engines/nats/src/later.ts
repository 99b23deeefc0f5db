import type { OutgoingRecord } from '@posthaste/contracts'
import type { Channel } from './channel.ts'
import type { ServerHeaders } from './codec.ts'
import { addressee, idToken } from './names.ts'
import type { ServerTime } from './time.ts'

/** A record that is to join its channel later. */
export interface Delayed {
  readonly channel: Channel
  readonly record: OutgoingRecord
  readonly range: number | undefined
  /** The subject it joins when due. */
  readonly target: string
  readonly dueAtMs: number
  /** It was released and waits for its next attempt: nothing that was scheduled, and not to be cancelled as such. */
  readonly isRelease: boolean
}

/** Where to publish a delayed record, and what to tell the server. */
export interface DelayedMessage {
  readonly subject: string
  readonly headers: ServerHeaders
}

/** How records wait for their time: how it is done depends on the server. */
export interface Later {
  delay(delayed: Delayed): DelayedMessage
}

/** Each waits under a subject of its own in the stream of its channel, where ids are recognised as everywhere in it. */
function delaying(nonce: () => string, headersOf: (delayed: Delayed) => ServerHeaders): Later {
  return {
    delay: (delayed) => ({
      subject: `${delayed.channel.names.later}.${placeOf(delayed)}.${nonce()}`,
      headers: headersOf(delayed),
    }),
  }
}

/** Schedules of the server (2.12). */
export function scheduling(time: ServerTime, nonce: () => string): Later {
  return delaying(nonce, ({ dueAtMs, target }) => [
    ['Nats-Schedule', `@at ${new Date(Math.ceil(time.toServers(dueAtMs))).toISOString()}`],
    ['Nats-Schedule-Target', target],
  ])
}

/** Records of which some process hands on what is due. */
export function waitingRoom(time: ServerTime, nonce: () => string): Later {
  return delaying(nonce, ({ dueAtMs, target }) => [
    [dueHeader, String(Math.ceil(time.toServers(dueAtMs)))],
    [targetHeader, target],
  ])
}

/** When a record that waits is due, by the server's clock, and where it goes then. */
export const dueHeader = 'Posthaste-Due'
export const targetHeader = 'Posthaste-Target'

function placeOf({ record, range, isRelease }: Delayed): string {
  return `${addressee(record.group)}.${range ?? '-'}.${isRelease ? '=' : ''}${idToken(record.id)}`
}
