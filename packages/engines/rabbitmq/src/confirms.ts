import type { Buffer as Bytes } from 'node:buffer'
import type { Channel } from 'rabbitmq-client'
import { unknownClient } from './errors.ts'
import { FrameWriter, type Head } from './frames.ts'

/** Who is told what became of a message. */
export interface Confirmation {
  /** The server has it. */
  resolve(): void
  /** The server refused it, or it is unknown what became of it. */
  reject(error: Error): void
}

/**
 * Publishes over a channel with confirms: all that is published in one turn as one write, and without a promise per
 * message. The client's own way of publishing takes three writes and four promises for each.
 */
export class Confirms {
  readonly channel: Channel
  readonly #inside: Inside
  readonly #writer = new FrameWriter()
  #isFlushing = false
  #returning = 0

  /** @throws FAILED_PRECONDITION for a version of the client that keeps confirms otherwise */
  constructor(channel: Channel) {
    this.channel = publishable(channel)
    this.#inside = channel as unknown as Inside
    const { _onMethod: onMethod } = this.#inside
    this.#inside._onMethod = (frame) => {
      if (frame.methodId === basicReturn) this.#returning += 1
      onMethod.call(channel, frame)
    }
    channel.on('basic.return', () => {
      this.#returning -= 1
    })
  }

  get isActive(): boolean {
    return this.channel.active
  }

  /** Whether messages came back that the client has not told yet: it does so in a turn of its own. */
  get isReturning(): boolean {
    return this.#returning > 0
  }

  /**
   * Publishes a message; on an active channel only.
   * @throws RangeError where it does not fit into the frames of the protocol
   */
  publish(head: Head, body: Bytes, confirmation: Confirmation): void {
    const { id: channelId, _state: state } = this.#inside
    this.#writer.message(head, body, { channelId, frameBytesMax: state.maxFrameSize })
    state.unconfirmed.set(state.deliveryCount++, confirmation)
    if (this.#isFlushing) return
    this.#isFlushing = true
    // After all that goes on in this turn, which may publish more.
    process.nextTick(() => this.#flush())
  }

  #flush(): void {
    this.#isFlushing = false
    const frames = this.#writer.take()
    // What a channel had under way when it ended it has refused.
    if (this.channel.active) this.#inside._state.stream.write(frames[Symbol.iterator](), () => {})
  }
}

/**
 * A channel of a client whose confirms are kept as is known here.
 * @throws FAILED_PRECONDITION for another version
 */
export function publishable(channel: Channel): Channel {
  const { id, _state: state, _onMethod: onMethod } = channel as unknown as Inside
  const isKnown =
    state?.unconfirmed instanceof Map &&
    [id, state.maxFrameSize, state.deliveryCount].every((each) => Number.isInteger(each) && each > 0) &&
    [onMethod, state.stream?.write].every((each) => typeof each === 'function')
  if (!isKnown) throw unknownClient('keeps confirms otherwise')
  return channel
}

/** `basic.return` */
const basicReturn = 0x003c_0032

interface Inside {
  readonly id: number
  readonly _state: {
    readonly maxFrameSize: number
    readonly unconfirmed: Map<number, Confirmation>
    readonly stream: { write(frames: Iterator<Bytes>, done: () => void): boolean }
    deliveryCount: number
  }
  _onMethod(frame: { readonly methodId: number }): void
}
