import type { PosthasteError } from '@posthaste/contracts'
import type { LinkStream } from '../connection/types.ts'

/** What an inbox needs of the side it belongs to. */
export interface InboxHost {
  readonly stream: Pick<LinkStream, 'consumed'>
  /** @throws PosthasteError when the message cannot be read */
  read(body: Uint8Array, flags: number): unknown
  /** Nobody wants more items; called once, and not after the end. */
  left(): void
  /** A message could not be read: the stream is over. */
  unreadable(error: PosthasteError): void
}

interface Message {
  readonly body: Uint8Array
  readonly flags: number
}

interface Waiting {
  resolve(result: IteratorResult<unknown, undefined>): void
  reject(error: PosthasteError): void
}

type End = { readonly how: 'done' } | { readonly how: 'failed'; readonly error: PosthasteError }

const done: IteratorResult<unknown, undefined> = Object.freeze({ done: true, value: undefined })

/**
 * The messages of the other side as an iteration, at the pace of whoever iterates: a message gives its credit back when its
 * item is asked for, so what waits here is bounded by the stream's window. Items that came before an end or a failure are
 * handed out before it.
 */
export class Inbox implements AsyncIterable<unknown>, AsyncIterator<unknown, undefined> {
  readonly #host: InboxHost
  readonly #messages: Message[] = []
  #next = 0
  #end: End | undefined
  #waiting: Waiting | undefined
  #left = false

  constructor(host: InboxHost) {
    this.#host = host
  }

  [Symbol.asyncIterator](): AsyncIterator<unknown, undefined> {
    return this
  }

  /** A message came. What comes after the end, or when nobody wants more, gives its credit back and is dropped. */
  push(body: Uint8Array, flags: number): void {
    if (this.#left || this.#end !== undefined) {
      this.#host.stream.consumed(body.length)
      return
    }
    const waiting = this.#waiting
    if (waiting === undefined) {
      this.#messages.push({ body: kept(body), flags })
      return
    }
    this.#waiting = undefined
    const item = this.#read({ body, flags })
    if (item !== undefined) waiting.resolve(item)
    else waiting.reject(this.#failure())
  }

  /** There will be no more messages. */
  end(): void {
    this.#finish({ how: 'done' })
  }

  /** The stream broke off. */
  fail(error: PosthasteError): void {
    this.#finish({ how: 'failed', error })
  }

  /** The call is over: what waits is dropped, and whoever still iterates sees the end. */
  close(): void {
    this.#left = true
    this.#drop()
    this.#finish({ how: 'done' })
  }

  async next(): Promise<IteratorResult<unknown, undefined>> {
    const message = this.#messages[this.#next]
    if (message !== undefined) {
      this.#advance()
      const item = this.#read(message)
      if (item !== undefined) return item
      throw this.#failure()
    }
    const end = this.#end
    if (end?.how === 'failed' && !this.#left) {
      // Told once; the iteration is over after it.
      this.#end = { how: 'done' }
      throw end.error
    }
    if (end !== undefined) return done
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject }
    })
  }

  async return(): Promise<IteratorResult<unknown, undefined>> {
    const open = this.#end === undefined && !this.#left
    this.close()
    if (open) this.#host.left()
    return done
  }

  #read({ body, flags }: Message): IteratorResult<unknown, undefined> | undefined {
    this.#host.stream.consumed(body.length)
    try {
      return { done: false, value: this.#host.read(body, flags) }
    } catch (thrown) {
      const error = thrown as PosthasteError
      this.#drop()
      this.#end = { how: 'failed', error }
      this.#host.unreadable(error)
      return undefined
    }
  }

  #failure(): PosthasteError {
    const end = this.#end
    this.#end = { how: 'done' }
    return (end as Extract<End, { how: 'failed' }>).error
  }

  #finish(end: End): void {
    if (this.#end !== undefined) return
    this.#end = end
    const waiting = this.#waiting
    if (waiting === undefined) return
    this.#waiting = undefined
    if (end.how === 'done') waiting.resolve(done)
    else waiting.reject(this.#failure())
  }

  #advance(): void {
    this.#next += 1
    if (this.#next < this.#messages.length) return
    this.#messages.length = 0
    this.#next = 0
  }

  #drop(): void {
    for (let at = this.#next; at < this.#messages.length; at++)
      this.#host.stream.consumed(this.#messages[at]!.body.length)
    this.#messages.length = 0
    this.#next = 0
  }
}

/** Bytes up to which a message that waits is copied, so that it does not keep the buffer it came in. */
const copiedBytesMax = 4_096

function kept(body: Uint8Array): Uint8Array {
  return body.length <= copiedBytesMax ? Uint8Array.prototype.slice.call(body) : body
}
