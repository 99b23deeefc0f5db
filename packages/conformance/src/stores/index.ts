/**
 * What stores must do, as programs: bring a store, run the cases. A way in of its own, so that it does not load the whole kit.
 */

export { idempotencyStoreCases } from './idempotency-cases.ts'
export type { IdempotencyStoreUnderTest, StoreCase } from './store-case.ts'
