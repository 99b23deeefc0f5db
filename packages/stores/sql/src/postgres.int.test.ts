import { PGlite } from '@electric-sql/pglite'
import { idempotencyStoreCases } from '@posthaste/conformance/stores'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { postgresClient } from './client.ts'
import { type SqlIdempotency, sqlIdempotency } from './sql-idempotency.ts'

const table = 'results'
let database: PGlite
let stores: [SqlIdempotency, SqlIdempotency]

beforeAll(async () => {
  database = await PGlite.create()
  const store = () => sqlIdempotency({ client: postgresClient(database), table })
  stores = [store(), store()]
  await Promise.all(stores.map((each) => each.createTable()))
})
afterAll(() => database.close())

const advance = async (ms: number): Promise<void> => {
  await database.query(`UPDATE ${table} SET ends_at_ms = ends_at_ms - $1`, [ms])
}
const claim = (key: string) => ({ key, fingerprint: 'f', leaseMs: 60_000 })

describe('the SQL store, on PostgreSQL', () => {
  it.each(idempotencyStoreCases)('$title', ({ run }) => run({ stores, advance }))

  it('sweeps what is over, and nothing else', async () => {
    await database.query(`DELETE FROM ${table}`)
    const [store] = stores
    for (const key of ['a', 'b', 'c']) await store.claim(claim(key))
    await advance(60_000)
    await store.claim(claim('b'))
    expect(await store.sweep({ removeMax: 1 })).toEqual({ removed: 1, finished: false })
    expect(await store.sweep()).toEqual({ removed: 1, finished: true })
    expect(await store.claim(claim('b'))).toMatchObject({ state: 'inFlight' })
  })

  it('tells what to do where there is no table, where it may not write, and where the database is gone', async () => {
    const elsewhere = sqlIdempotency({ client: postgresClient(database), table: 'elsewhere' })
    await expect(elsewhere.claim(claim('a'))).rejects.toMatchObject({
      code: 'FAILED_PRECONDITION',
      remedy: expect.stringContaining('createTable'),
    })
    await database.exec('CREATE ROLE nobody; SET ROLE nobody')
    await expect(stores[0].claim(claim('a'))).rejects.toMatchObject({ code: 'PERMISSION_DENIED' })
    await database.exec('RESET ROLE')
    const gone = { query: () => Promise.reject(new Error('connection terminated')) }
    const lost = sqlIdempotency({ client: postgresClient(gone) })
    await expect(lost.release('a', 't')).rejects.toMatchObject({ code: 'UNAVAILABLE', verdict: 'retryable' })
  })
})
