import type { SqlDialect } from './client.ts'

/**
 * The database's clock in milliseconds, as each statement sees it: one for all processes.
 */
const nowMs: Readonly<Record<SqlDialect, string>> = {
  postgres: 'CAST(extract(epoch FROM clock_timestamp()) * 1000 AS bigint)',
  sqlite: "CAST(round(unixepoch('subsec') * 1000) AS bigint)",
}

const bytes: Readonly<Record<SqlDialect, string>> = { postgres: 'bytea', sqlite: 'blob' }

/** What the store asks of the database. */
export interface Statements {
  /** Id, token, fingerprint, milliseconds. A row if the claim stands. */
  readonly claim: string
  /** Id. What stands instead. */
  readonly look: string
  /** Id, token, fingerprint, milliseconds, result. A row if it is kept. */
  readonly complete: string
  /** Id, token. */
  readonly release: string
  /** How many. A row for each that was removed. */
  readonly sweep: string
}

/**
 * The statements of a table, which makes the table if it is not there. For migrations of one's own; `createTable` of the
 * store runs them.
 */
export function idempotencyTable(dialect: SqlDialect, table: string = tableDefault): readonly string[] {
  return [
    `CREATE TABLE IF NOT EXISTS "${table}" (
  id text PRIMARY KEY,
  token text NOT NULL,
  fingerprint text NOT NULL,
  ends_at_ms bigint NOT NULL,
  result ${bytes[dialect]}
)`,
    `CREATE INDEX IF NOT EXISTS "${table}_ends_at_ms" ON "${table}" (ends_at_ms)`,
  ]
}

/** The table of who names none. */
export const tableDefault = 'posthaste_idempotency'

/**
 * Each decides by one statement, and what it decides by is in it: the unique key lets one row stand, and whether it may be
 * replaced is asked again where another has changed it meanwhile. So nothing is locked from one statement to the next.
 */
export function statements(dialect: SqlDialect, table: string): Statements {
  const now = nowMs[dialect]
  const put = (result: string, replaces: string): string => `
INSERT INTO "${table}" AS kept (id, token, fingerprint, ends_at_ms, result)
VALUES ($1, $2, $3, ${now} + CAST($4 AS bigint), ${result})
ON CONFLICT (id) DO UPDATE SET
  token = excluded.token,
  fingerprint = excluded.fingerprint,
  ends_at_ms = excluded.ends_at_ms,
  result = excluded.result
WHERE ${replaces}
RETURNING id`
  return {
    claim: put('NULL', `kept.ends_at_ms <= ${now}`),
    look: `SELECT token, fingerprint, result, ends_at_ms - ${now} AS left_ms FROM "${table}" WHERE id = $1`,
    complete: put('$5', `kept.ends_at_ms <= ${now} OR (kept.token = excluded.token AND kept.result IS NULL)`),
    release: `DELETE FROM "${table}" WHERE id = $1 AND token = $2 AND result IS NULL RETURNING id`,
    // Asked twice: a row may be claimed anew between being found and being removed.
    sweep: `
DELETE FROM "${table}"
WHERE id IN (SELECT id FROM "${table}" WHERE ends_at_ms <= ${now} ORDER BY ends_at_ms LIMIT CAST($1 AS bigint))
  AND ends_at_ms <= ${now}
RETURNING id`,
  }
}
