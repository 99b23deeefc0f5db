/*
 * The stream `posthaste.broker/watch`: a beginning from the client (JSON), and from the broker the channels that there are, and
 * then each as it appears. A watch outlives its connection, as its session does.
 */

/** What a client begins the stream with. */
export interface WatchBeginning {
  readonly pattern: string
  /** Names the watch within its session: it takes the place of the one of that name. */
  readonly watch: number
  /** The client has stopped it while it had no connection: it takes nobody’s place, and ends the one of its name. */
  readonly isOver: boolean
}

/** What the broker says: channels that were not told of before. */
export interface WatchNews {
  readonly channels: readonly string[]
}
