import type {
  Delivery,
  DeliverySink,
  Engine,
  EngineSubscription,
  Settlement,
  SubscriptionSpec,
} from '@posthaste/contracts'

/** What a mutant changes; the rest is the engine's. */
type Change = Partial<Engine> & {
  readonly sink?: (sink: DeliverySink) => DeliverySink
  readonly subscription?: (subscription: EngineSubscription) => Partial<EngineSubscription>
}

/** The engine with some methods in other hands. */
export function changed(engine: Engine, change: Change): Engine {
  const { sink = (same) => same, subscription, ...methods } = change
  const { scheduling, browsing, lag, seeking, preparing, patterns } = engine
  return {
    name: engine.name,
    get capabilities() {
      return engine.capabilities
    },
    open: (host) => engine.open(host),
    declare: (topology) => engine.declare(topology),
    publish: (records) => engine.publish(records),
    async subscribe(spec: SubscriptionSpec, given: DeliverySink) {
      const joined = await engine.subscribe(spec, sink(given))
      return { ...bound(joined), ...subscription?.(joined) }
    },
    close: () => engine.close(),
    ...(scheduling && { scheduling }),
    ...(browsing && { browsing }),
    ...(lag && { lag }),
    ...(seeking && { seeking }),
    ...(preparing && { preparing }),
    ...(patterns && { patterns }),
    ...methods,
  }
}

const bound = (subscription: EngineSubscription): EngineSubscription => ({
  grant: (credit) => subscription.grant(credit),
  settle: (batch) => subscription.settle(batch),
  extend: (tags) => subscription.extend(tags),
  stop: () => subscription.stop(),
})

/** Changes every settlement on its way in. */
export const settling = (engine: Engine, change: (settlement: Settlement) => Settlement): Engine =>
  changed(engine, {
    subscription: (subscription) => ({ settle: (batch) => subscription.settle(batch.map(change)) }),
  })

/** Changes every batch on its way out. */
export const delivering = (engine: Engine, change: (batch: readonly Delivery[]) => readonly Delivery[]): Engine =>
  changed(engine, {
    sink: (sink) => ({
      deliver: (batch) => sink.deliver(change(batch)),
      lost: (tags, reason) => sink.lost(tags, reason),
      closed: (cause) => sink.closed(cause),
    }),
  })

/** A delivery with some things changed; property by property, since an engine may compute some when they are read. */
export function altered(delivery: Delivery, change: Partial<Delivery>): Delivery {
  const { tag, record, attempt, storedAtMs, position } = delivery
  return { tag, record, attempt, storedAtMs, position, ...change }
}
