import { idKey, wideOf, wideRow } from './storage/keys.ts'
import type { Store, Transaction } from './storage/store.ts'

/**
 * How many records are scheduled for each log: rows that change with the records they count, since counting a million of
 * those whenever somebody asks would take a second.
 */
export class TimerCounts {
  readonly #store: Pick<Store, 'get'>
  readonly #durable = new Map<number, number>()
  #changes = new Map<number, number>()
  /** What the present transaction makes of them. */
  #written = new Map<number, number>()

  constructor(store: Pick<Store, 'get'>) {
    this.#store = store
  }

  /** How many there durably are. */
  of(logId: number): number {
    const known = this.#durable.get(logId)
    if (known !== undefined) return known
    const row = this.#store.get('counts', idKey(logId))
    const count = row === undefined ? 0 : wideOf(row)
    this.#durable.set(logId, count)
    return count
  }

  /** There are so many more, or less, with the next transaction. */
  add(logId: number, more: number): void {
    this.#changes.set(logId, (this.#changes.get(logId) ?? 0) + more)
  }

  write(tx: Transaction): void {
    for (const [logId, more] of this.#changes) {
      const count = this.of(logId) + more
      this.#written.set(logId, count)
      if (count === 0) tx.remove('counts', idKey(logId))
      else tx.put('counts', idKey(logId), wideRow(count))
    }
    this.#changes = new Map()
  }

  committed(): void {
    for (const [logId, count] of this.#written) this.#durable.set(logId, count)
    this.#written = new Map()
  }
}
