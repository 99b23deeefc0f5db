import type { EngineState, PosthasteError } from '@posthaste/contracts'
import type { SubscriptionStats } from '../bus/consuming/stats.ts'
import type { AppState } from './life-cycle.ts'

/**
 * How an application is. `ok`: everything works. `degraded`: it works, but something needs attention. `failing`: it does
 * not do its work: it does not run, or its engine is lost.
 */
export interface Health {
  readonly status: 'ok' | 'degraded' | 'failing'
  readonly state: AppState
  /** Absent where there is none. */
  readonly engine?: EngineHealth | undefined
  readonly subscriptions: readonly SubscriptionStats[]
}

/** What the engine last told about itself. */
export interface EngineHealth {
  readonly name: string
  /** `closed` before it was opened and after it was closed. */
  readonly state: EngineState | 'closed'
  /** Why it is in this state, where it said so. */
  readonly cause?: PosthasteError | undefined
}

/** Judges the facts. */
export function healthOf(facts: Omit<Health, 'status'>): Health {
  return { status: statusOf(facts), ...facts }
}

function statusOf({ state, engine, subscriptions }: Omit<Health, 'status'>): Health['status'] {
  if (state !== 'running' || engine?.state === 'lost' || engine?.state === 'closed') return 'failing'
  // `waiting`: the subscription ended by itself and is begun again after a while.
  const waits = subscriptions.some((subscription) => subscription.state === 'waiting')
  return waits || engine?.state === 'degraded' ? 'degraded' : 'ok'
}
