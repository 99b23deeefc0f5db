import type { IdempotencyClaim, IdempotencyStore } from '@posthaste/contracts'

/** A store to be held against the cases, and its time. */
export interface IdempotencyStoreUnderTest {
  /** On the same data, one or more: as several processes would have it. */
  readonly stores: readonly [IdempotencyStore, ...IdempotencyStore[]]
  /** Lets time go by for what is stored, as if by itself. It may go on by itself as well, by seconds. */
  advance(ms: number): Promise<void>
}

/** One thing a store must do, as a program that throws where it does not. */
export interface StoreCase {
  /** A sentence of behaviour. */
  readonly title: string
  /** May run in any order, and beside others, on one store. */
  run(store: IdempotencyStoreUnderTest): Promise<void>
}

let made = 0

/** A key that no other case has. */
export function newKey(): string {
  return `shop.Orders/create##${process.pid}-${process.hrtime.bigint()}-${++made}`
}

/** A lease that does not lapse while a case runs, unless it lets time go by. */
export const leaseMs = 600_000

/** The claim of a key, for one thing unless told otherwise. */
export function claimOf(key: string, wish: Partial<IdempotencyClaim> = {}): IdempotencyClaim {
  return { key, fingerprint: 'a'.repeat(64), leaseMs, ...wish }
}

/** Claims a key that must be free. */
export async function claimed(
  store: IdempotencyStore,
  key: string,
  wish: Partial<IdempotencyClaim> = {},
): Promise<string> {
  const state = await store.claim(claimOf(key, wish))
  if (state.state !== 'fresh') throw new Error(`the key is not free, it is ${state.state}`)
  return state.token
}
