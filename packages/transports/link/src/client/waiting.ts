import type { Headers, PosthasteError } from '@posthaste/contracts'
import type { Carrier, Stream, Unsent } from '../connection/stream.ts'
import { lastMessage } from '../connection/types.ts'
import type { ClientStream } from './client-stream.ts'

const nothing = new Uint8Array(0)

/**
 * Streams that wait for a connection, first come, first served. What they say meanwhile waits with them. An array rather
 * than a `Set`, for the reason that `RenewingMap` gives.
 */
export class Waiting implements Carrier {
  /** Those from `#head` on; a stream that was given up keeps its place until it is its turn, or too many have. */
  #queue: (ClientStream | undefined)[] = []
  #head = 0
  #size = 0

  get size(): number {
    return this.#size
  }

  /** How much room those that wait, and those that were given up, take. */
  get places(): number {
    return this.#queue.length
  }

  add(stream: ClientStream, nowMs: number): void {
    stream.carrier = this
    if (stream.waitsSinceMs === 0) stream.waitsSinceMs = nowMs
    if (this.#queue.length - this.#size > this.#size + sparesMax) this.#tidy()
    stream.waits = true
    this.#queue.push(stream)
    this.#size++
  }

  /** The one that waits longest; it waits no longer. */
  take(): ClientStream | undefined {
    while (this.#head < this.#queue.length) {
      const stream = this.#queue[this.#head]
      this.#queue[this.#head++] = undefined
      if (stream === undefined || !this.#leave(stream)) continue
      return stream
    }
    return undefined
  }

  /** Tells all of them, in the order they came, that they wait for nothing. */
  failAll(error: PosthasteError): void {
    // Those that come while the others are told wait for what comes next.
    const all = this.#queue.slice(this.#head)
    this.#queue = []
    this.#head = 0
    for (const stream of all) if (stream !== undefined && this.#leave(stream)) refuse(stream, error)
  }

  send(stream: Stream, body: Uint8Array, flags: number): boolean {
    if (stream.closed) return true
    if ((flags & lastMessage) !== 0) stream.closed = true
    say(stream as ClientStream, { body, flags, ending: undefined, next: undefined })
    return false
  }

  end(stream: Stream, metadata: Headers = {}): void {
    if (stream.closed) return
    stream.closed = true
    say(stream as ClientStream, { body: nothing, flags: lastMessage, ending: metadata, next: undefined })
  }

  fail(stream: Stream): void {
    stream.over = true
    stream.closed = true
    this.#leave(stream as ClientStream)
  }

  consumed(): void {}

  /** @returns whether it was waiting until now */
  #leave(stream: ClientStream): boolean {
    if (!stream.waits) return false
    stream.waits = false
    this.#size--
    return true
  }

  #tidy(): void {
    this.#queue = this.#queue.slice(this.#head).filter((stream) => stream?.waits)
    this.#head = 0
  }
}

/** So many places without a stream are worth no tidying. */
const sparesMax = 64

function say(stream: ClientStream, unsent: Unsent): void {
  stream.said?.push(unsent)
}

/** Tells a stream that is on no connection that it will be on none. */
export function refuse(stream: ClientStream, error: PosthasteError): void {
  if (stream.over) return
  stream.over = true
  stream.closed = true
  stream.sink.failed(error)
}
