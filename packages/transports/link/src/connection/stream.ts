import type { Headers, PosthasteError } from '@posthaste/contracts'
import type { LinkStream, StreamSink } from './types.ts'

/** Who does what is asked of a stream: its connection, or the place where it waits for one. */
export interface Carrier {
  send(stream: Stream, body: Uint8Array, flags: number): boolean
  end(stream: Stream, metadata: Headers | undefined): void
  fail(stream: Stream, error: PosthasteError, worksOn?: boolean): void
  consumed(stream: Stream, bytes: number): void
}

/** A message, or the end of a side, that waits for credit or for room on the way. */
export interface Unsent {
  readonly body: Uint8Array
  readonly flags: number
  /** Set for the end of the side without a message. */
  readonly ending: Headers | undefined
  next: Unsent | undefined
}

/**
 * A stream, and where in its life it is. The fields are for its carrier alone, which is why whoever is handed the stream
 * sees a {@link LinkStream}.
 */
export class Stream implements LinkStream {
  id = 0
  sink: StreamSink
  carrier: Carrier
  /** Nothing more is taken from above: this side has ended, or the stream is over. */
  closed = false
  /** The end of this side has been written. */
  endSent = false
  endReceived = false
  /** Nothing more is told, and nothing more is sent. */
  over = false
  /** Over for the other side, while the work for it goes on here; it counts until that has ended. */
  lingering = false
  /** Whether the sink holds credit; looked up once. */
  holdsCredit = false
  /** What the other side still takes. */
  sendCredit = 0
  /** What the other side may still send. */
  receiveCredit = 0
  /** Credit of messages that the sink has taken and not consumed. */
  unconsumed = 0
  /** What waits to be sent, oldest first, and how much of the first has left. */
  firstUnsent: Unsent | undefined
  lastUnsent: Unsent | undefined
  sentOfFirst = 0
  unsentBytes = 0
  /** Whether it stands in the sender's ring, and who stands behind it. */
  queued = false
  nextQueued: Stream | undefined
  /** A message whose pieces are still coming, in memory that grows with it. */
  unfinished: Buffer | undefined
  unfinishedBytes = 0
  /** When it was opened, on the monotonic clock, and how long the client was going to wait then. */
  openedAtMs = 0
  timeoutMs: number | undefined

  constructor(sink: StreamSink, carrier: Carrier) {
    this.sink = sink
    this.carrier = carrier
  }

  send(body: Uint8Array, flags = 0): boolean {
    return this.carrier.send(this, body, flags)
  }

  end(metadata?: Headers): void {
    this.carrier.end(this, metadata)
  }

  fail(error: PosthasteError, worksOn = false): void {
    this.carrier.fail(this, error, worksOn)
  }

  consumed(bytes: number): void {
    this.carrier.consumed(this, bytes)
  }
}
