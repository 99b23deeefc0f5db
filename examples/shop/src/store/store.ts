import { mkdirSync } from 'node:fs'
import { type Key, open, type RootDatabase } from 'lmdb'

/** A set of rows of one type, owned by one service. Rows are found by one text or more. */
export interface Table<Row> {
  readonly name: string
  /** Carries the type only. */
  readonly row?: Row
}

/** Names a table. */
export function table<Row>(name: string): Table<Row> {
  return { name }
}

/** Where a row stands in its table. */
export type RowKey = readonly [string, ...string[]]

/** What is committed, or, within a transaction, what will be. */
export interface Reader {
  get<Row>(table: Table<Row>, ...key: RowKey): Row | undefined
}

/** What is committed, row by row and in lists. */
export interface Tables extends Reader {
  /** Rows in the order of their keys. */
  list<Row>(table: Table<Row>, query?: ListQuery): Iterable<readonly [key: string[], row: Row]>
}

/** Reads and writes that stand or fall together. */
export interface Transaction extends Reader {
  put<Row>(table: Table<Row>, key: RowKey, row: Row): void
  remove<Row>(table: Table<Row>, key: RowKey): void
}

/** Which rows to list. */
export interface ListQuery {
  /** Only rows whose keys begin so. */
  readonly under?: readonly string[]
  /** Only rows behind this key. */
  readonly after?: RowKey | undefined
  readonly limit?: number
}

/**
 * The shop's own state: the tables of all services in one LMDB environment, beside the engine's. Transactions run one
 * after the other; what one has committed is on disk.
 */
export class Store implements Tables {
  readonly #db: RootDatabase<unknown, Key>
  #closed: Promise<void> | undefined

  constructor(dir: string) {
    mkdirSync(dir, { recursive: true })
    // A commit must wait for its sync, so that what has been answered survives the machine too.
    this.#db = open({ path: dir, noSubdir: false, overlappingSync: false, encoding: 'json' })
  }

  get<Row>(table: Table<Row>, ...key: RowKey): Row | undefined {
    return this.#db.get([table.name, ...key]) as Row | undefined
  }

  /** Committed rows in the order of their keys. */
  *list<Row>(table: Table<Row>, query: ListQuery = {}): Generator<readonly [key: string[], row: Row]> {
    const { under = [], after, limit } = query
    const prefix: Key[] = [table.name, ...under]
    const range = {
      start: after === undefined ? prefix : [table.name, ...after],
      exclusiveStart: after !== undefined,
      // Arrays sort behind texts, so this is behind every row with the prefix.
      end: [...prefix, '\u{10ffff}'],
    }
    for (const { key, value } of this.#db.getRange(limit === undefined ? range : { ...range, limit })) {
      yield [(key as string[]).slice(1), value as Row]
    }
  }

  /**
   * Runs `change` alone and commits what it put. Where it throws, nothing is written.
   * @returns what `change` returned, once it is on disk
   */
  async transact<Result>(change: (tx: Transaction) => Result): Promise<Result> {
    // LMDB commits whatever an aborted callback had written, so writes wait until the callback is through.
    const outcome = await this.#db.transaction(() => {
      const writes = new PendingWrites(this)
      try {
        const result = change(writes)
        for (const { key, row } of writes.all()) {
          if (row === undefined) void this.#db.remove(key)
          else void this.#db.put(key, row)
        }
        return { ok: true as const, result }
      } catch (thrown) {
        return { ok: false as const, thrown }
      }
    })
    if (!outcome.ok) throw outcome.thrown
    return outcome.result
  }

  /** Idempotent. */
  close(): Promise<void> {
    this.#closed ??= this.#db.close()
    return this.#closed
  }
}

/** What a transaction will write, over what is committed. */
class PendingWrites implements Transaction {
  readonly #committed: Reader
  readonly #writes = new Map<string, { readonly key: Key[]; readonly row: unknown }>()

  constructor(committed: Reader) {
    this.#committed = committed
  }

  get<Row>(table: Table<Row>, ...key: RowKey): Row | undefined {
    const write = this.#writes.get(JSON.stringify([table.name, ...key]))
    return write === undefined ? this.#committed.get(table, ...key) : (write.row as Row | undefined)
  }

  put<Row>(table: Table<Row>, key: RowKey, row: Row): void {
    this.#write([table.name, ...key], row)
  }

  remove<Row>(table: Table<Row>, key: RowKey): void {
    this.#write([table.name, ...key], undefined)
  }

  all(): Iterable<{ readonly key: Key[]; readonly row: unknown }> {
    return this.#writes.values()
  }

  #write(key: string[], row: unknown): void {
    this.#writes.set(JSON.stringify(key), { key, row })
  }
}
