import { type Call, type MaybePromise, PosthasteError, type Service } from '@posthaste/contracts'
import { createCall } from '../../pipeline/call.ts'
import { isPromiseLike } from '../../pipeline/maybe-promise.ts'
import type { FilterDeps, FilterStack } from '../../pipeline/stack.ts'
import type { BodyReader } from '../bodies/reading.ts'
import { Batch, type BatchItem, type Result, type Round } from './batch.ts'
import type { BatchContext, ErasedBatchHandler, ReceivedMessage } from './batch-message.ts'
import type { ContextScope } from './context.ts'
import { doneQuietly, type Ending, failed, handlerError } from './ending.ts'
import { reading } from './handling.ts'
import type { Work } from './work.ts'

/** What handles batches of deliveries of one subscription. */
export interface BatchHandling {
  /**
   * Reads messages, and passes those that can be read through the stack to the handler, as one.
   * @returns how each ended, in the same order; never throws, never rejects
   */
  handle(works: readonly Work[]): MaybePromise<readonly Ending[]>
}

/** What a handling of batches is made of. */
export interface BatchHandlingInit {
  readonly handler: ErasedBatchHandler
  readonly read: BodyReader
  readonly stack: FilterStack
  readonly scope: ContextScope
  /** Whether a failure is worth another attempt at once. */
  readonly retryOn: (thrown: unknown, made: number) => boolean
  /** The target names the subscription in calls and errors: `shop.order.created@points`. */
  readonly deps: FilterDeps
}

/** Binds a handler of batches to its contract and stack, once per subscription. */
export function batchHandling(init: BatchHandlingInit): BatchHandling {
  const { stack, retryOn, deps } = init
  const { target } = deps
  const read = reading(init.read, target)
  const service = stack.around(batchService(init))

  const run = (items: readonly BatchItem[]): MaybePromise<readonly Ending[]> => {
    const batch = new Batch(items, retryOn)
    const [first] = batch.messages
    if (first === undefined) return endingsOf(items, undefined)
    const { id } = first.delivery.record
    const cancellation = batch.cancellation
    const call = createCall<Batch>({ kind: 'handle', target, id, payload: batch, idempotent: true, cancellation })
    const end = (thrown: unknown): readonly Ending[] => {
      batch.close()
      return endingsOf(items, thrown)
    }
    try {
      const result = service(call)
      return isPromiseLike(result) ? result.then(() => end(undefined), end) : end(undefined)
    } catch (thrown) {
      return end(thrown)
    }
  }

  return {
    handle(works) {
      const items = works.map((work): BatchItem => ({ work, ending: undefined }))
      const pending: PromiseLike<void>[] = []
      for (const item of items) {
        const keep = (ending: Ending | undefined): void => {
          item.ending = ending
        }
        const ending = read(item.work)
        if (isPromiseLike(ending)) pending.push(ending.then(keep))
        else keep(ending)
      }
      return pending.length === 0 ? run(items) : Promise.all(pending).then(() => run(items))
    },
  }
}

/** What is left to say of each when the stack has ended. */
function endingsOf(items: readonly BatchItem[], thrown: unknown): readonly Ending[] {
  return items.map(({ work, ending }) => {
    if (ending !== undefined) return ending
    const reason = work.failure ?? thrown
    return reason === undefined ? doneQuietly : failed(work, reason)
  })
}

/** The innermost service: one attempt of the handler, with those of the batch that are worth one. */
function batchService({ handler, scope, deps }: BatchHandlingInit): Service<Batch, void> {
  const invoke = handler as (messages: readonly ReceivedMessage[], context: BatchContext) => unknown
  const errorOf = (thrown: unknown): PosthasteError => handlerError(thrown, deps.target)

  const fail = (round: Round, thrown: unknown): never => {
    const error = errorOf(thrown)
    return round.finish(round.messages.map(() => ({ error }))) as never
  }

  const finish = (round: Round, answer: unknown): MaybePromise<void> => {
    if (PosthasteError.is(answer)) return fail(round, answer)
    const wrong = Array.isArray(answer) ? outcomesMistake(answer, round.messages.length) : undefined
    if (wrong !== undefined) return fail(round, new Error(wrong))
    const results = round.messages.map((message, at) => {
      const outcome: unknown = Array.isArray(answer) ? answer[at] : undefined
      return outcome === undefined ? committed(message, errorOf) : { error: errorOf(outcome) }
    })
    if (areReady(results)) return round.finish(results)
    return Promise.all(results).then((all) => round.finish(all))
  }

  return (call: Call<Batch>) => {
    const round = call.payload.begin(call, scope)
    // All that was worth another attempt has been lost meanwhile.
    if (round.messages.length === 0) return
    const context = new PlainBatchContext(scope.group, call)
    let answer: unknown
    try {
      answer = invoke(round.messages, context)
    } catch (thrown) {
      return fail(round, thrown)
    }
    if (!isPromiseLike(answer)) return finish(round, answer)
    return Promise.resolve(answer).then(
      (value) => finish(round, value),
      (thrown) => fail(round, thrown),
    )
  }
}

function areReady(results: readonly MaybePromise<Result>[]): results is readonly Result[] {
  return !results.some(isPromiseLike)
}

function committed(message: ReceivedMessage, errorOf: (thrown: unknown) => PosthasteError): MaybePromise<Result> {
  const outbox = message.commit()
  if (!isPromiseLike(outbox)) return { outbox }
  return outbox.then(
    (records): Result => ({ outbox: records }),
    (thrown): Result => ({ error: errorOf(thrown) }),
  )
}

function outcomesMistake(outcomes: readonly unknown[], count: number): string | undefined {
  if (outcomes.length !== count) return `it answered ${outcomes.length} outcomes for ${count} messages`
  const odd = outcomes.find(
    (outcome) => outcome !== undefined && !(outcome instanceof Error || PosthasteError.is(outcome)),
  )
  return odd === undefined ? undefined : `it answered a ${typeof odd} as an outcome, not an error or undefined`
}

/** Looks things up when asked for: the signal above all. */
class PlainBatchContext implements BatchContext {
  readonly group: string
  readonly #call: Call

  constructor(group: string, call: Call) {
    this.group = group
    this.#call = call
  }

  get deadlineAtMs(): number {
    return this.#call.deadlineAtMs
  }

  get signal(): AbortSignal {
    return this.#call.signal
  }
}
