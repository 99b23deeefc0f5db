import { type Headers, PosthasteError } from '@posthaste/contracts'
import type { LinkStream, StreamSink } from '../../src/connection/types.ts'
import { creditCost } from '../../src/wire/constants.ts'

/** A sink that keeps what it is told, and says nothing by itself but that it knows of the end of its stream. */
export class KeepingSink implements StreamSink {
  readonly holdsCredit: boolean
  readonly #stream: LinkStream
  readonly #taken: number[] = []
  messages = 0
  latest: Uint8Array = new Uint8Array(0)
  /** This side has said that it has nothing more to say. */
  hasEnded = false
  /** Credit of what was taken and not consumed. */
  held = 0

  constructor(stream: LinkStream, holdsCredit: boolean) {
    this.#stream = stream
    this.holdsCredit = holdsCredit
  }

  message(body: Uint8Array): void {
    this.messages++
    this.latest = body
    if (!this.holdsCredit) return
    this.#taken.push(body.length)
    this.held += creditCost(body.length)
  }

  ended(_metadata: Headers): void {}

  failed(): void {
    this.end()
  }

  writable(): void {}

  /** Is done with the oldest message that it holds, if any. */
  consume(): void {
    const taken = this.#taken.shift()
    if (taken === undefined) return
    this.held -= creditCost(taken)
    this.#stream.consumed(taken)
  }

  end(): void {
    this.hasEnded = true
    this.#stream.end()
  }

  fail(): void {
    this.#stream.fail(new PosthasteError('CONFLICT', 'enough'))
  }
}
