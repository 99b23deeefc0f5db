import type { Headers, PosthasteError } from '@posthaste/contracts'
import type { Carrier, Stream, Unsent } from '../connection/stream.ts'
import { lastMessage } from '../connection/types.ts'
import type { ClientStream } from './client-stream.ts'

const nothing = new Uint8Array(0)

/** Streams that wait for a connection, first come, first served. What they say meanwhile waits with them. */
export class Waiting implements Carrier {
  readonly #streams = new Set<ClientStream>()

  get size(): number {
    return this.#streams.size
  }

  add(stream: ClientStream, nowMs: number): void {
    stream.carrier = this
    if (stream.waitsSinceMs === 0) stream.waitsSinceMs = nowMs
    this.#streams.add(stream)
  }

  /** The one that waits longest; it waits no longer. */
  take(): ClientStream | undefined {
    for (const stream of this.#streams) {
      this.#streams.delete(stream)
      return stream
    }
    return undefined
  }

  /** Tells all of them, in the order they came, that they wait for nothing. */
  failAll(error: PosthasteError): void {
    for (const stream of [...this.#streams]) {
      this.#streams.delete(stream)
      refuse(stream, error)
    }
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
    this.#streams.delete(stream as ClientStream)
  }

  consumed(): void {}
}

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
