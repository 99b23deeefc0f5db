import type { PosthasteError } from '@posthaste/contracts'

/** What an outbox needs of the side it belongs to. */
export interface OutboxHost {
  /**
   * Writes an item and sends it.
   * @returns false when it waits for credit
   * @throws PosthasteError when the item cannot be written
   */
  send(item: unknown): boolean
  /** Every item was sent. */
  finished(): void
  /** The items broke off, or one of them could not be written. What was thrown, as it is. */
  broken(thrown: unknown): void
}

/**
 * Sends the items of an iteration, and asks for the next only when the last was sent: no more is taken from it than the
 * other side has given credit for.
 */
export class Outbox {
  readonly #host: OutboxHost
  #iterator: AsyncIterator<unknown> | undefined
  #stopped = false
  #room: (() => void) | undefined

  constructor(host: OutboxHost) {
    this.#host = host
  }

  /** Sends what there is; resolves when it has ended, in whatever way. Never rejects. */
  async run(items: AsyncIterable<unknown>): Promise<void> {
    try {
      this.#iterator = items[Symbol.asyncIterator]()
      if (this.#stopped) return this.#return()
      await this.#sendAll(this.#iterator)
    } catch (thrown) {
      if (this.#stopped) return
      this.#stopped = true
      this.#host.broken(thrown)
    }
  }

  /** There is credit again. */
  writable(): void {
    const room = this.#room
    this.#room = undefined
    room?.()
  }

  /** Nobody wants more: the iteration is told so, and nothing is sent any more. Idempotent. */
  stop(): void {
    if (this.#stopped) return
    this.#stopped = true
    this.writable()
    this.#return()
  }

  async #sendAll(iterator: AsyncIterator<unknown>): Promise<void> {
    for (;;) {
      const { done, value } = await iterator.next()
      if (this.#stopped) return
      if (done === true) break
      if (this.#send(value)) continue
      await new Promise<void>((resolve) => {
        this.#room = resolve
      })
      if (this.#stopped) return
    }
    this.#stopped = true
    this.#host.finished()
  }

  /** An item that cannot be written ends the iteration as a `break` would. */
  #send(item: unknown): boolean {
    try {
      return this.#host.send(item)
    } catch (thrown) {
      this.#return()
      throw thrown
    }
  }

  /** What an iteration does when it is told to end is its own affair. */
  #return(): void {
    try {
      this.#iterator?.return?.()?.then(undefined, ignored)
    } catch {
      // As above.
    }
  }
}

const ignored = (_error: PosthasteError): void => {}
