import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { idempotencyStoreCases } from '@posthaste/conformance/stores'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { sqliteClient } from './client.ts'
import { type SqlIdempotencyOptions, sqlIdempotency } from './sql-idempotency.ts'
import { idempotencyTable } from './statements.ts'

let dir: string
let databases: DatabaseSync[]
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'sql-store-'))
  databases = []
})
afterEach(() => {
  for (const database of databases) database.close()
  rmSync(dir, { recursive: true, force: true })
})

/** A store on a file, with a connection of its own. */
async function open() {
  const database = new DatabaseSync(join(dir, 'results.db'), { timeout: 5_000 })
  databases.push(database)
  database.exec('PRAGMA journal_mode = WAL')
  const store = sqlIdempotency({ client: sqliteClient(database) })
  await store.createTable()
  const advance = async (ms: number): Promise<void> => {
    database.prepare('UPDATE posthaste_idempotency SET ends_at_ms = ends_at_ms - ?').run(ms)
  }
  return { database, store, advance }
}

const claim = (key: string) => ({ key, fingerprint: 'f', leaseMs: 60_000 })

describe('the SQL store, on SQLite', () => {
  it.each(idempotencyStoreCases)('$title', async ({ run }) => {
    const [one, other] = [await open(), await open()]
    await run({ stores: [one.store, other.store], advance: one.advance })
  })

  it('keeps the claim of a process that is killed until its lease lapses, and its results for good', async () => {
    const script = `
      import { DatabaseSync } from 'node:sqlite'
      import { sqliteClient, sqlIdempotency } from ${JSON.stringify(join(import.meta.dirname, 'index.ts'))}
      const database = new DatabaseSync(${JSON.stringify(join(dir, 'results.db'))}, { timeout: 5_000 })
      const store = sqlIdempotency({ client: sqliteClient(database) })
      await store.createTable()
      const { token } = await store.claim(${JSON.stringify(claim('done'))})
      await store.complete('done', token, { result: Uint8Array.of(7), ttlMs: 600_000 })
      await store.claim(${JSON.stringify(claim('held'))})
      console.log('ready')
      setInterval(() => {}, 60_000)`
    const child = spawn(process.execPath, ['--conditions=source', '--input-type=module', '-e', script])
    await once(child.stdout, 'data')
    child.kill('SIGKILL')
    await once(child, 'exit')
    const { store, advance } = await open()
    expect(await store.claim(claim('done'))).toEqual({ state: 'done', result: Uint8Array.of(7) })
    expect(await store.claim(claim('held'))).toMatchObject({ state: 'inFlight' })
    await advance(60_000)
    expect(await store.claim(claim('held'))).toMatchObject({ state: 'fresh' })
  })

  it('sweeps what is over, and nothing else', async () => {
    const { store, advance, database } = await open()
    for (const key of ['a', 'b', 'c']) await store.claim(claim(key))
    await advance(60_000)
    await store.claim(claim('b'))
    expect(await store.sweep({ removeMax: 1 })).toEqual({ removed: 1, finished: false })
    expect(await store.sweep()).toEqual({ removed: 1, finished: true })
    expect(database.prepare('SELECT id FROM posthaste_idempotency').all()).toEqual([{ id: 'b' }])
  })

  it('tells what to do where there is no table, and where it is locked or may not be written', async () => {
    const { store, database } = await open()
    const elsewhere = sqlIdempotency({ client: sqliteClient(database), table: 'elsewhere' })
    await expect(elsewhere.claim(claim('a'))).rejects.toMatchObject({
      code: 'FAILED_PRECONDITION',
      remedy: expect.stringContaining('createTable'),
    })
    const reader = new DatabaseSync(join(dir, 'results.db'), { readOnly: true })
    databases.push(reader)
    const readOnly = sqlIdempotency({ client: sqliteClient(reader) })
    await expect(readOnly.claim(claim('a'))).rejects.toMatchObject({ code: 'PERMISSION_DENIED' })
    const impatient = new DatabaseSync(join(dir, 'results.db'), { timeout: 1 })
    databases.push(impatient)
    impatient.exec('BEGIN IMMEDIATE')
    database.exec('PRAGMA busy_timeout = 1')
    await expect(store.claim(claim('a'))).rejects.toMatchObject({ code: 'UNAVAILABLE', verdict: 'retryable' })
    impatient.exec('ROLLBACK')
    expect(await store.claim(claim('a'))).toMatchObject({ state: 'fresh' })
  })

  it('gives up on a key that is never there when it is looked at', async () => {
    const client = { dialect: 'sqlite', query: () => [] } as const
    await expect(sqlIdempotency({ client }).claim(claim('a'))).rejects.toMatchObject({ code: 'UNAVAILABLE' })
  })

  it('is made by migrations of one’s own as well', async () => {
    const { database } = await open()
    for (const sql of idempotencyTable('sqlite', 'mine')) database.exec(sql)
    const store = sqlIdempotency({ client: sqliteClient(database), table: 'mine' })
    expect(await store.claim(claim('a'))).toMatchObject({ state: 'fresh' })
  })
})

describe('the options of the SQL store', () => {
  it('are refused with every mistake at once', async () => {
    const wrong = { client: { dialect: 'oracle' }, table: 'a"; DROP', x: 1 } as unknown as SqlIdempotencyOptions
    const issues = ['x', 'client', 'table'].map((path) => expect.objectContaining({ path }))
    expect(() => sqlIdempotency(wrong)).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID', issues }))
    const { store } = await open()
    await expect(store.sweep({ removeMax: 0 })).rejects.toMatchObject({ code: 'CONFIG_INVALID' })
  })
})
