import {
  type Call,
  type CalledMethod,
  type Cancellation,
  isStream,
  type MaybePromise,
  PosthasteError,
  type Service,
  type StreamSource,
} from '@posthaste/contracts'
import { createCall } from '../../pipeline/call.ts'
import { type CancelSource, cancelSource } from '../../pipeline/cancellation.ts'
import { andThen, attempt } from '../../pipeline/maybe-promise.ts'
import { type CallOptions, checkStreamCallOptions, headersOf } from '../call-options.ts'
import type { ClientHost } from '../hosts.ts'
import { type CancelScope, scopeOf } from '../scope.ts'
import { targetOf } from '../target.ts'
import { answeredStream, ItemStream, isStreamSource, notAStream } from './item-stream.ts'

/** What the calls of a method with a stream need. */
export interface StreamCalling {
  readonly run: Service
  /** Milliseconds a stream may take; `Infinity` for as long as it lasts. */
  readonly timeoutMs: number
}

/**
 * What callers of a method with a stream call: it answers with a stream that begins the call when its first item is asked for,
 * so that one that nobody reads costs nothing, or with a promise where only the input is a stream.
 */
export function streamCallable(
  method: CalledMethod,
  calling: StreamCalling,
  host: ClientHost,
): (input: unknown, options?: CallOptions) => unknown {
  if (isStream(method.contract.output))
    return (input, options = {}) =>
      new CalledStream(() => new StreamingCall(method, { input, options }, { calling, host }))
  return async (input, options = {}) => {
    const call = new StreamingCall(method, { input, options }, { calling, host })
    try {
      return await call.result
    } finally {
      call.end()
    }
  }
}

interface Given {
  readonly input: unknown
  readonly options: CallOptions
}

interface Means {
  readonly calling: StreamCalling
  readonly host: ClientHost
}

/** One call with a stream, from its beginning to its end. */
class StreamingCall {
  /** What the stack answers, or a rejection as soon as the call is cancelled. */
  readonly result: Promise<unknown>
  readonly #scope: CancelScope
  readonly #source: CancelSource
  readonly #input: ItemStream | undefined

  /** @throws CONFIG_INVALID for wrong options, PAYLOAD_INVALID for an input that is no stream, or why there are no calls now */
  constructor({ service, method, contract }: CalledMethod, { input, options }: Given, { calling, host }: Means) {
    const target = targetOf(service, method)
    checkStreamCallOptions(target, options)
    const stream = isStream(contract.input) ? streamIn(input, target) : undefined
    this.#scope = scopeOf(options)
    this.#source = cancelSource(this.#scope.cancellation)
    const cancellation = this.#source.token
    const refusal = host.refusal() ?? cancellation.reason
    this.#input = stream && this.#reading(stream, target)
    const ownDeadlineAtMs = host.clock.monotonicMs() + (options.timeoutMs ?? calling.timeoutMs)
    const call = createCall({
      kind: 'request',
      target,
      id: host.newId(),
      payload: this.#input ?? input,
      headers: headersOf(options),
      deadlineAtMs: Math.min(ownDeadlineAtMs, options.within?.deadlineAtMs ?? Number.POSITIVE_INFINITY),
      idempotent: contract.idempotent ?? false,
      cancellation,
      overrides: options,
    })
    const run: Service = isStream(contract.output)
      ? (made) => andThen(calling.run(made), (answer) => answeredStream(answer, made))
      : calling.run
    this.result = refusal === undefined ? this.#run(call, run, cancellation) : Promise.reject(refusal)
  }

  cancel(reason: PosthasteError): void {
    this.#source.cancel(reason)
  }

  /** The call is over, in whatever way. */
  end(): void {
    void this.#input?.return()
    this.#source.release()
    this.#scope.leave()
  }

  /** The caller's own mistakes, and failures of what makes the items, end the call: nobody can go on with it. */
  #reading(input: StreamSource<unknown>, target: string): ItemStream {
    return new ItemStream(input, {
      cancellation: this.#source.token,
      failureOf: (thrown) => PosthasteError.from(thrown, 'CANCELLED', `the input of ${target} failed`),
      onFailure: (failure) => this.#source.cancel(failure),
    })
  }

  #run(call: Call, run: Service, cancellation: Cancellation): Promise<unknown> {
    return new Promise((resolve, reject) => {
      cancellation.onCancel(reject)
      void attempt(() => run(call), resolve, reject)
    })
  }
}

/** @throws PAYLOAD_INVALID where the input is no stream */
function streamIn(input: unknown, target: string): StreamSource<unknown> {
  if (isStreamSource(input)) return input
  throw notAStream('PAYLOAD_INVALID', `the input of ${target}`, input)
}

const done: IteratorReturnResult<undefined> = Object.freeze({ done: true, value: undefined })

interface Reader {
  resolve(result: MaybePromise<IteratorResult<unknown, undefined>>): void
  reject(failure: unknown): void
}

/** The output of a call, which begins with the first question. After its end, in whatever way, there is nothing more. */
class CalledStream implements AsyncIterableIterator<unknown, undefined> {
  readonly #begin: () => StreamingCall
  #call: StreamingCall | undefined = undefined
  #stream: ItemStream | undefined = undefined
  /** Those who asked before the stream was there. */
  #readers: Reader[] = []
  #over = false

  constructor(begin: () => StreamingCall) {
    this.#begin = begin
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  /** Hot path: the stream's own promise, once it is there. */
  next(): Promise<IteratorResult<unknown, undefined>> {
    if (this.#stream !== undefined) return this.#stream.next()
    if (this.#over) return Promise.resolve(done)
    return new Promise((resolve, reject) => {
      this.#readers.push({ resolve, reject })
      if (this.#readers.length === 1) this.#start()
    })
  }

  return(): Promise<IteratorReturnResult<undefined>> {
    if (this.#stream !== undefined) return this.#stream.return()
    this.#end()
    this.#call?.cancel(new PosthasteError('CANCELLED', 'the caller wants no more of the stream'))
    return Promise.resolve(done)
  }

  #start(): void {
    try {
      const call = this.#begin()
      this.#call = call
      void call.result.then(
        (stream) => this.#begun(stream as ItemStream, call),
        (failure) => this.#failed(failure),
      )
    } catch (failure) {
      this.#failed(failure)
    }
  }

  #begun(stream: ItemStream, call: StreamingCall): void {
    void stream.ended.then(() => call.end())
    // Whoever left meanwhile has cancelled the call, and the stream with it.
    if (this.#over) return
    this.#stream = stream
    // In one go, or somebody who asks meanwhile would be answered before them.
    for (const { resolve } of this.#readers.splice(0)) resolve(stream.next())
  }

  /** Told to whoever asked first; the others find that it is over. */
  #failed(failure: unknown): void {
    this.#call?.end()
    this.#readers.shift()?.reject(failure)
    this.#end()
  }

  #end(): void {
    this.#over = true
    for (const { resolve } of this.#readers.splice(0)) resolve(done)
  }
}
