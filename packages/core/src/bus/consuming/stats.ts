/** What one subscription has done since it began. Plain counts that only grow. */
export interface SubscriptionCounters {
  /** Deliveries that came in, the same message again included. */
  delivered: number
  /** Deliveries whose attempt is not the first. */
  redelivered: number
  /** Handled. */
  acked: number
  /** Settled without effect, because the handler or a rule said so. */
  ignored: number
  /** Settled without a handler, because the filter does not want them; 0 where the engine filters. */
  filtered: number
  /** Times that the filter could not be evaluated for a message, which it then does not want. */
  filterErrors: number
  /**
   * Too late for a handler, dropped or dead-lettered; and requests whose handler failed when nobody waited for the answer
   * any more.
   */
  expired: number
  /** Settled without a handler, because the inbox has seen them. */
  duplicates: number
  /** Acknowledged at most once, and then their handler failed. */
  failed: number
  /** Given back to be delivered again as another attempt. */
  retried: number
  /** Given back as the same attempt: shutdown, successors of a retried message, refusals of a filter. */
  handedBack: number
  /** Moved to the dead letters. */
  deadLettered: number
  /** Taken away before they were settled; the engine delivers them again. */
  lost: number
  /** Times the subscription ended by itself and was begun again. */
  restarts: number
}

/** Counters at zero. */
export function noCounts(): SubscriptionCounters {
  return {
    delivered: 0,
    redelivered: 0,
    acked: 0,
    ignored: 0,
    filtered: 0,
    filterErrors: 0,
    expired: 0,
    duplicates: 0,
    failed: 0,
    retried: 0,
    handedBack: 0,
    deadLettered: 0,
    lost: 0,
    restarts: 0,
  }
}

/**
 * Where a subscription stands. `waiting`: it ended by itself and is begun again after a while. `pausing`: it ends what it
 * has begun. `paused`: it has left its group until it is told to go on.
 */
export type SubscriptionStanding =
  | 'idle'
  | 'joining'
  | 'running'
  | 'waiting'
  | 'pausing'
  | 'paused'
  | 'draining'
  | 'stopped'

/** One subscription at this moment. */
export interface SubscriptionStats extends Readonly<SubscriptionCounters> {
  readonly channel: string
  readonly group: string
  readonly state: SubscriptionStanding
  /** Handlers that run now. */
  readonly running: number
  /** Deliveries that are not settled yet, those of running handlers included; at most the prefetch. */
  readonly unsettled: number
}
