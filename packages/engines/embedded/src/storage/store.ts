import { closeSync, fsyncSync, mkdirSync, openSync } from 'node:fs'
import { dirname } from 'node:path'
import { type Database, open, type RootDatabase } from 'lmdb'
import { notOpen } from '../errors.ts'
import { idKey, idOf, keysEnd } from './keys.ts'
import { Room } from './room.ts'
import { isSealed, openSeal, seal, unseal } from './seal.ts'
import { type TableName, tableNames } from './tables.ts'

/** Changes that stand or fall together. */
export interface Transaction {
  put(table: TableName, key: Uint8Array, value: Uint8Array): void
  remove(table: TableName, key: Uint8Array): void
}

/** Which rows to read: `[from, to)` in order, or `[from, to]` from the last one backwards. */
export interface RowRange {
  readonly from: Uint8Array
  readonly to: Uint8Array
  readonly limit?: number
  readonly reverse?: boolean
  /** Ends the range behind the row whose value reaches so many bytes in all. */
  readonly bytesMax?: number
  /** Told of rows that do not match their checksums, with all of their bytes; without it they are an error. */
  readonly onDamaged?: (row: Row) => void
}

/** One row. */
export interface Row {
  readonly key: Buffer
  readonly value: Buffer
}

type Table = Database<Buffer, Buffer>

const closeMsMax = 10_000
/**
 * Address space, not memory. The binding keeps every map that became too small until the end, and what was read through each
 * of them counts as this process's; beyond this size it maps anew by itself. Windows would make the file as large.
 */
const mapBytes = 64 * 1024 ** 3

interface Operation {
  readonly table: TableName
  readonly key: Uint8Array
  /** Undefined removes the row. */
  readonly value: Uint8Array | undefined
}

/**
 * The LMDB environment of one data directory. Reads are synchronous and see what is committed; writes are asynchronous
 * and durable when their promise resolves.
 *
 * What LMDB's binding needs of whoever uses it: `overlappingSync: false`, so that a commit waits for its sync; one batch
 * at a time and nothing that throws within it, since half a batch would be committed; no synchronous write while a batch
 * is under way, for the same reason; values that nobody changes until the batch has settled, since they are not copied.
 */
export class Store {
  readonly #room: Room
  readonly #root: RootDatabase
  readonly #tables: Record<TableName, Table>
  /** Transactions that were written: as long as it is the same, so is what can be read. */
  commits = 0
  readonly #ids = new Map<TableName, ReadonlySet<number>>()
  #hasCommitted = false
  #closed: Promise<void> | undefined

  constructor(dir: string) {
    mkdirSync(dir, { recursive: true })
    this.#room = new Room(dir)
    this.#root = open({
      path: dir,
      noSubdir: false,
      overlappingSync: false,
      eventTurnBatching: false,
      encoding: 'binary',
      keyEncoding: 'binary',
      maxDbs: Object.keys(tableNames).length,
      noMemInit: true,
      ...(process.platform === 'win32' ? {} : { mapSize: mapBytes }),
    })
    const openTable = (name: string): Table => this.#root.openDB({ name, encoding: 'binary', keyEncoding: 'binary' })
    this.#tables = Object.fromEntries(Object.values(tableNames).map((name) => [name, openTable(name)])) as Record<
      TableName,
      Table
    >
    syncDirectory(dir)
    syncDirectory(dirname(dir))
  }

  /** Once the binding closes, a read would not only fail: a timer that it leaves behind would end the process. */
  #table(name: TableName): Table {
    if (this.#closed !== undefined) throw notOpen()
    return this.#tables[name]
  }

  /** @throws ENGINE_CORRUPT naming the row, when it does not match its checksum */
  get(table: TableName, key: Uint8Array): Buffer | undefined {
    const row = this.#table(table).get(key as Buffer)
    return row === undefined || !isSealed(table) ? row : openSeal(table, key, row)
  }

  /**
   * Rows of a range, with keys and values of their own.
   * @throws ENGINE_CORRUPT naming the row, when one does not match its checksum and nobody is to be told
   */
  rows(table: TableName, range: RowRange): Row[] {
    const found = this.storedRows(table, range)
    if (!isSealed(table)) return found
    const { onDamaged } = range
    if (onDamaged === undefined) return found.map(({ key, value }) => ({ key, value: openSeal(table, key, value) }))
    const rows: Row[] = []
    for (const row of found) {
      const value = unseal(row.key, row.value)
      if (value === undefined) onDamaged(row)
      else rows.push({ key: row.key, value })
    }
    return rows
  }

  /** Rows of a range with all of their bytes, whether or not these match their checksums. */
  storedRows(
    table: TableName,
    { from, to, limit, reverse = false, bytesMax = Number.POSITIVE_INFINITY }: RowRange,
  ): Row[] {
    const [start, end] = (reverse ? [to, from] : [from, to]) as [Buffer, Buffer]
    const bound = limit === undefined ? {} : { limit }
    const rows: Row[] = []
    let bytes = 0
    for (const row of this.#table(table).getRange({ start, end, reverse, inclusiveEnd: reverse, ...bound })) {
      rows.push(row)
      bytes += row.value.length
      if (bytes >= bytesMax) break
    }
    return rows
  }

  /**
   * Whether a table can have rows whose keys begin with an id: where there are ten thousand channels, most of them need not
   * be asked about when the directory is opened. Exact until the first commit, and `true` from then on.
   */
  mayHave(table: TableName, id: number): boolean {
    if (this.#hasCommitted) return true
    const known = this.#ids.get(table) ?? this.#idsIn(table)
    this.#ids.set(table, known)
    return known.has(id)
  }

  /** Ids that keys begin with: leaps from one to the next, however many rows each has. */
  #idsIn(table: TableName): ReadonlySet<number> {
    const ids = new Set<number>()
    for (let next = 0; ; ) {
      const key = this.keys(table, { from: idKey(next), to: keysEnd, limit: 1 })[0]
      if (key === undefined) return ids
      ids.add(idOf(key))
      next = idOf(key) + 1
    }
  }

  /** Keys of a range, without their values. */
  keys(table: TableName, { from, to, limit }: RowRange): Buffer[] {
    const options = { start: from as Buffer, end: to as Buffer, ...(limit === undefined ? {} : { limit }) }
    return [...this.#table(table).getKeys(options)]
  }

  /**
   * Writes all that `change` puts and removes in one transaction. Resolves when it is on disk.
   * @throws Error when the file system has no room for it, or it cannot be written
   */
  async commit(change: (tx: Transaction) => void): Promise<void> {
    const operations: Operation[] = []
    let bytes = 0
    change({
      put: (table, key, value) => {
        operations.push({ table, key, value: isSealed(table) ? seal(key, value) : value })
        bytes += value.length
      },
      remove: (table, key) => void operations.push({ table, key, value: undefined }),
    })
    this.#room.require(bytes)
    this.#hasCommitted = true
    this.#ids.clear()
    try {
      await this.#root.batch(() => {
        for (const { table, key, value } of operations) {
          if (value === undefined) void this.#tables[table].remove(key as Buffer)
          else void this.#tables[table].put(key as Buffer, value as Buffer)
        }
      })
    } catch (error) {
      throw await causeOf(error)
    } finally {
      this.commits++
    }
  }

  /** Runs `change` while no other process can write. Only before the first commit: it would cut one in two. */
  exclusively<T>(change: (tx: Transaction) => T): T {
    const tables = this.#tables
    this.#room.require(0)
    return this.#root.transactionSync(() =>
      change({
        put: (table, key, value) =>
          void tables[table].putSync(key as Buffer, isSealed(table) ? seal(key, value) : (value as Buffer)),
        remove: (table, key) => void tables[table].removeSync(key as Buffer),
      }),
    )
  }

  /** Copies what is committed now into the file of a directory that has none; writers go on meanwhile. */
  async copyTo(dir: string): Promise<void> {
    await this.#root.backup(dir, false)
  }

  /**
   * Lets go of the file. Idempotent.
   * @throws Error when it cannot: after some I/O errors, what was begun never ends
   */
  close(): Promise<void> {
    this.#closed ??= within(closeMsMax, this.#root.close())
    return this.#closed
  }
}

/** The binding rejects with a promise of the cause inside; left alone, that rejection would end the process. */
async function causeOf(error: unknown): Promise<unknown> {
  if (!(error instanceof Error && 'commitError' in error)) return error
  const settled = await Promise.allSettled([error.commitError])
  return settled[0]?.status === 'rejected' ? settled[0].reason : error
}

/** Whoever closes must not wait for ever. */
async function within(msMax: number, work: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    // tidy-allow timer: virtual time may leap while a file is being closed
    timer = setTimeout(() => reject(new Error(`the store did not let go of its file within ${msMax} ms`)), msMax)
  })
  await Promise.race([work, late]).finally(() => clearTimeout(timer))
}

/** Makes names in a directory durable; a no-op where directories cannot be opened. */
function syncDirectory(dir: string): void {
  if (process.platform === 'win32') return
  const descriptor = openSync(dir, 'r')
  try {
    fsyncSync(descriptor)
  } finally {
    closeSync(descriptor)
  }
}
