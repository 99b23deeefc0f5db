import { mkdirSync } from 'node:fs'
import { type Database, open, type RootDatabase } from 'lmdb'
import { decodeRow, encodeRow, endKey, endOf, type Row } from './row.ts'

type Table = Database<Buffer, Buffer>

/** Rows whose time is over are removed by those who write anyway: more of them than they add, so that none pile up. */
const sweptPerWrite = 4

/** Reads and changes rows within a transaction, which no other process interrupts. */
export interface Transaction {
  /** @throws ENGINE_CORRUPT when the row does not match its checksum */
  get(id: Buffer): Row | undefined
  put(id: Buffer, row: Row): void
  remove(id: Buffer): void
}

/**
 * An LMDB environment: rows by id, and by their end. `overlappingSync: false`, so that a change is on disk when its promise
 * resolves; what many ask for at a time shares a transaction.
 */
export class Environment {
  readonly #root: RootDatabase
  readonly #rows: Table
  readonly #ends: Table

  constructor(dir: string) {
    mkdirSync(dir, { recursive: true })
    const binary = { encoding: 'binary', keyEncoding: 'binary' } as const
    this.#root = open({ path: dir, noSubdir: false, overlappingSync: false, maxDbs: 2, ...binary })
    this.#rows = this.#root.openDB({ name: 'rows', ...binary })
    this.#ends = this.#root.openDB({ name: 'ends', ...binary })
  }

  /** A row as it was committed, or by this process a moment ago. @throws ENGINE_CORRUPT */
  get(id: Buffer): Row | undefined {
    const bytes = this.#rows.get(id)
    return bytes === undefined ? undefined : decodeRow(bytes)
  }

  /** Rows that there are, those included whose time is over. */
  get size(): number {
    return this.#rows.getKeysCount()
  }

  /**
   * Runs a step that reads and changes. Resolves when it is on disk. The binding commits half a transaction if something
   * throws in it, so what throws has to do so before it has changed anything.
   */
  async change<T>(nowMs: number, step: (transaction: Transaction) => T): Promise<T> {
    const done = await this.#root
      .transaction((): { readonly value: T } | { readonly thrown: unknown } => {
        try {
          const value = step(this.#transaction)
          this.#sweep(nowMs)
          return { value }
        } catch (thrown) {
          return { thrown }
        }
      })
      .catch(causeOf)
    if ('thrown' in done) throw done.thrown
    return done.value
  }

  /** @throws Error when it cannot: after some I/O errors, what was begun never ends */
  close(): Promise<void> {
    return this.#root.close()
  }

  readonly #transaction: Transaction = {
    get: (id) => this.get(id),
    put: (id, row) => {
      this.#forget(id)
      void this.#rows.put(id, encodeRow(row))
      void this.#ends.put(endKey(row.endsAtMs, id), Buffer.alloc(0))
    },
    remove: (id) => this.#forget(id),
  }

  #forget(id: Buffer): void {
    const row = this.get(id)
    if (row === undefined) return
    void this.#rows.remove(id)
    void this.#ends.remove(endKey(row.endsAtMs, id))
  }

  #sweep(nowMs: number): void {
    const end = endKey(nowMs + 1, Buffer.alloc(0))
    for (const key of [...this.#ends.getKeys({ end, limit: sweptPerWrite })]) {
      void this.#rows.remove(endOf(key).id)
      void this.#ends.remove(key)
    }
  }
}

/** The binding rejects with a promise of the cause inside; left alone, that rejection would end the process. */
async function causeOf(error: unknown): Promise<never> {
  if (!(error instanceof Error && 'commitError' in error)) throw error
  const settled = await Promise.allSettled([error.commitError])
  throw settled[0]?.status === 'rejected' ? settled[0].reason : error
}
