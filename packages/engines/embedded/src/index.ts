/** The embedded durable engine. */
export type {
  DurableEngine,
  DurablePreparing,
  DurableSubscription,
  DurableSubscriptionSpec,
  PreparedPlace,
} from './durable-engine.ts'
export { embedded } from './embedded.ts'
export type { EmbeddedOptions } from './options.ts'
