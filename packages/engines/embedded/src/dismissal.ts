import type { Participant } from './storage/committer.ts'
import { idKey, offsetKey } from './storage/keys.ts'
import type { Store, Transaction } from './storage/store.ts'

/** Ids that nothing goes by any more. */
export interface Dismissed {
  readonly cursors: readonly number[]
  readonly logs: readonly number[]
}

/**
 * Removes what stands under ids that nothing goes by any more. Joins the committer once what has stood there can write
 * nothing more. Until then, and over a crash, a row of the topology remembers them. What is scheduled for one of the logs
 * goes when it is due.
 */
export class Dismissal implements Participant {
  readonly #dismissed: Dismissed
  readonly #store: Store
  readonly #note: Buffer | undefined

  /** @param note key of the row that remembers the ids */
  constructor(dismissed: Dismissed, store: Store, note?: string) {
    this.#dismissed = dismissed
    this.#store = store
    this.#note = note === undefined ? undefined : Buffer.from(note)
  }

  write(tx: Transaction): void {
    for (const id of this.#dismissed.cursors) {
      tx.remove('cursors', idKey(id))
      this.#removeAll(tx, 'settled', id)
      this.#removeAll(tx, 'entries', id)
    }
    for (const id of this.#dismissed.logs) {
      tx.remove('tails', idKey(id))
      this.#removeAll(tx, 'blocks', id)
    }
    if (this.#note !== undefined) tx.remove('topology', this.#note)
  }

  committed(): void {}

  #removeAll(tx: Transaction, table: 'settled' | 'entries' | 'blocks', id: number): void {
    const range = { from: offsetKey(id, 0), to: offsetKey(id + 1, 0) }
    for (const key of this.#store.keys(table, range)) tx.remove(table, key)
  }
}
