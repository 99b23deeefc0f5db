import { behind, idKey, idOf, keysEnd, wideRow } from './keys.ts'
import type { Row, Store, Transaction } from './store.ts'
import type { TableName } from './tables.ts'

/** What the first row of a data directory says. 2: rows end in checksums, and what is scheduled is counted. */
export const format = 2

/** Tables of format 1 whose rows got a checksum with format 2. */
const sealedWithTwo: readonly TableName[] = [
  'topology',
  'tails',
  'cursors',
  'settled',
  'entries',
  'timers',
  'scheduled',
]

const page = 1_000

/** Whether a directory of this format can be opened, with or without a step in between. */
export function isReadable(found: string): boolean {
  return found === '1' || found === String(format)
}

/** Brings the rows of an older format to this one, in the transaction that takes the directory: all or none. */
export function migrate(store: Store, tx: Transaction, found: string): void {
  if (found !== '1') return
  const scheduled = new Map<number, number>()
  for (const table of sealedWithTwo) {
    for (const { key, value } of everyRow(store, table)) {
      tx.put(table, key, value)
      if (table === 'scheduled') scheduled.set(idOf(key), (scheduled.get(idOf(key)) ?? 0) + 1)
    }
  }
  for (const [logId, count] of scheduled) tx.put('counts', idKey(logId), wideRow(count))
}

/** All rows of a table, in pages, though they are written meanwhile. */
function* everyRow(store: Store, table: TableName): Iterable<Row> {
  for (let from: Buffer | undefined = Buffer.alloc(1); from !== undefined; ) {
    const rows: readonly Row[] = store.storedRows(table, { from, to: keysEnd, limit: page })
    yield* rows
    const last = rows.at(-1)
    from = last === undefined ? undefined : behind(last.key)
  }
}
