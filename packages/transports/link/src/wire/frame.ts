/**
 * A frame as it was read, its structure checked: its type is known to this side and may come from the other one, its
 * flags are of that type, its stream is (or is not) the connection, its payload is of a length the type can have.
 *
 * One object serves all frames of a connection, and is good until the call it was given to returns. The bytes may be kept.
 */
export interface Frame {
  /** One of `frameType`. */
  type: number
  /** Of `frameFlag`. */
  flags: number
  /** 0 for the connection, otherwise 1 to 2^31-1. */
  stream: number
  /** Where the payload lies; whoever keeps a part of it keeps all of this in memory. */
  bytes: Buffer
  start: number
  end: number
  /**
   * A large piece of a message may be handed on as it comes: whether its beginning was handed on before, and how many bytes
   * of it are still to come; false and 0 of all that is handed on at once.
   */
  continued: boolean
  missing: number
}

/** Takes frames, in order. What it throws ends the reading and comes out of the reader's `push`. */
export interface FrameHandler {
  frame(frame: Frame): void
}
