import { type DeliverySink, type DeliveryTag, PosthasteError } from '@posthaste/contracts'

/** Stands between the engine and a consumer that begins after it; what goes wrong in the consumer ends the consumer alone. */
export class SinkRelay implements DeliverySink {
  #consumer: DeliverySink | undefined = undefined
  #closedBy: PosthasteError | undefined = undefined

  connect(consumer: DeliverySink): void {
    this.#consumer = consumer
    if (this.#closedBy !== undefined) consumer.closed(this.#closedBy)
  }

  readonly deliver: DeliverySink['deliver'] = (batch) => this.#guarded((consumer) => consumer.deliver(batch))
  readonly lost: DeliverySink['lost'] = (tags, reason) => this.#guarded((consumer) => consumer.lost(tags, reason))
  readonly recall = (tags: readonly DeliveryTag[]): void => this.#guarded((consumer) => consumer.recall?.(tags))
  readonly closed: DeliverySink['closed'] = (cause) => {
    this.#closedBy = cause
    this.#consumer?.closed(cause)
  }

  #guarded(run: (consumer: DeliverySink) => void): void {
    const consumer = this.#consumer
    if (consumer === undefined) return
    try {
      run(consumer)
    } catch (thrown) {
      consumer.closed(PosthasteError.from(thrown, 'INTERNAL', 'the consumer broke'))
    }
  }
}
