import { type MaybePromise, PosthasteError } from '@posthaste/contracts'
import { lastMessage, type StreamSink } from '../connection/types.ts'
import { Exchange } from './endpoint.ts'

/** A call of one message each way. Hot path: this object, and two closures where the answer is promised. */
export class UnaryServing extends Exchange implements StreamSink {
  #over = false

  message(body: Uint8Array, flags: number): void {
    if (this.running !== undefined || this.#over) {
      this.#tooMany()
      return
    }
    try {
      this.#run(this.read(body, flags))
    } catch (thrown) {
      this.#end(thrown)
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

  #run(payload: unknown): void {
    const result: MaybePromise<unknown> = this.dispatch(payload).result
    if (isPromiseLike(result)) {
      result.then(
        (output) => this.#answer(output),
        (thrown: unknown) => this.#end(thrown),
      )
    } else this.#answer(result)
  }

  #answer(output: unknown): void {
    if (this.#over) return
    this.#over = true
    try {
      if (output === undefined) this.stream.end()
      else this.write(output, lastMessage)
    } catch (thrown) {
      this.failUnexpectedly(thrown)
    }
  }

  #end(thrown: unknown): void {
    if (this.#over) return
    this.#over = true
    this.fail(thrown)
  }

  #tooMany(): void {
    if (this.#over) return
    const error = new PosthasteError('INVALID_ARGUMENT', `'${this.endpoint.target}' takes one message`)
    this.#end(error)
    this.running?.cancel(error)
  }
}

function isPromiseLike<T>(value: MaybePromise<T>): value is PromiseLike<T> {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function'
}
