import type { NatsConnection } from '@nats-io/nats-core'
import type { PosthasteError } from '@posthaste/contracts'
import type { Link } from './link.ts'
import type { Command } from './pipeline.ts'

const text = new TextEncoder()

/** What a consumer can be told about a delivery. @see ADR-15 of NATS */
export const ackKinds = {
  done: text.encode('+ACK'),
  again: text.encode('-NAK'),
  inProgress: text.encode('+WPI'),
} as const

/**
 * Tells one consumer about several deliveries of it. A consumer hears in order what comes on one connection, so that its
 * answer to the last is its answer to all.
 */
class Telling implements Command {
  readonly #kind: Uint8Array
  readonly #replies: readonly string[]
  readonly #resolve: () => void
  readonly #reject: (error: PosthasteError) => void

  constructor(kind: Uint8Array, replies: readonly string[], done: Done) {
    this.#kind = kind
    this.#replies = replies
    this.#resolve = done.resolve
    this.#reject = done.reject
  }

  send(connection: NatsConnection, reply: string): void {
    const last = this.#replies.length - 1
    for (let at = 0; at < last; at += 1) connection.publish(this.#replies[at] as string, this.#kind)
    connection.publish(this.#replies[last] as string, this.#kind, { reply })
  }

  answered(): void {
    this.#resolve()
  }

  failed(error: PosthasteError): void {
    this.#reject(error)
  }
}

interface Done {
  readonly resolve: () => void
  readonly reject: (error: PosthasteError) => void
}

/**
 * Resolves when the consumer has confirmed all of them.
 * @throws UNAVAILABLE ENGINE_CLOSED
 */
export function tell(link: Link, kind: Uint8Array, replies: readonly string[]): Promise<void> {
  if (replies.length === 0) return Promise.resolve()
  return new Promise((resolve, reject) => {
    link.acks.send(new Telling(kind, replies, { resolve, reject }))
  })
}
