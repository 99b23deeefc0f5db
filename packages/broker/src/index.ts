/** The broker: one process that owns an embedded engine and serves it to many over link. */

export type { Right, Rights } from './access/rights.ts'
export { hashToken } from './access/tokens.ts'
export type {
  BrokerConfig,
  BrokerLimits,
  HealthConfig,
  TlsConfig,
  UserConfig,
  UserLimits,
} from './config/config.ts'
export { configOf } from './config/config-of.ts'
export { type Broker, type BrokerHost, startBroker } from './serving/broker.ts'
export type { BrokerFigures } from './serving/figures.ts'
