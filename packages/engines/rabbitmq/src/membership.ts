import type { Clock, Log, SubscriptionSpec } from '@posthaste/contracts'
import type { Catalogue } from './catalogue.ts'
import type { Link } from './link.ts'
import type { Publisher } from './publisher.ts'
import type { KnownChannel } from './settings-text.ts'

/** What every member of a group needs. */
export interface MemberDeps {
  readonly link: Link
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
