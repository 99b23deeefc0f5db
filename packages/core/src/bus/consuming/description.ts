import type { FilterDescription, FilterSnapshot, RecordFilter } from '@posthaste/contracts'
import type { CompiledFilter } from '../filtering/filter.ts'
import type { DeliveryLevel } from './delivery.ts'
import type { Ladder } from './ladder.ts'
import type { BatchSettings } from './options.ts'
import type { SubscriptionStats } from './stats.ts'

/** How a subscription is set. */
export interface SubscriptionDescription {
  readonly channel: string
  readonly group: string
  readonly concurrency: number
  readonly prefetch: number
  readonly retry: Ladder
  readonly delivery: DeliveryLevel
  /** Which messages are handled; undefined for all. */
  readonly filter: Pick<RecordFilter, 'tags' | 'headers' | 'sql'> | undefined
  /** Undefined for a handler of single messages. */
  readonly batch: BatchSettings | undefined
  /** Outermost first. */
  readonly filters: readonly FilterDescription[]
}

/** Where a subscription stands at one moment: what it has done so far, and the filters around its handler. */
export interface SubscriptionSnapshot extends SubscriptionStats {
  /** Outermost first; those that have a state. */
  readonly filters: readonly FilterSnapshot[]
}

/** How a filter is set, as far as it can be told. */
export function filterDescription({ tags, headers, sql }: CompiledFilter): SubscriptionDescription['filter'] {
  return { tags, headers, sql }
}
