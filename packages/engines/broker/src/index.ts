/** The engine on a Posthaste broker. */

export { type BrokerEngine, broker } from './engine.ts'
export type { BrokerClient } from './protocol/session.ts'
export type { BrokerOptions, BrokerTls } from './options.ts'
