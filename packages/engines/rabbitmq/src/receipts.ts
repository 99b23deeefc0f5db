import type { Channel } from 'rabbitmq-client'

/**
 * Tells when the server has read what was written to a channel: acknowledgements have no answer, but a question that is asked
 * behind them has. One is under way at a time; what is written meanwhile shares the next.
 */
export class Receipts {
  readonly #channel: Channel
  readonly #prefetchCount: () => number
  #asking: Promise<boolean> | undefined
  #next: Promise<boolean> | undefined

  constructor(channel: Channel, prefetchCount: () => number) {
    this.#channel = channel
    this.#prefetchCount = prefetchCount
  }

  /** Whether all that was written so far has been read; false where the channel is gone. */
  read(): Promise<boolean> {
    if (this.#asking === undefined) return this.#ask()
    this.#next ??= this.#asking.then(() => {
      this.#next = undefined
      return this.#ask()
    })
    return this.#next
  }

  #ask(): Promise<boolean> {
    // The cheapest question there is: it changes nothing for consumers that there are, and goes to no queue.
    const answer = this.#channel.basicQos({ prefetchCount: this.#prefetchCount() }).then(
      () => true,
      () => false,
    )
    this.#asking = answer
    void answer.then(() => {
      if (this.#asking === answer) this.#asking = undefined
    })
    return answer
  }
}
