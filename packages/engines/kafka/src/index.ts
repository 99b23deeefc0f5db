/** The engine on Apache Kafka. */

export { kafka } from './engine.ts'
export type { BrokerAddress, KafkaOptions, SaslOptions, TlsOptions } from './options.ts'
