/** The engine on Apache Kafka. */

export { kafka } from './engine.ts'
export type { BrokerAddress, Compression, KafkaOptions, SaslOptions, TlsOptions } from './options.ts'
