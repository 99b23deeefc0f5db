import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { copyAsKilled, Directories } from '../test/installation.ts'
import { record } from '../test/records.ts'
import { declared, lull, opened, published, TestMember } from '../test/rig.ts'
import type { EmbeddedEngine } from './engine.ts'
import { Store, type Transaction } from './storage/store.ts'
import type { TableName } from './storage/tables.ts'

let directories = new Directories()
beforeEach(() => {
  directories = new Directories()
})
afterEach(() => directories.remove())

const tables: readonly TableName[] = [
  'topology',
  'tails',
  'blocks',
  'cursors',
  'settled',
  'entries',
  'timers',
  'scheduled',
]

/** Rows of each table of a closed directory. */
async function rowsIn(dir: string): Promise<Record<string, number>> {
  const store = new Store(dir)
  const all = { from: Buffer.alloc(1), to: Buffer.alloc(40, 0xff) }
  const counts = Object.fromEntries(tables.map((table) => [table, store.keys(table, all).length]))
  await store.close()
  return counts
}

const ack = ({ tag }: { readonly tag: number }) => ({ kind: 'ack', tag }) as const
const declareTemporary = (engine: EmbeddedEngine, group = 't') =>
  engine.declare({ channels: [], groups: [{ channel: 'c', group, from: 'earliest', lifetime: 'temporary' }] })

/** Leaves something of the temporary group in every table. */
async function used(engine: EmbeddedEngine): Promise<TestMember> {
  const ids = Array.from({ length: 20 }, (_, index) => String(index))
  await published(engine, ...ids.map((id) => record(id, { key: `k${Number(id) % 3}` })))
  await published(engine, record('back', { group: 't' }))
  const member = await TestMember.join(engine, 12, 't')
  const given = await member.take(12)
  await member.settle(...given.slice(3, 9).map(ack))
  await member.settle(
    ...given.slice(9).map(({ tag }) => ({ kind: 'release', tag, countsAttempt: true, holdKey: true }) as const),
  )
  return member
}

describe('a temporary group', () => {
  it('goes with its last member, with every row it had', async () => {
    const dir = directories.fresh()
    let { engine } = await opened(dir)
    await declared(engine, [])
    await engine.close()
    const before = await rowsIn(dir)
    engine = (await opened(dir)).engine
    await declareTemporary(engine)
    const member = await used(engine)
    const other = await TestMember.join(engine, 1, 't')
    await member.subscription.stop()
    expect(await engine.lag.lag('c', 't')).toMatchObject({ inFlight: 1 })
    await other.subscription.stop()
    await expect(engine.lag.lag('c', 't')).rejects.toMatchObject({ code: 'NOT_FOUND' })
    await expect(TestMember.join(engine, 1, 't')).rejects.toMatchObject({ code: 'NOT_FOUND' })
    await lull(engine)
    await engine.close()
    // The channel's log goes on, and nobody needs what stood in it.
    expect(await rowsIn(dir)).toEqual({ ...before, tails: 1 })
  })

  it('that a process died with is gone at the next opening, with every row it had', async () => {
    const dir = directories.fresh()
    const before = await opened(dir)
    await declared(before.engine, [])
    await declareTemporary(before.engine)
    await declareTemporary(before.engine, 'unjoined')
    await used(before.engine)
    await lull(before.engine)
    const next = directories.fresh()
    await copyAsKilled(dir, next)
    await before.engine.close()
    const { engine, log } = await opened(next)
    await expect(engine.lag.lag('c', 't')).rejects.toMatchObject({ code: 'NOT_FOUND' })
    await published(engine, record('after'))
    await lull(engine)
    await engine.close()
    expect(await rowsIn(next)).toMatchObject({ topology: 2, blocks: 0, cursors: 0, settled: 0, entries: 0, timers: 0 })
    expect(log.entries.filter(({ level }) => level === 'error')).toEqual([])
  })

  it('can be made again at once under its name, and knows nothing of the one before', async () => {
    const { engine } = await opened(directories.fresh())
    await declared(engine, ['keeper'])
    await declareTemporary(engine)
    const before = await used(engine)
    const stopping = before.subscription.stop()
    const again = declareTemporary(engine)
    await Promise.all([stopping, again])
    await lull(engine)
    const member = await TestMember.join(engine, 100, 't')
    await member.take(20)
    await lull(engine)
    expect(member.received.map(({ attempt }) => attempt)).toEqual(Array.from({ length: 20 }, () => 1))
    await engine.close()
  })

  it('drops what was scheduled for it without a word', async () => {
    const dir = directories.fresh()
    const { engine, log } = await opened(dir)
    await declared(engine, [])
    await declareTemporary(engine)
    const member = await TestMember.join(engine, 1, 't')
    const scheduling = engine.publish([record('due', { group: 't', dueAtMs: Date.now() + 1 })])
    await Promise.all([scheduling, member.subscription.stop()])
    await new Promise((resolve) => setTimeout(resolve, 10))
    await lull(engine)
    await engine.close()
    expect(await rowsIn(dir)).toMatchObject({ timers: 0, scheduled: 0 })
    expect(log.entries.filter(({ level }) => level === 'error')).toEqual([])
  })

  it('that held much goes in portions, over a kill too, and leaves no row', async () => {
    const dir = directories.fresh()
    const { engine } = await opened(dir)
    await declared(engine, [])
    await declareTemporary(engine)
    const count = 3_000
    await published(engine, ...Array.from({ length: count }, (_, index) => record(String(index))))
    const member = await TestMember.join(engine, count, 't')
    const given = await member.take(count)
    await member.settle(...given.map(({ tag }) => ({ kind: 'release', tag, countsAttempt: true }) as const))
    const portions: number[] = []
    const killed = directories.fresh()
    const commit = Store.prototype.commit
    const spy = vi.spyOn(Store.prototype, 'commit').mockImplementation(async function (this: Store, change) {
      let removed = 0
      const counted = (tx: Transaction): Transaction => ({
        put: (...row) => tx.put(...row),
        remove: (table, key) => {
          if (table === 'entries') removed++
          tx.remove(table, key)
        },
      })
      await commit.call(this, (tx) => change(counted(tx)))
      if (removed > 0 && portions.push(removed) === 2) await copyAsKilled(dir, killed)
    })
    await member.subscription.stop()
    await lull(engine)
    spy.mockRestore()
    await engine.close()
    expect(Math.max(...portions)).toBeLessThan(count / 2)
    expect(portions.reduce((sum, removed) => sum + removed)).toBe(count)
    const after = await opened(killed)
    await lull(after.engine)
    await after.engine.close()
    for (const each of [dir, killed])
      expect(await rowsIn(each)).toMatchObject({ topology: 2, cursors: 0, settled: 0, entries: 0, blocks: 0 })
  })

  it('is not for queues, and drifts from a durable one', async () => {
    const { engine } = await opened(directories.fresh())
    await declared(engine)
    const group = { channel: 'c', group: 'g', from: 'next', lifetime: 'temporary' } as const
    expect(await engine.declare({ channels: [], groups: [group] })).toMatchObject({
      created: [],
      drift: [{ name: 'c@g', setting: 'lifetime', wanted: 'temporary', found: 'durable' }],
    })
    const queue = { name: 'q', kind: 'queue', keyed: false } as const
    await expect(engine.declare({ channels: [queue], groups: [{ ...group, channel: 'q' }] })).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      issues: [{ path: 'groups.0.lifetime' }],
    })
    await engine.close()
  })
})
