import assert from 'node:assert/strict'
import {
  type Delivery,
  type DeliverySink,
  type Engine,
  type EngineSubscription,
  PosthasteError,
} from '@posthaste/contracts'
import { plainEvent, startedBus } from '../bus/bus.ts'
import { expectComplete, Journal } from '../bus/journal.ts'
import type { ConformanceCase } from '../case.ts'
import { changed } from '../mutants/changes.ts'

/** An engine that takes deliveries back from a member that has not settled them, as one does after a reconnect. */
class LosingEngine {
  readonly engine: Engine
  readonly #unsettled: {
    readonly delivery: Delivery
    readonly sink: DeliverySink
    readonly joined: () => EngineSubscription
  }[] = []

  constructor(engine: Engine) {
    this.engine = {
      ...changed(engine, {}),
      subscribe: async (spec, sink) => {
        let subscription: EngineSubscription | undefined
        const joined = () => subscription as EngineSubscription
        subscription = await engine.subscribe(spec, {
          deliver: (batch) => {
            for (const delivery of batch) this.#unsettled.push({ delivery, sink, joined })
            sink.deliver(batch)
          },
          lost: (tags, reason) => sink.lost(tags, reason),
          closed: (cause) => sink.closed(cause),
        })
        return subscription
      },
    }
  }

  /** Everything that was delivered so far belongs to somebody else from now on. */
  async lose(): Promise<void> {
    const reason = new PosthasteError('DELIVERY_LOST', 'the connection was lost')
    for (const { delivery, sink, joined } of this.#unsettled.splice(0)) {
      sink.lost([delivery.tag], reason)
      await joined().settle([{ kind: 'release', tag: delivery.tag, countsAttempt: true }])
    }
  }
}

/** Deliveries that are taken away. */
export const busLeases: readonly ConformanceCase[] = [
  {
    id: 'bus-lease/lost',
    title: 'a handler whose delivery is lost is told to stop, what it did is dropped, and the message comes again',
    async run(context) {
      const [Noted, Effect] = [plainEvent(context), plainEvent(context)]
      const effects = new Journal(context)
      const reasons: unknown[] = []
      const attempts: number[] = []
      const losing = new LosingEngine(context.engine)
      const first = Promise.withResolvers<void>()
      const bus = await startedBus(
        context,
        (each) => {
          each.on(Noted, { group: 'g', retry: false }, async (note, handling) => {
            attempts.push(handling.attempt)
            await handling.publish(Effect, note)
            if (attempts.length > 1) return
            await new Promise<void>((resolve) => handling.signal.addEventListener('abort', () => resolve()))
            reasons.push(handling.signal.reason)
            first.resolve()
          })
          each.on(Effect, { group: 'g', retry: false }, effects.handler())
        },
        { engine: losing.engine },
      )
      await bus.publish(Noted, { n: 0 })
      await context.eventually(
        () => attempts.length === 1,
        () => 'the handler to run',
      )
      await losing.lose()
      await context.within(first.promise, 'the end of the handler that lost its delivery')
      await effects.complete(1)
      await context.lull()
      expectComplete(context, effects.runs, { count: 1 })
      assert.ok(PosthasteError.is(reasons[0], 'DELIVERY_LOST'), 'its signal says why')
      assert.equal(bus.stats()[0]?.lost, 1, 'it is counted')
      assert.equal(attempts.length, 2)
    },
  },
]
