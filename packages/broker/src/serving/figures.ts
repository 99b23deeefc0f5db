/** What a broker is doing, at this moment and since its start. */
export interface BrokerFigures {
  readonly state: 'ready' | 'draining' | 'failed'
  readonly connections: number
  /** Clients, those included that have just lost their connection. */
  readonly sessions: number
  readonly subscriptions: number
  /** Records since the start. */
  readonly published: number
  readonly delivered: number
  readonly settled: number
}
