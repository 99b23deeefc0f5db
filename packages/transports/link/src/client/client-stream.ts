import { type Carrier, Stream, type Unsent } from '../connection/stream.ts'
import { lastMessage, type OutgoingStream, type StreamSink } from '../connection/types.ts'

/** A stream as a client has it: it may wait for a connection, and go to another one while no server has worked on it. */
export class ClientStream extends Stream {
  readonly opening: OutgoingStream
  /** What was sent since it was opened, while no server has worked on it; undefined where that is nothing. */
  said: Unsent[] | undefined
  /** A server has worked on it. */
  touched = false
  /** It waits for a connection now. */
  waits = false
  /** When it began to wait for a connection, or was opened without waiting. */
  waitsSinceMs = 0
  /** How many writes its connection had done when it was opened. */
  openedAtWrite = 0

  constructor(opening: OutgoingStream, sink: StreamSink, carrier: Carrier) {
    super(sink, carrier)
    this.opening = opening
    this.holdsCredit = sink.holdsCredit === true
    if (((opening.flags ?? 0) & lastMessage) !== 0) this.closed = true
    else this.said = []
  }

  /** Forgets the connection it was on. */
  rewind(): void {
    this.id = 0
    this.endSent = false
    this.sendCredit = 0
    this.receiveCredit = 0
  }
}
