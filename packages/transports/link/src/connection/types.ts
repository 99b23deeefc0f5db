import type { Headers, PosthasteError } from '@posthaste/contracts'

/*
 * What a link carries, for those who build upon it: streams of messages, each opened by the client with the name of a
 * method. Whether a stream is a unary call, a subscription or a conversation is decided above.
 */

/** A message is the last of its side. */
export const lastMessage = 0x01
/** A message's bytes are compressed as the two sides agreed. */
export const compressedMessage = 0x08

/** What a client says when it opens a stream. */
export interface StreamOpening {
  /** What is asked for: `shop.Inventory/checkStock`. 1 to 255 bytes as UTF-8. */
  readonly method: string
  /** Names in lower case. */
  readonly metadata: Headers
  /** Milliseconds the client still waits, a whole number from 0; undefined where it has no deadline. */
  readonly timeoutMs?: number | undefined
  /** Content type of the messages of this stream, one of those the server said. */
  readonly codec: string
}

/** A stream as a client opens it, with the first message where there is one already: a unary call is one frame. */
export interface OutgoingStream extends StreamOpening {
  readonly body?: Uint8Array | undefined
  /** {@link lastMessage} and {@link compressedMessage}; without a body, `lastMessage` says that none will come. */
  readonly flags?: number | undefined
}

/** Who is at the other end of a connection. */
export interface Peer {
  /** What the server's authentication made of it: the name of a user; undefined where nobody asked. */
  readonly user: string | undefined
  /** Remote address for logs; empty for Unix sockets. */
  readonly address: string
  /** The certificate's subject, where the client showed one that was verified. */
  readonly certificate?: PeerCertificateInfo | undefined
  /** Whatever the server's authentication wants to keep with the connection. */
  readonly grants?: unknown
  /** From which size messages to it are to be compressed; `Infinity` where compression was not agreed on. */
  readonly compressAboveBytes: number
}

/** Of a client's certificate, what servers decide by. */
export interface PeerCertificateInfo {
  readonly commonName: string
  readonly fingerprint256: string
}

/** A stream as a server sees it opened. The first message, where there is one, comes through the sink. */
export interface IncomingStream extends StreamOpening {
  readonly peer: Peer
}

/**
 * One side of a stream. Nothing throws; what is done to a stream that has ended does nothing. A stream ends when both
 * sides have ended it, or when either fails it; whoever fails it is told nothing more.
 *
 * A server ends its side of every stream, of one that the client gave up too, once the work for it is over: by its last
 * message, `end` or `fail`. Until then it counts as a stream of the connection, so that nobody can begin and cancel work
 * without bound.
 */
export interface LinkStream {
  /** Unique in its connection. */
  readonly id: number
  /**
   * Sends a message; it leaves as credit allows, in pieces where it is large. The bytes must not be changed afterwards.
   * @param flags {@link lastMessage}, {@link compressedMessage}
   * @returns false when it waits for credit: send no more before the sink's `writable`
   */
  send(body: Uint8Array, flags?: number): boolean
  /** Ends this side without a further message. A server may say something along. */
  end(metadata?: Headers): void
  /**
   * Ends the stream at once, both sides: a server answers with the error, a client cancels.
   * @param worksOn the work for it has not ended on this server, which says `end` when it has
   */
  fail(error: PosthasteError, worksOn?: boolean): void
  /**
   * Gives the other side credit again for one message of so many bytes; only where the sink holds credit by itself. Call
   * it once for each message, empty ones too: they cost credit like any other.
   */
  consumed(bytes: number): void
}

/**
 * Where one side of a stream puts what comes from the other. Never throws. Called from turns of the connection, never from
 * within a call into the stream.
 */
export interface StreamSink {
  /**
   * A whole message. The bytes are the receiver's: nobody changes them, but they may be part of a larger buffer, so copy
   * what is kept for long.
   * @param flags {@link lastMessage}: the other side has ended with it; {@link compressedMessage}
   */
  message(body: Uint8Array, flags: number): void
  /** The other side ended without a further message. */
  ended(metadata: Headers): void
  /**
   * The stream is over before its time: an error of the other side, a cancellation, a lost connection (UNAVAILABLE). The
   * last thing that is told. `notSent` is set where it is certain that the server did not look at the stream.
   */
  failed(error: PosthasteError): void
  /** There is credit again after `send` said false. */
  writable(): void
  /** Holds credit back until `consumed` is called; otherwise it is given again as soon as `message` returns. */
  readonly holdsCredit?: boolean | undefined
}

/** Takes the streams that clients open. Throwing a `PosthasteError` refuses the stream with it. */
export type StreamAcceptor = (opening: IncomingStream, stream: LinkStream) => StreamSink
