import assert from 'node:assert/strict'
import {
  type Clock,
  type Delivery,
  type DeliverySink,
  type DeliveryTag,
  type Engine,
  type EngineSubscription,
  PosthasteError,
  type SubscriptionSpec,
  type Timer,
} from '@posthaste/contracts'
import { notes, plainEvent, publishNotes, startedBus } from '../bus/bus.ts'
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

/** An engine that takes back what is neither settled nor extended in time, whatever the engine below it does. */
class LeasingEngine {
  readonly engine: Engine
  /** Leases that ended. */
  ended = 0
  readonly #leaseMs: number
  readonly #clock: Clock
  readonly #engine: Engine

  constructor(engine: Engine, clock: Clock, leaseMs: number) {
    this.#leaseMs = leaseMs
    this.#clock = clock
    this.#engine = engine
    const capabilities = { ...engine.capabilities, leaseMs }
    this.engine = { ...changed(engine, {}), capabilities, subscribe: (spec, sink) => this.#subscribe(spec, sink) }
  }

  async #subscribe(spec: SubscriptionSpec, sink: DeliverySink): Promise<EngineSubscription> {
    const leases = new Map<DeliveryTag, Timer>()
    const end = (tag: DeliveryTag) => {
      leases.get(tag)?.cancel()
      leases.delete(tag)
    }
    const lease = (tag: DeliveryTag) => {
      leases.get(tag)?.cancel()
      leases.set(
        tag,
        this.#clock.setTimer(this.#leaseMs, () => {
          this.ended += 1
          leases.delete(tag)
          sink.lost([tag], new PosthasteError('DELIVERY_LOST', 'its lease ended'))
          void joined.settle([{ kind: 'release', tag, countsAttempt: true }])
        }),
      )
    }
    const engine = this.#engine
    const joined = await engine.subscribe(spec, {
      deliver(batch) {
        for (const { tag } of batch) lease(tag)
        sink.deliver(batch)
      },
      lost: (tags, reason) => sink.lost(tags, reason),
      closed: (cause) => sink.closed(cause),
    })
    return {
      grant: (credit) => joined.grant(credit),
      settle(batch) {
        for (const { tag } of batch) end(tag)
        return joined.settle(batch)
      },
      async extend(tags) {
        for (const tag of tags) if (leases.has(tag)) lease(tag)
        if (Number.isFinite(engine.capabilities.leaseMs)) await joined.extend(tags)
      },
      async stop() {
        for (const tag of [...leases.keys()]) end(tag)
        await joined.stop()
      },
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
  {
    id: 'bus-lease/heartbeat',
    title:
      'a handler that takes many leases keeps its message by heartbeats, and those that wait for their turn keep theirs',
    async run(context) {
      const Noted = plainEvent(context)
      const journal = new Journal(context)
      const leaseMs = context.underTest.advance === undefined ? 1_200 : 30_000
      const leasing = new LeasingEngine(context.engine, context.clock, leaseMs)
      const gate = Promise.withResolvers<void>()
      const options = { group: 'g', retry: false, concurrency: 1, prefetch: 5 } as const
      const bus = await startedBus(
        context,
        (each) =>
          each.on(Noted, options, async (note, handling) => {
            journal.note(note, handling)
            if (note.n === 0) await gate.promise
          }),
        { engine: leasing.engine },
      )
      await publishNotes(bus, Noted, notes(5))
      await journal.reached(1)
      const startMs = context.nowMs()
      for (let step = 1; step <= 50; step += 1) await context.reach(startMs + (step * leaseMs) / 10)
      gate.resolve()
      await journal.complete(5)
      await context.lull()
      assert.equal(leasing.ended, 0, 'no lease ended')
      expectComplete(context, journal.runs, { count: 5 })
      assert.ok(journal.runs.every(({ attempt }) => attempt === 1))
    },
  },
]
