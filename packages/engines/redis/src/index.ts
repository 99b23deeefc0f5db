/** The engine on Redis Streams, and one on plain pub/sub. */

export { redis } from './engine.ts'
export type { RedisOptions, RedisTls } from './options.ts'
export { type RedisPubSubOptions, redisPubSub } from './pubsub.ts'
