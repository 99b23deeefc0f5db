import type { ClientOptions } from 'posthaste'
import type { Inventory } from '../contracts.ts'

/** How the order service asks the inventory. */
export type AskInventory = ClientOptions<(typeof Inventory)['methods']>

/**
 * With care: an order is worth more than certainty. The inventory has the last word anyway, when it deducts, so nobody
 * waits long for its first.
 */
export const carefully: AskInventory = {
  // How long an answer about the stock is worth waiting for,
  timeoutMs: 300,
  // in which it may be asked twice.
  attemptTimeoutMs: 140,
  retry: { attempts: 2, baseMs: 10, maxMs: 20 },
  // After a while of failures it is not even asked, and found well again by a few calls.
  breaker: {},
  // However many orders come, no more than these wait for it.
  bulkhead: { concurrency: 32 },
  // What is asked of the inventory may be answered for here: not known to be short.
  fallback: { checkStock: () => ({ checked: false, short: [] }) },
}
