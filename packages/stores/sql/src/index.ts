/** Results of requests in SQL databases, so that a request that comes again is answered and not done again. */

export {
  type PostgresDatabase,
  postgresClient,
  type SqlClient,
  type SqlDialect,
  type SqliteDatabase,
  type SqlRow,
  type SqlValue,
  sqliteClient,
} from './client.ts'
export {
  type SqlIdempotency,
  type SqlIdempotencyOptions,
  type SqlSweepOptions,
  type SqlSweepReport,
  sqlIdempotency,
} from './sql-idempotency.ts'
export { idempotencyTable } from './statements.ts'
