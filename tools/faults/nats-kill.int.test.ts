import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Engine, EngineSubscription, Note, OutgoingRecord } from '@posthaste/contracts'
import { nats } from '@posthaste/nats'
import { silentLog, systemClock } from 'posthaste/pipeline'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { exchange, line } from '../engines/probes/exchange.ts'
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
    const engine = nats({ url: server.url, prefix: 'p', keyRanges: 1, leaseMs: 500 })
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

  /** How many messages stand in the bucket of notes, marks of erased ones included. */
  const stored = (): Promise<number> =>
    exchange(new URL(server.url), async ({ send, receive }) => {
      send('CONNECT {"verbose":false}\r\nSUB i 1\r\nPUB $JS.API.STREAM.INFO.KV_p-notes i 0\r\n\r\n')
      for (;;) {
        const count = /"messages":(\d+)/.exec(await receive(line))?.[1]
        if (count !== undefined) return Number(count)
      }
    })

  it('brings no note back that was erased, whatever it had said before', async () => {
    const { engine, member } = await reader()
    await member.ranges?.note('0', [
      { name: 'erased', record },
      { name: 'kept', record: { ...record, id: 'first' } },
    ])
    await member.ranges?.note('0', [
      { name: 'erased', record },
      { name: 'kept', record: { ...record, id: 'last' } },
    ])
    await member.ranges?.note('0', [{ name: 'erased', record: undefined }])
    while ((await stored()) > 1) await sleep(20)
    await engine.close()
    await server.kill()
    await server.restart()
    const again = await reader()
    await again.engine.close()
    expect(again.notes.map(({ name, record: { id } }) => [name, id])).toEqual([['kept', 'last']])
  })
})
