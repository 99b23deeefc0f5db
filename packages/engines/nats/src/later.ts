import type { OutgoingRecord } from '@posthaste/contracts'
import type { ServerHeaders } from './codec.ts'
import { addressee, idToken, type Names, tokenOf } from './names.ts'
import type { ServerTime } from './time.ts'
import type { Channel } from './topology.ts'

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

/** Schedules of the server (2.12): one subject each, in the channel's own stream. */
export function scheduling(time: ServerTime, nonce: () => string): Later {
  return {
    delay: (delayed) => {
      const at = new Date(Math.ceil(time.toServers(delayed.dueAtMs))).toISOString()
      return {
        subject: `${delayed.channel.names.later}.${placeOf(delayed)}.${nonce()}`,
        headers: [
          ['Nats-Schedule', `@at ${at}`],
          ['Nats-Schedule-Target', delayed.target],
        ],
      }
    },
  }
}

/** A stream of delayed records, of which some process hands on what is due. */
export function waitingRoom(names: Names, time: ServerTime, nonce: () => string): Later {
  return {
    delay: (delayed) => ({
      subject: `${names.delayed.subject}.${tokenOf(delayed.channel.spec.name)}.${placeOf(delayed)}.${nonce()}`,
      headers: [
        [dueHeader, String(Math.ceil(time.toServers(delayed.dueAtMs)))],
        [targetHeader, delayed.target],
      ],
    }),
  }
}

/** When a record in the stream of delayed ones is due, by the server's clock, and where it goes then. */
export const dueHeader = 'Posthaste-Due'
export const targetHeader = 'Posthaste-Target'

function placeOf({ record, range, isRelease }: Delayed): string {
  return `${addressee(record.group)}.${range ?? '-'}.${isRelease ? '=' : ''}${idToken(record.id)}`
}
