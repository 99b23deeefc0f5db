import { type Engine, type MaybePromise, type OutgoingRecord, PosthasteError } from '@posthaste/contracts'
import type { FilterDeps } from '../../pipeline/stack.ts'
import { isReplyChannel } from '../replies.ts'
import type { Outbox } from './context.ts'
import type { InboxSettings } from './delivery.ts'
import type { Work } from './work.ts'

/** What an inbox is made of. */
export interface InboxInit {
  readonly settings: InboxSettings
  /** The engine's name of the group. */
  readonly group: string
  readonly engine: Pick<Engine, 'publish' | 'name'>
  readonly deps: FilterDeps
}

/**
 * Has each message handled once per group, as far as its store remembers.
 *
 * What a handler publishes is confirmed by the engine before the store remembers the message, not with the acknowledgement:
 * after a crash in between, the message would be recognised and what it was to publish lost. So a message may be published
 * of which the handling is repeated; it is published again under the same id.
 */
export class Inbox {
  readonly #init: InboxInit

  constructor(init: InboxInit) {
    this.#init = init
  }

  /**
   * Makes an attempt, unless the message is remembered: that is what the work's end then says.
   * @throws what the attempt fails with; UNAVAILABLE when the store fails
   */
  async once(work: Work, attempt: (transaction: unknown) => MaybePromise<Outbox>): Promise<undefined> {
    const { settings, group } = this.#init
    const { store, windowMs } = settings
    const { channel, id } = work.record
    try {
      const { done } = await store.once({ channel, group, id, windowMs }, async (transaction) => {
        const outbox = await attempt(transaction)
        if (outbox !== undefined) await this.#publish(outbox)
      })
      if (!done) work.end = 'duplicates'
    } catch (thrown) {
      // Attempts fail with such errors only, so anything else is the store's.
      throw PosthasteError.from(thrown, 'UNAVAILABLE', `the inbox ${store.name} failed`)
    }
  }

  async #publish(outbox: readonly OutgoingRecord[]): Promise<void> {
    const { engine, deps } = this.#init
    const outcomes = await engine.publish(outbox)
    for (const [at, { id, channel }] of outbox.entries()) {
      const outcome = outcomes[at]
      if (outcome?.ok) continue
      const error =
        outcome?.error ?? new PosthasteError('UNAVAILABLE', `the engine ${engine.name} did not answer for ${id}`)
      if (!isReplyChannel(channel)) throw error
      deps.log.warn('a reply could not be sent', { target: deps.target, id, error })
    }
  }
}
