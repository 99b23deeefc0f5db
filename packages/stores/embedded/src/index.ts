/** Results of requests in a directory, so that a request that comes again is answered and not done again. */

export {
  type EmbeddedIdempotency,
  type EmbeddedIdempotencyOptions,
  embeddedIdempotency,
} from './embedded-idempotency.ts'
