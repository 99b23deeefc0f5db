import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Engine, EngineSubscription, Note, NoteChange, OutgoingRecord } from '@posthaste/contracts'
import { nats } from '@posthaste/nats'
import { silentLog, systemClock } from 'posthaste/pipeline'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type PrivateServer, startServer } from '../engines/server.ts'
import { findExecutable } from '../engines/sources/path.ts'

const canRun = findExecutable('nats-server') !== undefined || process.env.CI !== undefined

const record: OutgoingRecord = { id: '1', channel: 'c', key: 'k', headers: {}, body: new Uint8Array(100) }

describe.skipIf(!canRun)('a NATS server that is killed', () => {
  let dir: string
  let server: PrivateServer

  beforeAll(async () => {
    dir = mkdtempSync(join(tmpdir(), 'nats-kill-'))
    server = await startServer('nats', { dir })
  })

  afterAll(async () => {
    await server.stop()
    rmSync(dir, { recursive: true })
  })

  /** Reads the only range of a channel. */
  async function reader(): Promise<{ engine: Engine; member: EngineSubscription; notes: readonly Note[] }> {
    const engine = nats({ url: server.url, prefix: 'p', keyRanges: 1, leaseMs: 20_000 })
    await engine.open({ clock: systemClock, log: silentLog, instance: 'i', random: Math.random, onState: () => {} })
    await engine.declare({
      channels: [{ name: 'c', kind: 'log', keyed: true }],
      groups: [{ channel: 'c', group: 'g', from: 'earliest' }],
    })
    const assigned = Promise.withResolvers<readonly Note[]>()
    const member = await engine.subscribe(
      { channel: 'c', group: 'g', member: 'm' },
      {
        deliver: () => {},
        closed: assigned.reject,
        lost: () => {},
        ranges: { assigned: (_, notes) => assigned.resolve(notes), recalled: () => {}, revoked: () => {} },
      },
    )
    return { engine, member, notes: await assigned.promise }
  }

  it('brings no note back that was erased, whatever it had said before', async () => {
    const { engine, member } = await reader()
    const note = (...changes: readonly NoteChange[]) => member.ranges?.note('0', changes)
    await note({ name: 'kept', record: { ...record, id: 'first' } }, { name: 'erased', record })
    await note({ name: 'kept', record: { ...record, id: 'last' } }, { name: 'erased', record })
    await note({ name: 'erased', record: undefined })
    // So much that the server gets rid of whole files, and with them of what they tell of those before.
    const big = { ...record, body: new Uint8Array(500_000) }
    for (let round = 0; round < 3; round += 1) {
      const names = Array.from({ length: 16 }, (_, at) => `${round}.${at}`)
      await note(...names.map((name) => ({ name, record: big })))
      await note(...names.map((name) => ({ name, record: undefined })))
    }
    await engine.close()
    await server.kill()
    await server.restart()
    const again = await reader()
    await again.engine.close()
    expect(again.notes.map(({ name, record: { id } }) => [name, id])).toEqual([['kept', 'last']])
  })
})
