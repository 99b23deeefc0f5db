import { type Headers, PosthasteError, type RunningCall } from '@posthaste/contracts'
import { type IncomingStream, type LinkStream, lastMessage, type StreamSink } from '../connection/types.ts'
import { type Endpoint, Exchange } from './endpoint.ts'
import { Inbox } from './inbox.ts'
import { Outbox } from './outbox.ts'

/** A call with a stream on one side or on both. */
export class StreamServing extends Exchange implements StreamSink {
  readonly holdsCredit: boolean
  readonly #inbox: Inbox | undefined
  #outbox: Outbox | undefined
  #over = false

  constructor(endpoint: Endpoint, opening: IncomingStream, stream: LinkStream) {
    super(endpoint, opening, stream)
    this.holdsCredit = endpoint.takesStream
    if (!endpoint.takesStream) return
    const inbox = new Inbox({
      stream,
      read: (body, flags) => this.read(body, flags),
      left: () => {},
      unreadable: (error) => this.#abandon(error),
    })
    this.#inbox = inbox
    // Not before the connection knows this sink; nothing has come in by then.
    queueMicrotask(() => this.#begin(inbox))
  }

  message(body: Uint8Array, flags: number): void {
    if (this.#inbox !== undefined) {
      this.#inbox.push(body, flags)
      if ((flags & lastMessage) !== 0) this.#inbox.end()
    } else if (this.running === undefined) this.#readAndBegin(body, flags)
    else this.#abandon(new PosthasteError('INVALID_ARGUMENT', `'${this.endpoint.target}' takes one message`))
  }

  ended(_metadata: Headers): void {
    if (this.#inbox !== undefined) this.#inbox.end()
    else if (this.running === undefined) this.#begin(undefined)
  }

  failed(error: PosthasteError): void {
    this.#over = true
    this.#inbox?.fail(error)
    this.giveUp(error)
    this.#outbox?.stop()
  }

  writable(): void {
    this.#outbox?.writable()
  }

  #readAndBegin(body: Uint8Array, flags: number): void {
    try {
      this.#begin(this.read(body, flags))
    } catch (thrown) {
      this.#end(thrown)
    }
  }

  #begin(payload: unknown): void {
    if (this.#over || this.running !== undefined) return
    this.#answer(this.dispatch(payload).result).catch((thrown: unknown) => this.#end(thrown))
  }

  async #answer(result: RunningCall['result']): Promise<void> {
    const output = await result
    if (this.endpoint.answersStream) return this.#sendAll(output as AsyncIterable<unknown>)
    if (this.#over) return
    this.#close()
    if (output === undefined) return this.stream.end()
    try {
      this.write(output, lastMessage)
    } catch (thrown) {
      this.failUnexpectedly(thrown)
    }
  }

  async #sendAll(items: AsyncIterable<unknown>): Promise<void> {
    const outbox = new Outbox({
      send: (item) => this.#sendItem(item),
      finished: () => {
        if (this.#over) return
        this.#close()
        this.stream.end()
      },
      broken: (thrown) => this.#end(thrown),
    })
    this.#outbox = outbox
    if (this.#over) outbox.stop()
    await outbox.run(items)
  }

  #sendItem(item: unknown): boolean {
    try {
      return this.write(item, 0)
    } catch (cause) {
      const { target, host } = this.endpoint
      host.log.error('an item could not be written', { target, error: cause })
      throw new PosthasteError('INTERNAL', `an item of '${target}' could not be written`)
    }
  }

  /** The call cannot go on: its handler is told, and its caller. */
  #abandon(error: PosthasteError): void {
    this.#end(error)
    this.running?.cancel(error)
    this.#outbox?.stop()
  }

  #end(thrown: unknown): void {
    if (this.#over) return
    this.#close()
    this.fail(thrown)
  }

  /** Nothing is sent any more; what still comes in is dropped. */
  #close(): void {
    this.#over = true
    this.#inbox?.close()
  }
}
