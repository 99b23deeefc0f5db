import { createHash, randomUUID } from 'node:crypto'
import {
  type IdempotencyClaim,
  type IdempotencyState,
  type IdempotencyStore,
  PosthasteError,
} from '@posthaste/contracts'
import type { SqlClient, SqlRow, SqlValue } from './client.ts'
import { type CheckedOptions, checkOptions, checkSweep, type SqlIdempotencyOptions } from './options.ts'
import { idempotencyTable, type Statements, statements } from './statements.ts'

export type { SqlIdempotencyOptions } from './options.ts'

/** How much is swept. */
export interface SqlSweepOptions {
  /** How many rows are removed at most, 1 to 1,000,000. Default: 10,000. */
  readonly removeMax?: number | undefined
}

/** What was swept. */
export interface SqlSweepReport {
  readonly removed: number
  /** Whether nothing was left to remove. */
  readonly finished: boolean
}

/** Results in a table. */
export interface SqlIdempotency extends IdempotencyStore {
  /**
   * Makes the table unless it is there; an existing one is not changed. Many processes may do so at a time.
   * @throws UNAVAILABLE, or what the database says
   */
  createTable(): Promise<void>
  /**
   * Removes a portion of the rows whose time is over. They are as good as gone before, but take room: call it from time to
   * time, in one process or in several.
   * @throws CONFIG_INVALID for wrong options; UNAVAILABLE when the database cannot be reached
   */
  sweep(options?: SqlSweepOptions): Promise<SqlSweepReport>
}

/**
 * Keeps results in a table of SQLite or PostgreSQL; one row for each key, by its primary key. Every step is one statement
 * that decides and writes at once, so any number of processes may share the table, and none ever waits for another's work.
 * Time is the database's. How durable a result is, the database decides.
 *
 * @throws CONFIG_INVALID listing every mistake
 */
export function sqlIdempotency(options: SqlIdempotencyOptions): SqlIdempotency {
  return new TableStore(checkOptions(options))
}

/** A key is claimed and released at the same moment over and over: somebody is testing, or a clock is broken. */
const roundsMax = 10

class TableStore implements SqlIdempotency {
  readonly name: string
  readonly #client: SqlClient
  readonly #table: string
  readonly #sql: Statements

  constructor({ client, table }: CheckedOptions) {
    this.name = `table ${table} in ${client.dialect}`
    this.#client = client
    this.#table = table
    this.#sql = statements(client.dialect, table)
  }

  async createTable(): Promise<void> {
    for (const sql of idempotencyTable(this.#client.dialect, this.#table)) {
      await this.#query('createTable', sql, []).catch((thrown: PosthasteError) => {
        // Another has made it at this moment: PostgreSQL says so in these words.
        if (!['23505', '42P07'].includes(sqlState(thrown.cause))) throw thrown
      })
    }
  }

  async claim({ key, fingerprint, leaseMs }: IdempotencyClaim): Promise<IdempotencyState> {
    const id = idOf(key)
    for (let round = 0; round < roundsMax; round++) {
      const token = `${randomUUID()}:${fingerprint}`
      const made = await this.#query('claim', this.#sql.claim, [id, token, fingerprint, Math.ceil(leaseMs)])
      if (made.length > 0) return { state: 'fresh', token }
      const [row] = await this.#query('claim', this.#sql.look, [id])
      // Released, or lapsed, since the claim was refused.
      if (row === undefined || Number(row.left_ms) <= 0) continue
      return stateOf(row, fingerprint)
    }
    throw new PosthasteError('UNAVAILABLE', `${this.name}: the key changes hands too often to be claimed`)
  }

  async complete(
    key: string,
    token: string,
    { result, ttlMs }: { result: Uint8Array; ttlMs: number },
  ): Promise<boolean> {
    const id = idOf(key)
    // The row may be gone, so what was asked for is in the token as well.
    const fingerprint = token.slice(token.indexOf(':') + 1)
    const kept = await this.#query('complete', this.#sql.complete, [id, token, fingerprint, Math.ceil(ttlMs), result])
    if (kept.length > 0) return true
    const [row] = await this.#query('complete', this.#sql.look, [id])
    return row?.token === token
  }

  async release(key: string, token: string): Promise<void> {
    await this.#query('release', this.#sql.release, [idOf(key), token])
  }

  async sweep(options: SqlSweepOptions = {}): Promise<SqlSweepReport> {
    const removeMax = checkSweep(options)
    const { length: removed } = await this.#query('sweep', this.#sql.sweep, [removeMax])
    return { removed, finished: removed < removeMax }
  }

  async #query(what: string, sql: string, values: readonly SqlValue[]): Promise<readonly SqlRow[]> {
    try {
      return await this.#client.query(sql, values)
    } catch (cause) {
      throw failure(`${this.name}: ${what}`, cause)
    }
  }
}

function stateOf(row: SqlRow, fingerprint: string): IdempotencyState {
  if (row.fingerprint !== fingerprint) return { state: 'mismatch' }
  if (row.result === null) return { state: 'inFlight', retryAfterMs: Number(row.left_ms) }
  return { state: 'done', result: Uint8Array.from(row.result as Uint8Array) }
}

/** Keys may hold what a text of the database may not, and be longer than its index takes. */
function idOf(key: string): string {
  if (/^[\x20-\x7e]{1,512}$/.test(key) && !key.startsWith('sha256#')) return key
  // As JSON, since halves of surrogate pairs would all be the same bytes.
  return `sha256#${createHash('sha256').update(JSON.stringify(key)).digest('hex')}`
}

/** The database's own word for what went wrong. @see https://www.postgresql.org/docs/current/errcodes-appendix.html */
function sqlState(thrown: unknown): string {
  const { code } = Object(thrown) as { readonly code?: unknown }
  return typeof code === 'string' ? code : ''
}

function failure(what: string, cause: unknown): PosthasteError {
  const text = `${what}: ${cause instanceof Error ? cause.message : String(cause)}`
  const state = sqlState(cause)
  if (state === '42P01' || /no such table/.test(text)) {
    const remedy = 'Make the table, by createTable() or by the statements of idempotencyTable().'
    return new PosthasteError('FAILED_PRECONDITION', text, { cause, remedy })
  }
  if (state === '42501' || /readonly database/.test(text)) {
    return new PosthasteError('PERMISSION_DENIED', text, {
      cause,
      remedy: 'Allow the user to read and write the table.',
    })
  }
  return new PosthasteError('UNAVAILABLE', text, { cause })
}
