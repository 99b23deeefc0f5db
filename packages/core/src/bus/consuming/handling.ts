import type { Call, MaybePromise, Service } from '@posthaste/contracts'
import { createCall } from '../../pipeline/call.ts'
import { cancelSource } from '../../pipeline/cancellation.ts'
import { isPromiseLike } from '../../pipeline/maybe-promise.ts'
import type { FilterDeps, FilterStack } from '../../pipeline/stack.ts'
import { TimeLimit } from '../../resilience/time/time-limit.ts'
import type { BodyReader } from '../bodies/reading.ts'
import type { Answering } from './answering.ts'
import { type AttemptInit, attemptService } from './attempt.ts'
import type { Outbox } from './context.ts'
import { done, doneQuietly, type Ending, failed, unreadable } from './ending.ts'
import type { Work } from './work.ts'

/** What handles the deliveries of one subscription. Nothing of it ever throws or rejects. */
export interface Handling {
  /**
   * Reads a message, and passes it through the stack to the handler. Hot path: synchronous all the way where schema, stack
   * and handler are.
   */
  handle(work: Work): MaybePromise<Ending>
  /** The first half of it: fetches, decodes and checks. @returns how it ended, if that is the end of it */
  read(work: Work): MaybePromise<Ending | undefined>
  /** The second half of it. */
  run(work: Work): MaybePromise<Ending>
}

/** What a handling is made of. */
export interface HandlingInit extends AttemptInit {
  readonly read: BodyReader
  readonly stack: FilterStack
}

/** Binds a handler to its contract and stack, once per subscription. */
export function handling(init: HandlingInit): Handling {
  const { stack, read, answering, deps } = init
  const { target } = deps
  const service = bounded(stack.around(attemptService(init)), answering, deps)

  const run = (work: Work): MaybePromise<Ending> => {
    // Lost or handed back while an asynchronous schema looked at it; the ending is dropped anyway.
    if (work.state !== 'running') return doneQuietly
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

  const runWith = (work: Work, data: unknown): MaybePromise<Ending> => {
    work.data = data
    return run(work)
  }

  return {
    run,
    read: reading(read, target),
    handle(work) {
      let data: unknown
      try {
        data = read(work.record)
      } catch (thrown) {
        return unreadable(thrown, target)
      }
      if (!isPromiseLike(data)) return runWith(work, data)
      return data.then(
        (output) => runWith(work, output),
        (thrown) => unreadable(thrown, target),
      )
    },
  }
}

/** Fetches, decodes and checks a message; what it is, it is put into the work. */
export function reading(read: BodyReader, target: string): Handling['read'] {
  const keep = (work: Work, data: unknown): undefined => {
    work.data = data
    return undefined
  }
  return (work) => {
    try {
      const data = read(work.record)
      if (!isPromiseLike(data)) return keep(work, data)
      return data.then(
        (output) => keep(work, output),
        (thrown) => unreadable(thrown, target),
      )
    } catch (thrown) {
      return unreadable(thrown, target)
    }
  }
}

/** Whoever requested something waits until it expires and no longer; so does its handling. */
function bounded(
  service: Service<Work, Outbox>,
  answering: Answering | undefined,
  deps: FilterDeps,
): Service<Work, Outbox> {
  if (answering === undefined) return service
  const limit = new TimeLimit('deadline', deps)
  return (call) => {
    const { record } = call.payload
    if (record.expiresAtMs === undefined || !answering.isRequest(record)) return service(call)
    return limit.apply(call, service, record.expiresAtMs - deps.clock.nowMs())
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
