import { type Headers, type OutgoingCall, PosthasteError } from '@posthaste/contracts'
import { type LinkStream, lastMessage, type StreamSink } from '../connection/types.ts'
import { type Callee, wireTimeout } from './callee.ts'
import type { Format } from './formats.ts'
import { Inbox } from './inbox.ts'
import { metadataOf } from './metadata.ts'
import { Outbox } from './outbox.ts'

/** A call with a stream on one side or on both. */
export class StreamCalling implements StreamSink {
  /** What the caller gets: the items, or a promise of the one answer. */
  readonly answer: AsyncIterable<unknown> | Promise<unknown>
  readonly holdsCredit: boolean
  readonly #callee: Callee
  readonly #format: Format
  readonly #stream: LinkStream
  readonly #inbox: Inbox | undefined
  readonly #outbox: Outbox | undefined
  readonly #settle: PromiseWithResolvers<unknown> | undefined
  readonly #leave: () => void
  #over = false

  /** @throws PAYLOAD_INVALID or BODY_TOO_LARGE when the input cannot be sent; why the call was given up, if it was */
  constructor(callee: Callee, outgoing: OutgoingCall) {
    const { payload, headers, id, timeoutMs, cancellation } = outgoing
    if (cancellation.reason !== undefined) throw cancellation.reason
    this.#callee = callee
    this.#format = callee.format
    this.holdsCredit = callee.answersStream
    const single = !callee.takesStream && payload !== undefined
    const message = single ? callee.write(this.#format, payload) : undefined
    const flags = callee.takesStream ? 0 : lastMessage
    this.#stream = callee.host.dialer.open(
      {
        method: callee.target,
        metadata: metadataOf(headers, id),
        timeoutMs: wireTimeout(timeoutMs),
        codec: this.#format.contentType,
        body: message?.body,
        flags: (message?.flags ?? 0) | flags,
      },
      this,
    )
    this.#inbox = callee.answersStream ? this.#newInbox() : undefined
    this.#settle = callee.answersStream ? undefined : Promise.withResolvers<unknown>()
    this.answer = this.#inbox ?? (this.#settle as PromiseWithResolvers<unknown>).promise
    this.#outbox = callee.takesStream ? this.#newOutbox() : undefined
    this.#leave = cancellation.onCancel((reason) => this.#abandon(reason))
    void this.#outbox?.run(payload as AsyncIterable<unknown>)
  }

  message(body: Uint8Array, flags: number): void {
    const last = (flags & lastMessage) !== 0
    if (this.#inbox !== undefined) {
      this.#inbox.push(body, flags)
      if (last) this.#finish()
    } else if (!this.#over) this.#answered(body, flags)
  }

  ended(_metadata: Headers): void {
    this.#finish()
    this.#settle?.resolve(undefined)
  }

  failed(error: PosthasteError): void {
    if (this.#close()) this.#tell(error)
  }

  writable(): void {
    this.#outbox?.writable()
  }

  #answered(body: Uint8Array, flags: number): void {
    try {
      this.#settle?.resolve(this.#callee.read(this.#format, body, flags))
      this.#finish()
    } catch (thrown) {
      this.#abandon(thrown as PosthasteError)
    }
  }

  /** The callee has said all it had to say, so it wants no more either. */
  #finish(): void {
    this.#inbox?.end()
    if (this.#close()) this.#stream.end()
  }

  /** The call cannot go on, or nobody wants it to: the callee is told, and whoever waits. */
  #abandon(error: PosthasteError): void {
    if (!this.#close()) return
    this.#stream.fail(error)
    this.#tell(error)
  }

  #tell(error: PosthasteError): void {
    this.#inbox?.fail(error)
    this.#settle?.reject(error)
  }

  /** @returns whether this was the end of the call */
  #close(): boolean {
    if (this.#over) return false
    this.#over = true
    this.#leave()
    this.#outbox?.stop()
    return true
  }

  #newInbox(): Inbox {
    return new Inbox({
      stream: this.#stream,
      read: (body, flags) => this.#callee.read(this.#format, body, flags),
      left: () => this.#abandon(new PosthasteError('CANCELLED', 'nobody wants more of the stream')),
      unreadable: (error) => this.#abandon(error),
    })
  }

  #newOutbox(): Outbox {
    return new Outbox({
      send: (item) => {
        const { body, flags } = this.#callee.write(this.#format, item)
        return this.#stream.send(body, flags)
      },
      finished: () => this.#stream.end(),
      broken: (thrown) =>
        this.#abandon(PosthasteError.from(thrown, 'INTERNAL', `the input of '${this.#callee.target}' broke off`)),
    })
  }
}
