import type { DeliverySink, EngineCapabilities, SubscriptionSpec } from '@posthaste/contracts'
import type { FilterDeps } from '../../pipeline/stack.ts'
import type { AloneTurns } from './isolation.ts'

/** What a completed subscription is made of. */
export interface CompletedSubscriptionInit {
  readonly spec: SubscriptionSpec
  /** The core's side. */
  readonly sink: DeliverySink
  /** Names this process in the sessions of key ranges. */
  readonly reader: string
  /** The engine's own. */
  readonly capabilities: EngineCapabilities
  /** Most parked records of a key range. */
  readonly parkedMax: number
  /** Of all subscriptions of the engine. */
  readonly turns: AloneTurns
  readonly deps: FilterDeps
  /** It was stopped, or ended by itself. */
  ended(): void
}
