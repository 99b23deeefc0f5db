import {
  type Call,
  type Engine,
  type Outcome,
  type OutgoingRecord,
  PosthasteError,
  type Service,
} from '@posthaste/contracts'
import { createCall } from '../../pipeline/call.ts'
import type { FilterStack } from '../../pipeline/stack.ts'
import type { Receipt } from '../consuming/context.ts'

/** Records whose publishers wait, column by column: the first goes to the engine as it is. */
class Batch {
  readonly records: OutgoingRecord[] = []
  /** What is refused is answered with a promise that is rejected: one function for each who waits, not two. */
  readonly answer: ((receipt: Receipt | Promise<never>) => void)[] = []

  get size(): number {
    return this.records.length
  }
}

/** A turn that brings more is worth several calls: the engine writes the first while the next are being made. */
const batchMax = 512

/**
 * Publishes records in batches: what is published within one turn goes to the engine in one call, in order. There is no
 * timer; while the engine is busy the next batch gathers by itself.
 */
export class Publisher {
  readonly #engine: Engine
  readonly #stack: FilterStack
  readonly #service: Service<OutgoingRecord, Receipt>
  #pending = new Batch()
  readonly #underWay = new Set<Promise<unknown>>()

  constructor(engine: Engine, stack: FilterStack) {
    this.#engine = engine
    this.#stack = stack
    this.#service = stack.around((call: Call<OutgoingRecord>) => this.#enqueue(call.payload))
  }

  /**
   * Resolves when the engine has confirmed the record. Hot path: without filters one promise and what it is made of.
   * @throws what the engine refuses it with
   */
  publish(record: OutgoingRecord): Promise<Receipt> {
    return this.#stack.filters.length === 0 ? this.#enqueue(record) : this.#filtered(record)
  }

  /** Resolves when everything handed to the engine so far is answered. */
  async flushed(): Promise<void> {
    if (this.#pending.size > 0) this.#flush()
    await Promise.all(this.#underWay)
  }

  async #filtered(record: OutgoingRecord): Promise<Receipt> {
    const { id, channel, headers } = record
    return this.#service(
      createCall({ kind: 'publish', target: channel, id, payload: record, headers, idempotent: true }),
    )
  }

  #enqueue(record: OutgoingRecord): Promise<Receipt> {
    return new Promise((resolve) => {
      const pending = this.#pending
      if (pending.size === 0) queueMicrotask(() => this.#flush())
      pending.records.push(record)
      pending.answer.push(resolve)
      if (pending.size === batchMax) this.#flush()
    })
  }

  #flush(): void {
    const batch = this.#pending
    if (batch.size === 0) return
    this.#pending = new Batch()
    const underWay = this.#publish(batch)
    this.#underWay.add(underWay)
    void underWay.then(() => this.#underWay.delete(underWay))
  }

  /** Never rejects: every entry learns its own outcome. */
  async #publish(batch: Batch): Promise<void> {
    try {
      const outcomes = await this.#engine.publish(batch.records)
      for (let at = 0; at < batch.size; at++) answer(batch, at, outcomes[at])
    } catch (thrown) {
      const error = PosthasteError.from(thrown, 'UNAVAILABLE', `the engine ${this.#engine.name} could not publish`)
      for (const answer of batch.answer) answer(Promise.reject(error))
    }
  }
}

function answer(batch: Batch, at: number, outcome: Outcome | undefined): void {
  const { id, channel } = batch.records[at]!
  batch.answer[at]!(outcome?.ok ? { id } : Promise.reject(outcome?.error ?? unanswered(channel, id)))
}

function unanswered(channel: string, id: string): PosthasteError {
  return new PosthasteError('UNAVAILABLE', `${channel}: the engine did not say whether it has message ${id}`)
}
