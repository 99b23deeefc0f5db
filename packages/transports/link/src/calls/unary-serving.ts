import { type AnswerSink, PosthasteError, type RunningCall } from '@posthaste/contracts'
import { lastMessage, type StreamSink } from '../connection/types.ts'
import { Exchange } from './endpoint.ts'

/** A call of one message each way. Hot path: this object, told both what comes over the stream and what is answered. */
export class UnaryServing extends Exchange implements StreamSink, AnswerSink {
  #over = false

  message(body: Uint8Array, flags: number): void {
    if (this.running !== undefined || this.#over) {
      this.#tooMany()
      return
    }
    try {
      this.#run(this.read(body, flags))
    } catch (thrown) {
      this.unanswered(thrown)
    }
  }

  ended(): void {
    if (this.running === undefined && !this.#over) this.#run(undefined)
  }

  failed(error: PosthasteError): void {
    this.#over = true
    this.giveUp(error)
  }

  writable(): void {}

  answered(output: unknown): void {
    if (this.#over) return
    this.#over = true
    try {
      if (output === undefined) this.stream.end()
      else this.write(output, lastMessage)
    } catch (thrown) {
      this.failUnexpectedly(thrown)
    }
  }

  unanswered(failure: unknown): void {
    if (this.#over) return
    this.#over = true
    this.fail(failure)
  }

  #run(payload: unknown): void {
    const running = this.dispatch(payload)
    if (running.tell === undefined) this.#follow(running)
    else running.tell(this)
  }

  #follow({ result }: RunningCall): void {
    result.then(
      (output) => this.answered(output),
      (thrown: unknown) => this.unanswered(thrown),
    )
  }

  #tooMany(): void {
    if (this.#over) return
    const error = new PosthasteError('INVALID_ARGUMENT', `'${this.endpoint.target}' takes one message`)
    this.unanswered(error)
    this.running?.cancel(error)
  }
}
