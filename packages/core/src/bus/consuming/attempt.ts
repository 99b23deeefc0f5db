import { type Call, type MaybePromise, type OutgoingRecord, PosthasteError, type Service } from '@posthaste/contracts'
import { isPromiseLike } from '../../pipeline/maybe-promise.ts'
import type { FilterDeps } from '../../pipeline/stack.ts'
import type { Answering } from './answering.ts'
import { type ContextScope, HandlerContext, type MessageContext, type Outbox } from './context.ts'
import { handlerError } from './ending.ts'
import type { Inbox } from './inbox.ts'
import type { Work } from './work.ts'

/** A handler whose data type is known to its contract alone; `never`, so that nobody calls it without a cast. */
export type ErasedHandler = (data: never, context: MessageContext) => unknown

/** What an attempt is made with. */
export interface AttemptInit {
  readonly handler: ErasedHandler
  readonly scope: ContextScope
  /** There where messages may be requests. */
  readonly answering: Answering | undefined
  readonly inbox: Inbox | undefined
  /** The target names the subscription in calls and errors: `shop.order.created@points`. */
  readonly deps: FilterDeps
}

/** The innermost service: one attempt of the handler. Fails with `PosthasteError`s only. */
export function attemptService({ handler, scope, answering, inbox, deps }: AttemptInit): Service<Work, Outbox> {
  const invoke = handler as (data: unknown, context: MessageContext) => unknown

  const fail = (thrown: unknown, work: Work, context: HandlerContext): never => {
    context.discard()
    work.failure = handlerError(thrown, deps.target)
    throw work.failure
  }

  const finish = (answer: unknown, work: Work, context: HandlerContext): MaybePromise<Outbox> => {
    // A verdict that is returned counts like one that is thrown.
    if (PosthasteError.is(answer)) return fail(answer, work, context)
    try {
      const reply = answering?.isRequest(work.record) ? answering.reply(work.record, answer) : undefined
      const outbox = reply === undefined ? context.commit() : withReply(context.commit(), reply)
      return isPromiseLike(outbox) ? outbox.then(undefined, (thrown) => fail(thrown, work, context)) : outbox
    } catch (thrown) {
      return fail(thrown, work, context)
    }
  }

  const attempt = (call: Call<Work>, transaction: unknown): MaybePromise<Outbox> => {
    const work = call.payload
    work.tries += 1
    const context = new HandlerContext(scope, work, call)
    context.transaction = transaction
    let answer: unknown
    try {
      answer = invoke(work.data, context)
    } catch (thrown) {
      return fail(thrown, work, context)
    }
    if (!isPromiseLike(answer)) return finish(answer, work, context)
    // Not everything that can be awaited chains like a promise: query builders, above all.
    return Promise.resolve(answer).then(
      (value) => finish(value, work, context),
      (thrown) => fail(thrown, work, context),
    )
  }

  if (inbox === undefined) return (call) => attempt(call, undefined)
  return (call) => inbox.once(call.payload, (transaction) => attempt(call, transaction))
}

/** What the handler publishes, and then its answer. */
function withReply(outbox: MaybePromise<Outbox>, reply: MaybePromise<OutgoingRecord>): MaybePromise<Outbox> {
  if (isPromiseLike(outbox) || isPromiseLike(reply)) {
    return Promise.all([outbox, reply]).then(([records, record]) => withReply(records, record))
  }
  return outbox === undefined ? [reply] : [...outbox, reply]
}
