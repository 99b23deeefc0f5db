import type { Clock, Log, SubscriptionSpec } from '@posthaste/contracts'
import type { Channel } from 'rabbitmq-client'
import type { Catalogue } from './catalogue.ts'
import type { Link } from './link.ts'
import type { Publisher } from './publisher.ts'
import type { QueueChannels } from './queue-channels.ts'
import type { KnownChannel } from './settings-text.ts'

/** What every member of a group needs. */
export interface MemberDeps {
  readonly link: Link
  /** Opens queues over that link. */
  readonly channels: QueueChannels
  readonly publisher: Publisher
  readonly catalogue: Catalogue
  readonly clock: Clock
  readonly log: Log
  readonly random: () => number
  readonly rebalanceMs: number
  readonly consumerTimeoutMs: number
}

/** Which group it is a member of. */
export interface Seat {
  readonly spec: SubscriptionSpec
  readonly channel: KnownChannel
  /** Whether its queues go with the connection. */
  readonly isTemporary: boolean
  /** Makes what goes with a connection anew. */
  readonly prepare: () => Promise<void>
  /** Whether the group goes with its last member, so that nothing need be handed back by that one. */
  readonly isLastOfTemporary: () => boolean
  /** Tells that the member is gone. */
  readonly onStopped: () => Promise<void>
}

/** What a member has at this moment. */
export interface MemberFigures {
  /** Handed to the core. */
  readonly inFlight: number
  /** Received from the server, and not handed over for want of credit. */
  readonly buffered: number
  /** Received, and not due yet. */
  readonly early: number
}

/** A channel to consume queues of a group over. */
export function openQueues(channels: QueueChannels, seat: Seat, queues: readonly string[]): Promise<Channel> {
  return seat.isTemporary ? channels.openTemporary(queues) : channels.open(queues, seat.channel.keyRanges > 0)
}
