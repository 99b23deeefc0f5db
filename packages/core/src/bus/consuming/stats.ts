/** What one subscription has done since it began. Plain counts that only grow. */
export interface SubscriptionCounters {
  /** Deliveries that came in, the same message again included. */
  delivered: number
  /** Deliveries whose attempt is not the first. */
  redelivered: number
  /** Handled. */
  acked: number
  /** Settled without effect, because the handler said so. */
  ignored: number
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
