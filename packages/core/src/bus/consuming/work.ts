import type { Delivery, OutgoingRecord, PosthasteError } from '@posthaste/contracts'
import type { CancelSource } from '../../pipeline/cancellation.ts'
import type { Chained } from './key-chains.ts'

/** The payload of a call that handles a message, as filters see it. */
export interface Message<Data = unknown> {
  readonly delivery: Delivery
  /** What the contract's schema made of the body. */
  readonly data: Data
}

/**
 * Where a delivery stands. `waiting`: for its turn. `running`: its handler has begun. `settling`: what follows is decided
 * and on its way to the engine, though its handler may still run if the decision was a hand-back. `gone`: lost.
 */
export type WorkState = 'waiting' | 'running' | 'settling' | 'gone'

/** How a delivery ended, for the counters. */
export type WorkEnd =
  | 'acked'
  | 'ignored'
  | 'retried'
  | 'handedBack'
  | 'deadLettered'
  | 'filtered'
  | 'expired'
  | 'duplicates'

/** One delivery on its way through the consumer. Hot path: the one object that the core makes for each, always of one shape. */
export class Work implements Message, Chained<Work> {
  readonly delivery: Delivery
  readonly key: string | undefined
  behind: Work | undefined = undefined
  state: WorkState = 'waiting'
  data: unknown = undefined
  /** How often the handler was entered for this delivery. */
  tries = 0
  /** What the handler failed with last. */
  failure: PosthasteError | undefined = undefined
  /** There while the handler runs. */
  cancel: CancelSource | undefined = undefined
  end: WorkEnd = 'acked'
  /** Whoever requested it has given up. */
  unwanted = false
  /** The engine would have it back, if it has not begun. */
  recalled = false
  /** To be handled once the engine has its acknowledgement; kept by the runner alone. */
  acking = false
  /** How often the engine refused the settlement. */
  refusals = 0

  constructor(delivery: Delivery) {
    this.delivery = delivery
    this.key = delivery.record.key
  }

  get record(): OutgoingRecord {
    return this.delivery.record
  }
}
