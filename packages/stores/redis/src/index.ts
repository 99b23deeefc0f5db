/** Rates and results of requests in Redis, for all processes of a service. */

export type { RedisStore } from './keys.ts'
export type { RedisStoreOptions, RedisTls } from './options.ts'
export { type RedisIdempotency, redisIdempotency } from './redis-idempotency.ts'
export { type RedisRateLimits, redisRateLimits } from './redis-rate-limits.ts'
