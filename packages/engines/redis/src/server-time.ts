/** The clock of the server against ours. Differences within the error of their measurement are none. */
export class ServerTime {
  #aheadMs = 0

  /** What was measured when the connection was made. */
  measured(aheadMs: number, errorMs: number): void {
    this.#aheadMs = Math.abs(aheadMs) <= errorMs ? 0 : Math.round(aheadMs)
  }

  /** A time of ours by the server's clock, never earlier; 0 for none. */
  atServer(atMs: number | undefined): number {
    return atMs === undefined ? 0 : Math.max(0, Math.ceil(atMs + this.#aheadMs))
  }

  /** A time of the server's by our clock. */
  atHome(atMs: number): number {
    return atMs - this.#aheadMs
  }
}
