import { PosthasteError } from '@posthaste/contracts'
import { creditCost, frameFlag } from '../wire/constants.ts'
import type { Frame } from '../wire/frame.ts'
import type { FrameWriter } from '../wire/frame-writer.ts'
import { outOfPlace } from '../wire/violation.ts'
import type { LimitSettings } from './limits.ts'
import type { Stream } from './stream.ts'

const unfinishedBytesLeast = 4096

/**
 * The way into a connection: counts what the other side may still send, puts messages together from their pieces, and
 * grants credit anew, half a window at a time.
 *
 * Of a stream, credit comes back when its sink has consumed. Of the connection, it comes back at once, so that a slow stream
 * does not hold up the others, until what all sinks have not consumed is above a bound of its own.
 */
export class Receiver {
  readonly #writer: FrameWriter
  readonly #limits: LimitSettings
  readonly #low: number
  readonly #streamLow: number
  #credit: number
  #unconsumed = 0
  #unfinishedBytes = 0

  constructor(writer: FrameWriter, limits: LimitSettings) {
    this.#writer = writer
    this.#limits = limits
    this.#credit = limits.connectionWindow
    this.#low = limits.connectionWindow >>> 1
    this.#streamLow = limits.streamWindow >>> 1
  }

  /**
   * Counts what a frame with a message, or a piece of one, costs.
   * @throws FAILED_PRECONDITION when the other side had no credit for it
   */
  spend(stream: Stream | undefined, cost: number): void {
    this.#credit -= cost
    if (this.#credit < 0) throw outOfPlace('more was sent than the connection had credit for')
    if (stream === undefined) return
    stream.receiveCredit -= cost
    if (stream.receiveCredit < 0) throw outOfPlace(`more was sent than stream ${stream.id} had credit for`)
  }

  /**
   * The message that ends with a frame, whose payload from `start` on is the message or a piece of it.
   * @returns undefined where pieces are missing; an error where the message is larger than is taken
   */
  whole(stream: Stream, frame: Frame, start: number): Uint8Array | PosthasteError | undefined {
    const more = (frame.flags & frameFlag.more) !== 0
    if (stream.unfinished === undefined && !more) {
      const body = frame.bytes.subarray(start, frame.end)
      return body.length > this.#limits.messageBytesMax ? this.#oversize() : body
    }
    const bytes = frame.end - start
    if (stream.unfinishedBytes + bytes > this.#limits.messageBytesMax) return this.#oversize()
    if (this.#unfinishedBytes + bytes > this.#limits.unfinishedBytesMax) return overfull()
    this.#append(stream, frame, start)
    if (more) return undefined
    const body = (stream.unfinished as Buffer).subarray(0, stream.unfinishedBytes)
    this.#forgetUnfinished(stream)
    return body
  }

  /** A message has been handed on: holds its credit where the sink does. */
  taken(stream: Stream, bytes: number): void {
    if (!stream.holdsCredit) return
    const cost = creditCost(bytes)
    stream.unconsumed += cost
    this.#unconsumed += cost
  }

  /** A sink has done with a message. */
  consumed(stream: Stream, bytes: number): boolean {
    const cost = Math.min(creditCost(bytes), stream.unconsumed)
    stream.unconsumed -= cost
    this.#unconsumed -= cost
    return this.grant(stream)
  }

  /** A stream is over: what it held is free. Returns whether there was anything. */
  release(stream: Stream): boolean {
    const held = stream.unconsumed
    this.#unconsumed -= held
    stream.unconsumed = 0
    this.#forgetUnfinished(stream)
    return held > 0
  }

  /** Grants what is due to a stream, and to the connection. Returns whether something has been written. */
  grant(stream: Stream | undefined): boolean {
    let granted = false
    if (stream !== undefined && stream.receiveCredit <= this.#streamLow && !stream.endReceived && !stream.over) {
      const bytes = this.#limits.streamWindow - stream.receiveCredit - stream.unconsumed
      granted = bytes >= this.#streamLow
      if (granted) {
        stream.receiveCredit += bytes
        this.#writer.credit(stream.id, bytes)
      }
    }
    if (this.#credit > this.#low) return granted
    const held = Math.max(0, this.#unconsumed - this.#limits.unconsumedBytesMax)
    const bytes = this.#limits.connectionWindow - this.#credit - held
    if (bytes < this.#low) return granted
    this.#credit += bytes
    this.#writer.credit(0, bytes)
    return true
  }

  /** Copies: pieces of a byte each would otherwise take far more memory than they have bytes. */
  #append(stream: Stream, frame: Frame, start: number): void {
    const bytes = stream.unfinishedBytes + frame.end - start
    const memory = stream.unfinished
    if (memory === undefined || memory.length < bytes) {
      const least = Math.min(bytes * 2, this.#limits.messageBytesMax)
      stream.unfinished = Buffer.allocUnsafeSlow(Math.max(least, unfinishedBytesLeast))
      memory?.copy(stream.unfinished, 0, 0, stream.unfinishedBytes)
    }
    frame.bytes.copy(stream.unfinished as Buffer, stream.unfinishedBytes, start, frame.end)
    stream.unfinishedBytes = bytes
    this.#unfinishedBytes += frame.end - start
  }

  #forgetUnfinished(stream: Stream): void {
    this.#unfinishedBytes -= stream.unfinishedBytes
    stream.unfinished = undefined
    stream.unfinishedBytes = 0
  }

  #oversize(): PosthasteError {
    const { messageBytesMax } = this.#limits
    return new PosthasteError('BODY_TOO_LARGE', `a message is larger than the ${messageBytesMax} bytes that are taken`)
  }
}

function overfull(): PosthasteError {
  return new PosthasteError('OVERLOADED', 'too much of unfinished messages has come over the connection')
}
