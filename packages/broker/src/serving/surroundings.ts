import type { BrokerClient } from '@posthaste/broker'
import type { Clock, Log } from '@posthaste/contracts'
import type { DurableEngine } from '@posthaste/embedded'
import type { BrokerConfig } from '../config/config.ts'
import type { Made } from '../quotas/made.ts'
import type { Tally } from '../quotas/tally.ts'
import type { TemporaryGroup } from './temporary-groups.ts'

/** Counts since the start. */
export interface Counts {
  published: number
  delivered: number
  settled: number
}

/** What everything that serves lives on. */
export interface Surroundings {
  readonly config: BrokerConfig
  readonly engine: DurableEngine
  readonly clock: Clock
  readonly log: Log
  readonly figures: Counts
  /** Whether a client has declared that temporary group, and has not ended. */
  readonly isKept: (group: TemporaryGroup) => boolean
  /** Who is connected. */
  readonly clients: () => readonly BrokerClient[]
  /** All channels. */
  readonly channels: Made
  /** All groups that stay, as `channel@group`, and `pattern@group` of those over patterns. */
  readonly groups: Made
  /** Of all clients. */
  readonly places: Tally
}
