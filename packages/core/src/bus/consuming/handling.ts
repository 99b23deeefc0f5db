import { type Call, type MaybePromise, PosthasteError, type Service } from '@posthaste/contracts'
import { createCall } from '../../pipeline/call.ts'
import { cancelSource } from '../../pipeline/cancellation.ts'
import { isPromiseLike } from '../../pipeline/maybe-promise.ts'
import type { FilterStack } from '../../pipeline/stack.ts'
import type { BodyReader } from '../bodies/reading.ts'
import { type ContextScope, HandlerContext, type MessageContext, type Outbox } from './context.ts'
import { type Failure, isRefusal } from './ladder.ts'
import type { Work } from './work.ts'

/** A handler whose data type is known to its contract alone; `never`, so that nobody calls it without a cast. */
export type ErasedHandler = (data: never, context: MessageContext) => unknown

/** How a handling ended. */
export type Ending =
  | { readonly kind: 'done'; readonly outbox: Outbox }
  | { readonly kind: 'failed'; readonly failure: Failure }

/** What handles the deliveries of one subscription. */
export interface Handling {
  /**
   * Decodes, checks, and passes through the stack to the handler. Never throws, never rejects. Hot path: synchronous all
   * the way where schema, stack and handler are.
   */
  handle(work: Work): MaybePromise<Ending>
}

/** What a handling is made of. */
export interface HandlingInit {
  /** Names the subscription in calls and errors: `shop.order.created@points`. */
  readonly target: string
  readonly handler: ErasedHandler
  readonly read: BodyReader
  readonly stack: FilterStack
  readonly scope: ContextScope
}

/** Most messages publish nothing, so most endings are this one. */
const doneQuietly: Ending = Object.freeze({ kind: 'done', outbox: undefined })

/** Binds a handler to its contract and stack, once per subscription. */
export function handling(init: HandlingInit): Handling {
  const { target, stack, read } = init
  const service = stack.around(handlerService(init))

  const run = (work: Work, data: unknown): MaybePromise<Ending> => {
    // Lost or handed back while an asynchronous schema looked at it; the ending is dropped anyway.
    if (work.state !== 'running') return doneQuietly
    work.data = data
    work.cancel = cancelSource()
    const { id, headers } = work.record
    const call = createCall<Work>({
      kind: 'handle',
      target,
      id,
      payload: work,
      headers,
      idempotent: true,
      cancellation: work.cancel.token,
    })
    return passThrough(work, service, call)
  }

  return {
    handle(work) {
      let data: unknown
      try {
        data = read(work.record)
      } catch (thrown) {
        return unreadable(thrown, target)
      }
      if (!isPromiseLike(data)) return run(work, data)
      return data.then(
        (output) => run(work, output),
        (thrown) => unreadable(thrown, target),
      )
    },
  }
}

/** Runs the stack and turns whatever comes of it into an ending. */
function passThrough(work: Work, service: Service<Work, Outbox>, call: Call<Work>): MaybePromise<Ending> {
  let result: MaybePromise<Outbox>
  try {
    result = service(call)
  } catch (thrown) {
    return failed(work, thrown)
  }
  return isPromiseLike(result) ? result.then(done, (thrown) => failed(work, thrown)) : done(result)
}

/** The innermost service: one attempt of the handler. Fails with `PosthasteError`s only. */
function handlerService({ handler, scope, target }: HandlingInit): Service<Work, Outbox> {
  const invoke = handler as (data: unknown, context: MessageContext) => unknown

  const fail = (thrown: unknown, work: Work, context: HandlerContext): never => {
    context.discard()
    work.failure = handlerError(thrown, target)
    throw work.failure
  }

  const finish = (answer: unknown, work: Work, context: HandlerContext): MaybePromise<Outbox> => {
    // A verdict that is returned counts like one that is thrown.
    if (PosthasteError.is(answer)) return fail(answer, work, context)
    const outbox = context.commit()
    return isPromiseLike(outbox) ? outbox.then(undefined, (thrown) => fail(thrown, work, context)) : outbox
  }

  return (call) => {
    const work = call.payload
    work.tries += 1
    const context = new HandlerContext(scope, work, call)
    let answer: unknown
    try {
      answer = invoke(work.data, context)
    } catch (thrown) {
      return fail(thrown, work, context)
    }
    if (!isPromiseLike(answer)) return finish(answer, work, context)
    return answer.then(
      (value) => finish(value, work, context),
      (thrown) => fail(thrown, work, context),
    )
  }
}

function done(outbox: Outbox): Ending {
  return outbox === undefined ? doneQuietly : { kind: 'done', outbox }
}

/** A filter that refuses before any attempt has refused the message; later it has only ended the attempts. */
function failed(work: Work, thrown: unknown): Ending {
  const error = handlerError(thrown, work.record.channel)
  if (work.tries === 0) return { kind: 'failed', failure: { error, by: 'filter' } }
  const reason = isRefusal(error) ? (work.failure ?? error) : error
  return { kind: 'failed', failure: { error: reason, by: 'handler' } }
}

function unreadable(thrown: unknown, target: string): Ending {
  const error = PosthasteError.from(thrown, 'BODY_MALFORMED', `${target} cannot read the message`)
  return { kind: 'failed', failure: { error, by: 'handler' } }
}

function handlerError(thrown: unknown, target: string): PosthasteError {
  try {
    return PosthasteError.from(thrown, 'HANDLER_FAILED', `the handler of ${target} failed`)
  } catch (cause) {
    // A value that cannot even be looked at, such as a proxy that throws.
    return new PosthasteError('HANDLER_FAILED', `the handler of ${target} failed`, { cause })
  }
}
