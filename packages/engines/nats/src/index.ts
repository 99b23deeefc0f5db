/** The engine on NATS JetStream. */
export { nats } from './engine.ts'
export type { NatsOptions, NatsTls } from './options.ts'
