import type { MaybePromise } from '@posthaste/contracts'

/** Which SQL a database speaks. */
export type SqlDialect = 'postgres' | 'sqlite'

/** What statements are given. */
export type SqlValue = string | number | Uint8Array | null

/** A row by the names of its columns. */
export type SqlRow = Readonly<Record<string, unknown>>

/** A database, as stores need it: one statement at a time, each a transaction of its own. */
export interface SqlClient {
  readonly dialect: SqlDialect
  /**
   * Runs one statement and gives the rows it returns. May be called by many at a time. Bounds its own waiting: what hangs
   * here hangs the call.
   * @param sql with `$1`, `$2`, … for the values, in this order
   */
  query(sql: string, values: readonly SqlValue[]): MaybePromise<readonly SqlRow[]>
}

/** What of `DatabaseSync` of `node:sqlite` is needed. */
export interface SqliteDatabase {
  prepare(sql: string): { all(...values: SqlValue[]): unknown[] }
}

/**
 * A database of `node:sqlite`. Open it with `timeout`, so that a process waits for another that is writing; SQLite 3.42 or
 * later. Statements run at once and hold the event loop, as they do with this driver.
 */
export function sqliteClient(database: SqliteDatabase): SqlClient {
  const statements = new Map<string, ReturnType<SqliteDatabase['prepare']>>()
  return {
    dialect: 'sqlite',
    query(sql, values) {
      const known = statements.get(sql)
      // SQLite takes $1 for a name; ?1 is its number.
      const statement = known ?? database.prepare(sql.replaceAll(/\$(\d+)/g, '?$1'))
      if (known === undefined) statements.set(sql, statement)
      return statement.all(...values) as SqlRow[]
    },
  }
}

/** What of a pool of `pg` is needed; PGlite has it too. */
export interface PostgresDatabase {
  query(sql: string, values: SqlValue[]): Promise<{ readonly rows: readonly unknown[] }>
}

/**
 * A pool of `pg`, or whatever is like it. Give the pool `connectionTimeoutMillis` and `query_timeout`, so that nobody waits
 * for ever. PostgreSQL 9.5 or later. Not a client within a transaction: others would wait for its end.
 */
export function postgresClient(database: PostgresDatabase): SqlClient {
  return {
    dialect: 'postgres',
    query: async (sql, values) => (await database.query(sql, [...values])).rows as SqlRow[],
  }
}
