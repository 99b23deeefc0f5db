import { type Engine, type OutgoingRecord, PosthasteError } from '@posthaste/contracts'

/** How it is sent. */
export interface SendingOptions {
  /** Batches that wait for their confirmation; while there are so many, nothing more is taken. */
  readonly inFlightMax: number
  readonly onFailed: (line: number, error: PosthasteError) => unknown
}

interface Numbered {
  readonly line: number
  readonly record: OutgoingRecord
}

const batchSize = 500

/** Publishes line by line, in batches; the order of the lines stays. */
export class Sending {
  readonly #engine: Engine
  readonly #options: SendingOptions
  readonly #inFlight = new Set<Promise<void>>()
  #batch: Numbered[] = []
  #published = 0
  #failed = 0

  constructor(engine: Engine, options: SendingOptions) {
    this.#engine = engine
    this.#options = options
  }

  /** Takes a message; one that cannot be made has failed, and the others go on. */
  async add(line: number, make: () => OutgoingRecord): Promise<void> {
    try {
      this.#batch.push({ line, record: make() })
    } catch (error) {
      this.#fail(line, PosthasteError.from(error, 'INTERNAL', 'the message cannot be made'))
    }
    if (this.#batch.length < batchSize) return
    this.#send()
    while (this.#inFlight.size >= this.#options.inFlightMax) await Promise.race(this.#inFlight)
  }

  /** Waits for the last answer. */
  async end(): Promise<{ readonly published: number; readonly failed: number }> {
    this.#send()
    await Promise.all(this.#inFlight)
    return { published: this.#published, failed: this.#failed }
  }

  #send(): void {
    const batch = this.#batch
    if (batch.length === 0) return
    this.#batch = []
    const sent = this.#confirmed(batch).finally(() => this.#inFlight.delete(sent))
    this.#inFlight.add(sent)
  }

  async #confirmed(batch: readonly Numbered[]): Promise<void> {
    try {
      const outcomes = await this.#engine.publish(batch.map(({ record }) => record))
      for (const [at, { line }] of batch.entries()) {
        const outcome = outcomes[at]
        if (outcome?.ok === true) this.#published += 1
        else this.#fail(line, outcome?.error ?? new PosthasteError('UNAVAILABLE', 'the engine did not answer'))
      }
    } catch (error) {
      const failure = PosthasteError.from(error, 'UNAVAILABLE', 'the engine did not take it')
      for (const { line } of batch) this.#fail(line, failure)
    }
  }

  #fail(line: number, error: PosthasteError): void {
    this.#failed += 1
    this.#options.onFailed(line, error)
  }
}
