/** The clock of the broker against ours. Differences within the error of their measurement are none. */
export class ServerTime {
  /** How far the broker's is ahead, in milliseconds. */
  aheadMs = 0

  /** What was measured when the session began. */
  measured(aheadMs: number, errorMs: number): void {
    this.aheadMs = Math.abs(aheadMs) <= errorMs ? 0 : Math.round(aheadMs)
  }

  /** A time of ours by the broker's clock. */
  atServer(atMs: number): number {
    return atMs + this.aheadMs
  }

  /** A time of the broker's by our clock. */
  atHome(atMs: number): number {
    return atMs - this.aheadMs
  }
}
