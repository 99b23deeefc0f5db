import type { Delivery, DeliverySink, EngineSubscription, PosthasteError } from '@posthaste/contracts'
import type { EngineSurroundings } from '../../engine/engine-command.ts'
import type { Measured } from './figures.ts'
import { benchGroup, type Load } from './load.ts'

/**
 * Takes and acknowledges so many messages of this run, and whatever else stands before them.
 * @throws why the subscription ended, or the first settlement that failed
 */
export async function consumeAll(load: Load, count: number, around: EngineSurroundings): Promise<Measured> {
  const { engine, io, instance } = around
  const { channel, credit } = load
  const taker = new Taker(load, count, around)
  const subscription = await engine.subscribe({ channel, group: benchGroup, member: instance }, taker)
  try {
    const begunMs = io.clock.monotonicMs()
    taker.begin(subscription)
    if (count > 0) {
      subscription.grant(credit)
      await taker.done
    }
    return { count: taker.taken, elapsedMs: io.clock.monotonicMs() - begunMs, timesMs: taker.timesMs }
  } finally {
    await subscription.stop()
  }
}

class Taker implements DeliverySink {
  readonly timesMs: number[] = []
  readonly done: Promise<void>
  taken = 0
  readonly #runId: string
  readonly #count: number
  readonly #around: EngineSurroundings
  readonly #end: { resolve(): void; reject(error: unknown): void }
  #subscription: EngineSubscription | undefined

  constructor({ runId }: Load, count: number, around: EngineSurroundings) {
    this.#runId = runId
    this.#count = count
    this.#around = around
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    this.done = promise
    this.#end = { resolve, reject }
    // Somebody listens only once there is something to wait for.
    promise.catch(() => {})
  }

  begin(subscription: EngineSubscription): void {
    this.#subscription = subscription
  }

  deliver(batch: readonly Delivery[]): void {
    this.#settle(batch).catch(this.#end.reject)
  }

  closed(cause: PosthasteError): void {
    this.#end.reject(cause)
  }

  lost(): void {
    // They come again.
  }

  async #settle(batch: readonly Delivery[]): Promise<void> {
    const subscription = this.#subscription!
    const { clock } = this.#around.io
    const begunMs = clock.monotonicMs()
    const outcomes = await subscription.settle(batch.map(({ tag }) => ({ kind: 'ack', tag })))
    this.timesMs.push(clock.monotonicMs() - begunMs)
    for (const outcome of outcomes) if (!outcome.ok && outcome.error.code !== 'DELIVERY_LOST') throw outcome.error
    for (const { record } of batch) if (record.id.startsWith(this.#runId)) this.taken += 1
    if (this.taken >= this.#count) this.#end.resolve()
    else subscription.grant(batch.length)
  }
}
