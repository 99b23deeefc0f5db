import { fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { OutgoingRecord } from '@posthaste/contracts'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Directories } from '../test/installation.ts'
import { plain, record } from '../test/records.ts'
import { declared, opened, published, TestMember } from '../test/rig.ts'
import type { EmbeddedEngine } from './engine.ts'

let directories = new Directories()
beforeEach(() => {
  directories = new Directories()
})
afterEach(() => directories.remove())

async function browsed(engine: EmbeddedEngine): Promise<readonly OutgoingRecord[]> {
  const found: OutgoingRecord[] = []
  for (let after: string | undefined; ; ) {
    const { records, next } = await engine.browsing.browse({ channel: 'c', limit: 10_000, after })
    found.push(...records.map((each) => each.record))
    if (next === undefined) return found
    after = next
  }
}

describe('a snapshot', () => {
  it('under load has all that was confirmed before it, and of what came meanwhile a beginning', async () => {
    const { engine } = await opened(directories.fresh())
    await declared(engine)
    let count = 0
    const next = () => record(String(count++), { key: `k${count % 7}`, body: Buffer.alloc(500, count) })
    const sent: OutgoingRecord[] = []
    let loading = true
    const load = (async () => {
      while (loading) {
        const batch = Array.from({ length: 50 }, next)
        sent.push(...batch)
        await published(engine, ...batch)
      }
    })()
    while (sent.length < 5_000) await new Promise((resolve) => setImmediate(resolve))
    const confirmed = sent.length - 50
    const dir = directories.fresh()
    await engine.snapshot(dir)
    const during = sent.length
    loading = false
    await load
    await engine.close()
    const copy = await opened(dir)
    const found = await browsed(copy.engine)
    expect(found.length).toBeGreaterThanOrEqual(confirmed)
    expect(found.length).toBeLessThanOrEqual(during)
    expect(found.map(plain)).toEqual(sent.slice(0, found.length).map(plain))
    const member = await TestMember.join(copy.engine, 10)
    expect((await member.take(10))[0]?.record.id).toBe('0')
    await published(copy.engine, record('after'))
    await copy.engine.close()
  })

  it('has what the moment had: attempts, waits, prepared and scheduled records, known ids; and goes on from there', async () => {
    const { engine } = await opened(directories.fresh())
    await declared(engine)
    await engine.declare({ channels: [{ name: 'd', kind: 'queue', keyed: false, deduplicateForMs: 1e6 }], groups: [] })
    const dueAtMs = Date.now() + 3_600_000
    await published(
      engine,
      record('1', { key: 'k' }),
      record('2'),
      record('due', { dueAtMs }),
      record('x', { channel: 'd' }),
    )
    await engine.preparing.prepare(record('prepared'), 5)
    const member = await TestMember.join(engine, 2)
    const [one, two] = await member.take(2)
    if (one === undefined || two === undefined) throw new Error('nothing came')
    await member.settle(
      { kind: 'release', tag: one.tag, countsAttempt: true, visibleAtMs: dueAtMs },
      { kind: 'ack', tag: two.tag },
    )
    const dir = directories.fresh()
    await engine.snapshot(dir)
    await member.subscription.stop()
    const copy = await opened(dir)
    expect(await copy.engine.lag.lag('c', 'g')).toEqual({ ready: 0, waiting: 2, inFlight: 0 })
    expect(await copy.engine.scheduling.dueAt('c', 'due')).toBe(dueAtMs)
    expect(await copy.engine.preparing.prepared('c', 9)).toMatchObject([{ record: { id: 'prepared' }, checkAtMs: 5 }])
    await published(copy.engine, record('x', { channel: 'd' }))
    expect((await copy.engine.browsing.browse({ channel: 'd', limit: 9 })).records).toHaveLength(1)
    // Neither is the other's business any more.
    await published(copy.engine, record('of the copy'))
    await published(engine, record('of the original'))
    expect((await browsed(engine)).map(({ id }) => id)).not.toContain('of the copy')
    await copy.engine.close()
    await engine.close()
  })

  it('can be opened by another process while the original runs', async () => {
    const { engine } = await opened(directories.fresh())
    await declared(engine)
    await published(engine, record('1'), record('2'))
    const dir = directories.fresh()
    await engine.snapshot(dir)
    const journal = join(dirname(dir), 'journal')
    const child = fork(fileURLToPath(new URL('../test/worker.ts', import.meta.url)), [dir, journal], {
      execArgv: ['--conditions=source'],
    })
    expect(await once(child, 'exit')).toEqual([0, null])
    const copy = await opened(dir)
    expect(await copy.engine.lag.lag('c', 'g')).toEqual({ ready: 0, waiting: 0, inFlight: 0 })
    expect(await engine.lag.lag('c', 'g')).toEqual({ ready: 2, waiting: 0, inFlight: 0 })
    await copy.engine.close()
    await engine.close()
  })

  it('is refused where something stands, and is taken once where two are asked for at a time', async () => {
    const { engine } = await opened(directories.fresh())
    await declared(engine)
    const code = (work: Promise<void>) => work.then(() => 'done').catch((error) => error.code)
    const dir = directories.fresh()
    mkdirSync(dir)
    expect((await Promise.all([code(engine.snapshot(dir)), code(engine.snapshot(dir))])).sort()[1]).toBe('done')
    expect(readdirSync(dir)).toEqual(['data.mdb'])
    expect(await code(engine.snapshot(dir))).toBe('FAILED_PRECONDITION')
    const file = directories.fresh()
    writeFileSync(file, 'a file')
    expect(await code(engine.snapshot(file))).toBe('UNAVAILABLE')
    expect(await code(engine.snapshot(''))).toBe('INVALID_ARGUMENT')
    await engine.close()
    expect(await code(engine.snapshot(directories.fresh()))).toBe('ENGINE_CLOSED')
  })

  it('is waited for by a close', async () => {
    const { engine } = await opened(directories.fresh())
    await declared(engine)
    await published(
      engine,
      ...Array.from({ length: 2_000 }, (_, index) => record(String(index), { body: Buffer.alloc(5_000) })),
    )
    const dir = directories.fresh()
    const taking = engine.snapshot(dir)
    while (!readdirSync(dirname(dir)).includes('data-2')) await new Promise((resolve) => setImmediate(resolve))
    await Promise.all([engine.close(), taking])
    const copy = await opened(dir)
    expect(await browsed(copy.engine)).toHaveLength(2_000)
    await copy.engine.close()
  })
})
