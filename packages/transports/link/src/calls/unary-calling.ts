import { type OutgoingCall, PosthasteError } from '@posthaste/contracts'
import { type LinkStream, lastMessage, type StreamSink } from '../connection/types.ts'
import { type Callee, wireTimeout } from './callee.ts'
import type { Format } from './formats.ts'
import { metadataOf } from './metadata.ts'

/** A call of one message each way. Hot path: this object, a promise, and a closure for whoever gives the call up. */
export class UnaryCalling implements StreamSink {
  readonly #callee: Callee
  readonly #format: Format
  readonly #stream: LinkStream
  readonly answer: Promise<unknown>
  readonly #resolve: (value: unknown) => void
  readonly #reject: (error: PosthasteError) => void
  /** Takes back what listens to the caller; undefined once the call is over. */
  #leave: (() => void) | undefined

  /** @throws PAYLOAD_INVALID or BODY_TOO_LARGE when the input cannot be sent; why the call was given up, if it was */
  constructor(callee: Callee, outgoing: OutgoingCall) {
    const { payload, headers, id, timeoutMs, cancellation } = outgoing
    if (cancellation.reason !== undefined) throw cancellation.reason
    const format = callee.format
    const message = payload === undefined ? undefined : callee.write(format, payload)
    this.#callee = callee
    this.#format = format
    this.answer = new Promise(capture)
    this.#resolve = resolveCaptured
    this.#reject = rejectCaptured
    this.#stream = callee.host.dialer.open(
      {
        method: callee.target,
        metadata: metadataOf(headers, id),
        timeoutMs: wireTimeout(timeoutMs),
        codec: format.contentType,
        body: message?.body,
        flags: message === undefined ? lastMessage : message.flags | lastMessage,
      },
      this,
    )
    this.#leave = cancellation.onCancel((reason) => this.#giveUp(reason))
  }

  message(body: Uint8Array, flags: number): void {
    if (!this.#over()) return
    if ((flags & lastMessage) === 0) this.#stream.fail(onlyOne)
    let value: unknown
    try {
      value = this.#callee.read(this.#format, body, flags)
    } catch (thrown) {
      this.#reject(thrown as PosthasteError)
      return
    }
    this.#resolve(value)
  }

  ended(): void {
    if (this.#over()) this.#resolve(undefined)
  }

  failed(error: PosthasteError): void {
    if (this.#over()) this.#reject(error)
  }

  writable(): void {}

  #giveUp(reason: PosthasteError): void {
    if (!this.#over()) return
    this.#stream.fail(reason)
    this.#reject(reason)
  }

  /** Ends the call, unless it is over already. */
  #over(): boolean {
    const leave = this.#leave
    if (leave === undefined) return false
    this.#leave = undefined
    leave()
    return true
  }
}

type Resolve = (value: unknown) => void
type Reject = (error: PosthasteError) => void

let resolveCaptured: Resolve
let rejectCaptured: Reject

/** Hands the two functions of a promise over to whoever has just made it, without a closure for each. */
function capture(resolve: Resolve, reject: Reject): void {
  resolveCaptured = resolve
  rejectCaptured = reject
}

const onlyOne = new PosthasteError('CANCELLED', 'one message was expected, and came')
