import { type MaybePromise, PosthasteError, type RunningCall } from '@posthaste/contracts'
import { lastMessage, type StreamSink } from '../connection/types.ts'
import { Exchange } from './endpoint.ts'

/** A call of one message each way. Hot path: this object, and two closures where the answer is promised. */
export class UnaryServing extends Exchange implements StreamSink {
  #running: RunningCall | undefined
  #over = false

  message(body: Uint8Array, flags: number): void {
    if (this.#running !== undefined || this.#over) {
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
    if (this.#running === undefined && !this.#over) this.#run(undefined)
  }

  failed(error: PosthasteError): void {
    this.#over = true
    if (this.#running === undefined) this.stream.end()
    else this.#running.cancel(error)
  }

  writable(): void {}

  #run(payload: unknown): void {
    const running = this.dispatch(payload)
    this.#running = running
    const result: MaybePromise<unknown> = running.result
    if (isPromiseLike(result)) {
      result.then(
        (output) => this.#answer(output),
        (thrown: unknown) => this.#end(thrown),
      )
    } else this.#answer(result)
  }

  #answer(output: unknown): void {
    if (this.#over) {
      this.#lapse()
      return
    }
    this.#over = true
    try {
      if (output === undefined) this.stream.end()
      else this.write(output, lastMessage)
    } catch (thrown) {
      this.failUnexpectedly(thrown)
    }
  }

  #end(thrown: unknown): void {
    if (this.#over) {
      this.#lapse()
      return
    }
    this.#over = true
    this.fail(thrown)
  }

  /** The work has ended of a call that its caller gave up: till then it has counted among the connection's streams. */
  #lapse(): void {
    this.stream.end()
  }

  #tooMany(): void {
    if (this.#over) return
    const error = new PosthasteError('INVALID_ARGUMENT', `'${this.endpoint.target}' takes one message`)
    this.#end(error)
    this.#running?.cancel(error)
  }
}

function isPromiseLike<T>(value: MaybePromise<T>): value is PromiseLike<T> {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function'
}
