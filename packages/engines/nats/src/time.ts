/** Two moments by our wall clock, in milliseconds since the epoch. */
export interface Between {
  readonly beganMs: number
  readonly endedMs: number
}

/** What time it is at the server, as far as we know. */
export class ServerTime {
  /** How far the server's clock is ahead of ours, in milliseconds. */
  aheadMs = 0
  /**
   * Takes what the server's clock showed between two moments of ours. Differences that the way there explains are none.
   * @returns how exactly that is known, in milliseconds
   */
  measured(serverMs: number, { beganMs, endedMs }: Between): number {
    const errorMs = (endedMs - beganMs) / 2 + 1
    const aheadMs = serverMs - (beganMs + endedMs) / 2
    this.aheadMs = Math.abs(aheadMs) <= errorMs ? 0 : aheadMs
    return errorMs
  }

  toOurs(serverMs: number): number {
    return serverMs - this.aheadMs
  }

  toServers(ourMs: number): number {
    return ourMs + this.aheadMs
  }
}
