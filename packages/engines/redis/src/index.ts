/** The engine on Redis Streams. */

export { redis } from './engine.ts'
export type { RedisOptions, RedisTls } from './options.ts'
