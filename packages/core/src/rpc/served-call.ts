import {
  type AnswerSink,
  type IncomingCall,
  PosthasteError,
  type RunningCall,
  type Service,
} from '@posthaste/contracts'
import { createCall } from '../pipeline/call.ts'
import { cancelSource } from '../pipeline/cancellation.ts'
import { type Continuation, continueWith, follow } from '../pipeline/continuation.ts'
import { isPromiseLike } from '../pipeline/maybe-promise.ts'
import { stillRunning } from '../pipeline/still-running.ts'
import type { ServeHost } from './hosts.ts'

/** A method as its calls are run. */
export interface Served {
  readonly target: string
  readonly idempotent: boolean
  readonly run: Service
}

/**
 * One call on its way through the serving stack. Hot path: one object and one cancellation, no closure, and a promise of its
 * own only for those who ask for one.
 */
export class ServedCall implements RunningCall {
  readonly #source = cancelSource()
  readonly #target: string
  /** Whether the work has ended. */
  #ended = false
  /** How it went for its caller, who may know before. */
  #outcome: 'open' | 'succeeded' | 'failed' = 'open'
  #output: unknown = undefined
  /** Who is told; whoever comes later learns from the fields above. */
  #sink: AnswerSink | undefined = undefined
  #result: Promise<unknown> | undefined = undefined
  /** Made when somebody asks what is left. */
  #unfinished: PromiseWithResolvers<void> | undefined = undefined

  constructor(incoming: IncomingCall, served: Served, host: Pick<ServeHost<unknown>, 'clock' | 'newId'>) {
    const call = createCall({
      kind: 'serve',
      target: served.target,
      id: incoming.id ?? host.newId(),
      payload: incoming.payload,
      headers: incoming.headers,
      deadlineAtMs: host.clock.monotonicMs() + (incoming.timeoutMs ?? Number.POSITIVE_INFINITY),
      idempotent: served.idempotent,
      cancellation: this.#source.token,
    })
    this.#target = served.target
    let output: unknown
    try {
      output = served.run(call)
    } catch (thrown) {
      this.failed(thrown)
      return
    }
    // Nothing to wait for: both ways end in the outcome.
    if (isPromiseLike(output)) void continueWith(output, settling, this)
    else this.succeeded(output)
  }

  get result(): Promise<unknown> {
    this.#result ??= new Promise((resolve, reject) => this.tell({ answered: resolve, unanswered: reject }))
    return this.#result
  }

  tell(sink: AnswerSink): void {
    if (this.#outcome === 'open') this.#sink = sink
    else if (this.#outcome === 'succeeded') sink.answered(this.#output)
    else sink.unanswered(this.#output as PosthasteError)
  }

  /** Whoever cancels has its answer at once, however long the handler takes to notice. */
  cancel(reason: PosthasteError): void {
    if (this.#ended) return
    this.#source.cancel(reason)
    this.#settle('failed', reason)
  }

  unfinished(): Promise<void> | undefined {
    if (this.#ended) return undefined
    this.#unfinished ??= Promise.withResolvers<void>()
    return this.#unfinished.promise
  }

  succeeded(output: unknown): void {
    this.#end()
    this.#settle('succeeded', output)
  }

  failed(thrown: unknown): void {
    const work = stillRunning(thrown)
    if (work === undefined) this.#end()
    else this.#endAfter(work)
    this.#settle('failed', PosthasteError.from(thrown, 'INTERNAL', this.#target))
  }

  /** The first outcome is that of the call. */
  #settle(outcome: 'succeeded' | 'failed', output: unknown): void {
    if (this.#outcome !== 'open') return
    this.#outcome = outcome
    const sink = this.#sink
    if (sink === undefined) this.#output = output
    else if (outcome === 'succeeded') sink.answered(output)
    else sink.unanswered(output as PosthasteError)
  }

  /** The time of the call is up, and its work runs on. */
  #endAfter(work: PromiseLike<unknown>): void {
    const end = (): void => this.#end()
    void follow(work, end, end)
  }

  #end(): void {
    this.#ended = true
    this.#unfinished?.resolve()
  }
}

const settling: Continuation<ServedCall> = {
  succeeded: (output, call) => call.succeeded(output),
  failed: (thrown, call) => call.failed(thrown),
}
