import {
  type Engine,
  type MaybePromise,
  type Outcome,
  type OutgoingRecord,
  PosthasteError,
  RenewingMap,
} from '@posthaste/contracts'
import { isPromiseLike } from '../../pipeline/maybe-promise.ts'
import type { FilterDeps } from '../../pipeline/stack.ts'
import type { Answering } from './answering.ts'
import type { Outbox } from './context.ts'
import type { Ending } from './ending.ts'
import type { Handling } from './handling.ts'
import type { SubscriptionCounters } from './stats.ts'
import type { Work } from './work.ts'

/** What handling after the acknowledgement is made of. */
export interface AtMostOnceInit {
  readonly handling: Handling
  readonly answering: Answering | undefined
  readonly engine: Pick<Engine, 'publish' | 'name'>
  readonly counters: SubscriptionCounters
  readonly deps: FilterDeps
}

/**
 * Handles messages that are acknowledged already, so that whatever happens they are not handled again. What fails is
 * counted and logged. What the handler publishes leaves after it has succeeded, as ordinary messages: a crash in between
 * loses them, too.
 */
export class AtMostOnce {
  readonly #init: AtMostOnceInit
  readonly #entered = new RenewingMap<Work, Work>()

  constructor(init: AtMostOnceInit) {
    this.#init = init
  }

  /** Enters the handler. Never throws, never rejects. Synchronous where the handler is and publishes nothing. */
  enter(work: Work): MaybePromise<void> {
    this.#entered.set(work, work)
    const ending = this.#init.handling.run(work)
    return isPromiseLike(ending) ? ending.then((later) => this.#ended(work, later)) : this.#ended(work, ending)
  }

  /** Tells the handlers that run to stop. */
  cancel(reason: PosthasteError): void {
    for (const [{ cancel }] of this.#entered.entries()) cancel?.cancel(reason)
  }

  #ended(work: Work, ending: Ending): MaybePromise<void> {
    this.#entered.delete(work)
    work.cancel?.release()
    const outbox = ending.kind === 'done' ? ending.outbox : this.#failed(work, ending.failure.error)
    if (outbox !== undefined) return this.#publish(work, outbox)
  }

  /** @returns what is to be published about it */
  #failed(work: Work, error: PosthasteError): Outbox {
    const { answering, counters, deps } = this.#init
    if (error.verdict !== 'ignored') {
      counters.failed += 1
      deps.log.warn('failed, and is not handled again', { target: deps.target, id: work.record.id, error })
    }
    const reply = answering?.isRequest(work.record) ? answering.failure(work.record, error) : undefined
    return reply && [reply]
  }

  async #publish(work: Work, outbox: readonly OutgoingRecord[]): Promise<void> {
    const { engine, counters, deps } = this.#init
    const error = firstFailure(await engine.publish(outbox).catch(thrownOutcome), outbox.length)
    if (error === undefined) return
    counters.failed += 1
    deps.log.warn('what a handler published was not stored', { target: deps.target, id: work.record.id, error })
  }
}

function thrownOutcome(thrown: unknown): readonly Outcome[] {
  return [{ ok: false, error: PosthasteError.from(thrown, 'UNAVAILABLE', 'the engine could not publish') }]
}

function firstFailure(outcomes: readonly Outcome[], count: number): PosthasteError | undefined {
  for (const outcome of outcomes) if (!outcome.ok) return outcome.error
  if (outcomes.length >= count) return undefined
  return new PosthasteError('UNAVAILABLE', 'the engine answered for fewer messages than it was given')
}
