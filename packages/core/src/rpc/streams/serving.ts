import {
  type Call,
  type IncomingCall,
  isStream,
  type Log,
  type MethodContract,
  PosthasteError,
  type RunningCall,
  type Service,
} from '@posthaste/contracts'
import { createCall } from '../../pipeline/call.ts'
import { cancelSource } from '../../pipeline/cancellation.ts'
import { follow } from '../../pipeline/continuation.ts'
import { andThen, attempt } from '../../pipeline/maybe-promise.ts'
import { stillRunning } from '../../pipeline/still-running.ts'
import type { ServeHost } from '../hosts.ts'
import { answeredStream, ItemStream, isStreamSource, notAStream } from './item-stream.ts'

/** A handler, and what becomes of what it fails with. */
export interface StreamHandler<C> {
  readonly handle: (input: unknown, ctx: C) => unknown
  readonly failureOf: (thrown: unknown, call: Call, log: Log) => PosthasteError
}

/**
 * The innermost service of a method that answers with a stream: the handler's, read by whoever asked. When the reader leaves,
 * the handler's signal aborts, and then its generator is told to return.
 */
export function handlingStreams<C>({ handle, failureOf }: StreamHandler<C>, host: ServeHost<C>): Service {
  return (call) => {
    const source = cancelSource(call.cancellation)
    const failed = (thrown: unknown): PosthasteError => failureOf(thrown, call, host.log)
    return attempt(
      () => handle(call.payload, host.context(call.derive({ cancellation: source.token }))),
      (output) => {
        if (!isStreamSource(output)) throw failed(notAStream('INTERNAL', `the output of ${call.target}`, output))
        return new ItemStream(output, {
          cancellation: source.token,
          failureOf: failed,
          onLeft: () => source.cancel(new PosthasteError('CANCELLED', 'the caller wants no more of the stream')),
        })
      },
      (thrown) => {
        throw failed(thrown)
      },
    )
  }
}

/** A method with a stream, as its calls are run. */
export interface ServedStreams {
  readonly target: string
  readonly contract: MethodContract
  readonly run: Service
}

/** One call with a stream on its way through the serving stack, under way until its streams have ended. */
export class ServedStreamCall implements RunningCall {
  readonly result: Promise<unknown>
  /** Resolves when nothing of the call is under way any more. Never rejects. */
  readonly ended: Promise<void>
  readonly #source = cancelSource()
  readonly #input: ItemStream | undefined
  #end: () => void = () => {}
  #over = false
  /** What runs on though the time of the call was up. */
  #late: Promise<void> | undefined = undefined

  constructor(
    incoming: IncomingCall,
    served: ServedStreams,
    host: Pick<ServeHost<unknown>, 'clock' | 'newId' | 'open'>,
  ) {
    const { target, contract, run } = served
    this.#input = isStream(contract.input) ? this.#reading(incoming.payload, target) : undefined
    this.ended = new Promise((resolve) => {
      this.#end = resolve
    })
    host.open.add(this)
    void this.ended.then(() => host.open.delete(this))
    const call = createCall({
      kind: 'serve',
      target,
      id: incoming.id ?? host.newId(),
      payload: this.#input ?? incoming.payload,
      headers: incoming.headers,
      deadlineAtMs: host.clock.monotonicMs() + (incoming.timeoutMs ?? Number.POSITIVE_INFINITY),
      idempotent: contract.idempotent ?? false,
      cancellation: this.#source.token,
    })
    this.result = new Promise((resolve, reject) => {
      this.#source.token.onCancel(reject)
      void attempt(
        () => (isStream(contract.output) ? andThen(run(call), (output) => answeredStream(output, call)) : run(call)),
        (output) => this.#answered(output, resolve),
        (thrown) => {
          reject(PosthasteError.from(thrown, 'INTERNAL', target))
          this.#finishLate(stillRunning(thrown))
        },
      )
    })
  }

  cancel(reason: PosthasteError): void {
    if (!this.#over) this.#source.cancel(reason)
  }

  unfinished(): Promise<void> | undefined {
    return this.#over ? this.#late : this.ended.then(() => this.#late)
  }

  #answered(output: unknown, resolve: (output: unknown) => void): void {
    resolve(output)
    if (output instanceof ItemStream) void output.ended.then(() => this.#finish())
    else this.#finish()
  }

  /** An input that does not fit, or breaks off, ends the call, whatever the handler makes of it. */
  #reading(payload: unknown, target: string): ItemStream {
    const what = `the input of ${target}`
    return new ItemStream(isStreamSource(payload) ? payload : failing(notAStream('INTERNAL', what, payload)), {
      cancellation: this.#source.token,
      failureOf: (thrown) => PosthasteError.from(thrown, 'UNAVAILABLE', `${what} broke off`),
      onFailure: (failure) => this.#source.cancel(failure),
    })
  }

  /** The call is over with its failure, and the work perhaps later. */
  #finishLate(work: PromiseLike<unknown> | undefined): void {
    if (work !== undefined) {
      const end = (): void => {
        this.#late = undefined
      }
      this.#late = follow(work, end, end)
    }
    this.#finish()
  }

  /** What still reads the input learns that it ended with the call, and not by itself. */
  #finish(): void {
    this.#over = true
    this.#input?.cancel(new PosthasteError('CANCELLED', 'the call has ended'))
    this.#end()
  }
}

/** What a transport gave in place of a stream. */
function failing(failure: PosthasteError): AsyncIterable<never> {
  return { [Symbol.asyncIterator]: () => ({ next: () => Promise.reject(failure) }) }
}
