import { PosthasteError } from 'posthaste'
import { type Books, drawUpBooks } from '../books/books.ts'
import { orders, returns } from '../orders/order.ts'
import type { Shop } from '../shop.ts'
import type { Progress } from './progress.ts'

const pollMsMin = 100
/** Looking takes no more than a tenth of the time. */
const pollFactor = 10

/**
 * Waits until every order is shipped or cancelled, every return refunded, and the books balance.
 *
 * @param stallMs how long nothing may move before the books are given up as they are
 */
export async function settle(shop: Shop, progress: Progress, stallMs: number): Promise<Books> {
  let movedAtMs = performance.now()
  let seen = ''
  for (;;) {
    const startedAtMs = performance.now()
    const { done, all } = standOf(shop)
    progress.show(done / Math.max(1, all), `settling ${done} of ${all} orders and returns`)
    const books = done === all ? await drawUpBooks(shop.app, shop.store).catch(unlessAway) : undefined
    if (books?.balanced) return books

    const now = JSON.stringify([done, all, books])
    if (now !== seen) movedAtMs = performance.now()
    else if (performance.now() - movedAtMs > stallMs) return books ?? (await drawUpBooks(shop.app, shop.store))
    seen = now
    await pause(Math.max(pollMsMin, pollFactor * (performance.now() - startedAtMs)))
  }
}

/** The dead letters stand on the engine's server, which may be about to come back. */
function unlessAway(thrown: unknown): undefined {
  if (!PosthasteError.is(thrown, 'UNAVAILABLE')) throw thrown
}

function standOf({ store }: Shop): { readonly done: number; readonly all: number } {
  let done = 0
  let all = 0
  for (const [, { state }] of store.list(orders)) {
    all += 1
    if (state === 'shipped' || state === 'cancelled') done += 1
  }
  for (const [, { state }] of store.list(returns)) {
    all += 1
    if (state === 'refunded') done += 1
  }
  return { done, all }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
