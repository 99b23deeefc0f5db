/** The embedded durable engine. */
export type { DurableEngine, DurableSubscription } from './durable-engine.ts'
export { embedded } from './embedded.ts'
export type { EmbeddedOptions } from './options.ts'
