/** Takes what comes out of a pipe. Never throws. */
export interface PipeEvents {
  /** Bytes from the other side; they are the receiver's from here on. */
  received(chunk: Uint8Array): void
  /** What was written has left: there is room again. */
  drained(): void
  /** No more comes, and nothing goes. Told once, never from within a call. */
  closed(cause: Error | undefined): void
}

/** A connection's way to the other side: a socket, or memory in tests. */
export interface Pipe {
  /** Whose the other end is, for messages: an address. */
  readonly name: string
  /** Bytes that were written and have not left yet. */
  readonly unsentBytes: number
  /** Says who takes what comes; called once, before anything else. */
  attach(events: PipeEvents): void
  /**
   * Sends bytes, which nobody changes afterwards.
   * @returns false when the other side should read first: write no more before `drained`
   */
  write(pieces: readonly Uint8Array[]): boolean
  /** Closes once what was written has left. */
  end(): void
  /** Closes at once. */
  destroy(): void
}
