import type { Clock, PosthasteError } from '@posthaste/contracts'

/** How a broker behaves. */
export interface BrokerOptions {
  readonly clock: Clock
  /** `none`: every delivery looks like the first. `hand-overs`: hand-backs and members that left are counted, too. */
  readonly attempts?: 'none' | 'hand-overs' | undefined
  readonly keyRanges?: number | undefined
  /** Asked before each write of notes and each settlement: an error to answer instead. */
  readonly fault?: ((what: 'note' | 'settle') => PosthasteError | undefined) | undefined
}

/** How it behaves, with what was not said. */
export interface BrokerSettings extends BrokerOptions {
  readonly attempts: 'none' | 'hand-overs'
  readonly keyRanges: number
}
