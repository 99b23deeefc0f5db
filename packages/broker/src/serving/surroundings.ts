import type { BrokerClient } from '@posthaste/broker'
import type { Clock, Log } from '@posthaste/contracts'
import type { DurableEngine } from '@posthaste/embedded'
import type { BrokerConfig } from '../config/config.ts'

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
  /** Whether a client has declared a temporary group of that name, and has not ended. */
  readonly isKept: (name: string) => boolean
  /** Who is connected. */
  readonly clients: () => readonly BrokerClient[]
  /** All channels. */
  readonly channels: Set<string>
  /** Channels that are being made. */
  readonly making: Set<string>
  /** Channels that users have made, or are making, by user, since the start. */
  readonly made: Map<string, number>
}
