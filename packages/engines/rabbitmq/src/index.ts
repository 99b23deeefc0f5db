export { rabbitmq } from './engine.ts'
export type { ExchangeMapping, RabbitmqOptions, RabbitmqTls } from './options.ts'
