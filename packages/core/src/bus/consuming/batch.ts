import type { Call, Cancellation, PosthasteError } from '@posthaste/contracts'
import { type CancelSource, cancelSource } from '../../pipeline/cancellation.ts'
import { ReceivedMessage } from './batch-message.ts'
import type { ContextScope, Outbox } from './context.ts'
import { done, type Ending } from './ending.ts'
import type { Message, Work } from './work.ts'

/** The payload of a call that handles a batch, as filters see it. */
export interface MessageBatch {
  readonly messages: readonly Message[]
}

/** One delivery of a batch, and how it ended. */
export interface BatchItem {
  readonly work: Work
  ending: Ending | undefined
}

/** How one message of an attempt went. */
export type Result = { readonly outbox: Outbox } | { readonly error: PosthasteError }

/** One attempt of a batch. */
export interface Round {
  /** Those that were worth an attempt. */
  readonly messages: readonly ReceivedMessage[]
  /**
   * Says how each went, in the same order.
   * @throws one of the errors, where there are any: one that is worth another attempt, if any is
   */
  finish(results: readonly Result[]): void
}

/** Deliveries that are handled together, over all their attempts. */
export class Batch implements MessageBatch {
  readonly messages: readonly Message[]
  readonly #items: readonly BatchItem[]
  readonly #retryOn: (thrown: unknown, made: number) => boolean
  readonly #cancel: CancelSource = cancelSource()
  /** The latest attempt: what earlier ones still answer, after their time was up, is dropped. */
  #round: Round | undefined = undefined

  /** @param items those with an ending are none of the batch's */
  constructor(items: readonly BatchItem[], retryOn: (thrown: unknown, made: number) => boolean) {
    this.#items = items.filter(({ work, ending }) => ending === undefined && work.state === 'running')
    this.#retryOn = retryOn
    this.messages = this.#items.map(({ work }) => work)
  }

  /** Cancelled when none of its deliveries is wanted any more. */
  get cancellation(): Cancellation {
    return this.#cancel.token
  }

  /** Begins an attempt with all that is worth one. */
  begin(call: Call, scope: ContextScope): Round {
    const items = this.#items.filter((item) => this.#isOpen(item))
    let wanted = items.length
    const messages = items.map(({ work }) => {
      work.tries += 1
      work.failure = undefined
      work.cancel?.release()
      work.cancel = cancelSource(call.cancellation)
      work.cancel.token.onCancel((reason) => {
        // The attempt's own end, a timeout above all, is not that of the batch.
        if (call.cancellation.reason !== undefined) return
        wanted -= 1
        if (wanted === 0) this.#cancel.cancel(reason)
      })
      return new ReceivedMessage(scope, work, call.derive({ cancellation: work.cancel.token }))
    })
    const round: Round = { messages, finish: (results) => this.#finish(round, items, results) }
    this.#round = round
    return round
  }

  /** Takes no more results. */
  close(): void {
    this.#round = undefined
    this.#cancel.release()
  }

  #isOpen({ work, ending }: BatchItem): boolean {
    if (ending !== undefined || work.state !== 'running') return false
    return work.failure === undefined || this.#retryOn(work.failure, work.tries)
  }

  #finish(round: Round, items: readonly BatchItem[], results: readonly Result[]): void {
    if (this.#round !== round) return
    let worst: PosthasteError | undefined
    for (const [at, item] of items.entries()) {
      const result = results[at]!
      if ('outbox' in result) item.ending = done(result.outbox)
      else {
        round.messages[at]!.discard()
        item.work.failure = result.error
        if (worst === undefined || !this.#retryOn(worst, item.work.tries)) worst = result.error
      }
    }
    if (worst !== undefined) throw worst
  }
}
