import type { Row, RowRange, Store, Transaction } from '../src/storage/store.ts'
import type { TableName } from '../src/storage/tables.ts'

/** What the logs, cursors and timers need of a store, over maps: commits at once, or fails when it is told to. */
export class MemoryStore implements Pick<Store, 'get' | 'rows' | 'keys' | 'commit' | 'mayHave' | 'commits'> {
  readonly #tables = new Map<TableName, Map<string, Buffer>>()
  commits = 0
  /** What the next commits do instead of succeeding. */
  failing: (() => Promise<void>) | undefined

  get(table: TableName, key: Uint8Array): Buffer | undefined {
    return this.#table(table).get(hex(key))
  }

  rows(table: TableName, { from, to, limit, reverse = false, bytesMax = Number.POSITIVE_INFINITY }: RowRange): Row[] {
    const [low, high] = [hex(from), hex(to)]
    const found = [...this.#table(table)]
      .filter(([key]) => key >= low && (reverse ? key <= high : key < high))
      .sort(([a], [b]) => (a < b ? -1 : 1))
    if (reverse) found.reverse()
    const rows: Row[] = []
    let bytes = 0
    for (const [key, value] of found.slice(0, limit)) {
      rows.push({ key: Buffer.from(key, 'hex'), value: Buffer.from(value) })
      bytes += value.length
      if (bytes >= bytesMax) break
    }
    return rows
  }

  mayHave(): boolean {
    return true
  }

  keys(table: TableName, range: RowRange): Buffer[] {
    return this.rows(table, range).map(({ key }) => key)
  }

  async commit(change: (tx: Transaction) => void): Promise<void> {
    const operations: (() => void)[] = []
    const table = (name: TableName) => this.#table(name)
    change({
      put: (name, key, value) => void operations.push(() => table(name).set(hex(key), Buffer.from(value))),
      remove: (name, key) => void operations.push(() => table(name).delete(hex(key))),
    })
    await this.failing?.()
    for (const operation of operations) operation()
    this.commits++
  }

  /** As those want it that take nothing but a `Store`: a class with private fields is like no other. */
  asStore(): Store {
    return this as unknown as Store
  }

  /** A store of its own with the same rows. */
  copy(): MemoryStore {
    const copy = new MemoryStore()
    for (const [name, table] of this.#tables) copy.#tables.set(name, new Map(table))
    return copy
  }

  /** Number of rows in a table. */
  count(table: TableName): number {
    return this.#table(table).size
  }

  #table(name: TableName): Map<string, Buffer> {
    const known = this.#tables.get(name)
    if (known !== undefined) return known
    const table = new Map<string, Buffer>()
    this.#tables.set(name, table)
    return table
  }
}

const hex = (key: Uint8Array): string => Buffer.from(key).toString('hex')
