import { type Issue, PosthasteError } from '@posthaste/contracts'
import type { SqlClient } from './client.ts'
import { tableDefault } from './statements.ts'

/** Options of the store. */
export interface SqlIdempotencyOptions {
  /** The database: {@link sqliteClient}, {@link postgresClient}, or one of your own. */
  readonly client: SqlClient
  /** The table, 1 to 48 of `a-z 0-9 _`, the first no digit. Default: `posthaste_idempotency`. */
  readonly table?: string | undefined
}

/** Options in which nothing is left open. */
export interface CheckedOptions {
  readonly client: SqlClient
  readonly table: string
}

/** @throws CONFIG_INVALID listing every mistake */
export function checkOptions(options: SqlIdempotencyOptions): CheckedOptions {
  const { client, table = tableDefault, ...unknown } = options
  const issues: Issue[] = Object.keys(unknown).map((path) => ({ path, message: 'is not an option' }))
  const { dialect, query } = Object(client) as Partial<SqlClient>
  if ((dialect !== 'postgres' && dialect !== 'sqlite') || typeof query !== 'function')
    issues.push({ path: 'client', message: 'must have a dialect, postgres or sqlite, and query' })
  if (typeof table !== 'string' || !/^[a-z_][a-z0-9_]{0,47}$/.test(table))
    issues.push({ path: 'table', message: 'must be 1 to 48 of a-z 0-9 _, the first no digit' })
  if (issues.length === 0) return { client, table }
  throw refusal('sqlIdempotency', issues)
}

const removeMaxDefault = 10_000
const removeMaxLimit = 1_000_000

/** @throws CONFIG_INVALID listing every mistake */
export function checkSweep(options: { readonly removeMax?: number | undefined }): number {
  const { removeMax = removeMaxDefault, ...unknown } = options
  const issues: Issue[] = Object.keys(unknown).map((path) => ({ path, message: 'is not an option' }))
  if (!Number.isInteger(removeMax) || removeMax < 1 || removeMax > removeMaxLimit)
    issues.push({ path: 'removeMax', message: `must be a whole number from 1 to ${removeMaxLimit}` })
  if (issues.length === 0) return removeMax
  throw refusal('sweep', issues)
}

function refusal(what: string, issues: readonly Issue[]): PosthasteError {
  const told = issues.map(({ path, message }) => `${path} ${message}`).join('; ')
  return new PosthasteError('CONFIG_INVALID', `${what}(): ${told}`, { issues })
}
