import { manualClock, recordingLog } from 'posthaste/testing'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { copyAsKilled, Directories } from '../test/installation.ts'
import { plain, record } from '../test/records.ts'
import { declared, lull, opened, published, TestMember } from '../test/rig.ts'
import { EmbeddedEngine } from './engine.ts'
import { Store } from './storage/store.ts'

let directories = new Directories()
beforeEach(() => {
  directories = new Directories()
})
afterEach(() => directories.remove())

const name = (id: string) => ({ channel: 'c', id })

async function killed(dir: string, engine: EmbeddedEngine) {
  const next = directories.fresh()
  await lull(engine)
  await copyAsKilled(dir, next)
  await engine.close()
  return { dir: next, ...(await opened(next)) }
}

describe('a prepared record', () => {
  it('is as it was after a kill, with its group, its times and how often it was asked about', async () => {
    const dir = directories.fresh()
    const before = await opened(dir)
    await declared(before.engine, ['g', 'h'])
    const one = record('1', { key: 'k', group: 'h', headers: { type: 't' }, expiresAtMs: 5, priority: 3 })
    const dueAtMs = Date.now() + 3_600_000
    await before.engine.preparing.prepare(one, 123.5)
    await before.engine.preparing.prepare(record('2', { dueAtMs }), 1)
    await before.engine.preparing.postpone(name('2'), Number.POSITIVE_INFINITY)
    const { engine } = await killed(dir, before.engine)
    const [first, second, ...others] = await engine.preparing.prepared('c', 10)
    expect(others).toEqual([])
    expect(first && plain(first.record)).toEqual(plain(one))
    expect(first).toMatchObject({ record: { group: 'h' }, checkAtMs: 123.5, checks: 0 })
    expect(second).toMatchObject({ record: { id: '2', dueAtMs }, checkAtMs: Number.POSITIVE_INFINITY, checks: 1 })
    await engine.preparing.commit([name('1'), name('2')])
    expect(await engine.scheduling.dueAt('c', '2')).toBe(dueAtMs)
    const given = await (await TestMember.join(engine, 1, 'h')).take(1)
    expect(given[0] && plain(given[0].record)).toEqual(plain(one))
    expect(await engine.lag.lag('c', 'g')).toMatchObject({ ready: 0 })
    await engine.close()
  })

  it('is published by its commit in one transaction: a kill leaves it prepared or published', async () => {
    const dir = directories.fresh()
    const ids = Array.from({ length: 300 }, (_, index) => String(index))
    const before = await opened(dir)
    await declared(before.engine)
    await Promise.all(ids.map((id) => before.engine.preparing.prepare(record(id), 0)))
    const copies: string[] = []
    for (const id of ids) {
      void before.engine.preparing.commit([name(id)])
      if (Number(id) % 60 !== 59) continue
      // The engine's transaction is over when its first waiter is told, and the next has not begun.
      await before.engine.publish([])
      const next = directories.fresh()
      await copyAsKilled(dir, next)
      copies.push(next)
    }
    await before.engine.close()
    for (const copy of copies) {
      const { engine } = await opened(copy)
      const waiting = (await engine.preparing.prepared('c', 1_000)).map((each) => each.record.id)
      const { records } = await engine.browsing.browse({ channel: 'c', limit: 1_000 })
      expect([...records.map((each) => each.record.id), ...waiting].sort()).toEqual([...ids].sort())
      await engine.close()
    }
  })

  it('is nothing that stands in the store once it is resolved', async () => {
    const dir = directories.fresh()
    const { engine } = await opened(dir)
    await declared(engine)
    for (const id of ['1', '2', '3']) await engine.preparing.prepare(record(id), 0)
    // Both changes are in one transaction, over a row that stands.
    await Promise.all([engine.preparing.postpone(name('1'), 9), engine.preparing.postpone(name('1'), 8)])
    expect(await engine.preparing.prepared('c', 9)).toMatchObject([{}, {}, { checkAtMs: 8, checks: 2 }])
    await Promise.all([engine.preparing.postpone(name('2'), 7), engine.preparing.commit([name('2')])])
    await engine.preparing.rollback([name('1'), name('3')])
    await engine.close()
    const store = new Store(dir)
    const all = { from: Buffer.alloc(1), to: Buffer.alloc(40, 0xff) }
    expect([...store.keys('prepared', all), ...store.keys('checks', all)]).toEqual([])
    await store.close()
  })

  it('is told page by page, each from behind the one before, though it was resolved or postponed meanwhile', async () => {
    const { engine } = await opened(directories.fresh())
    await declared(engine)
    const { preparing } = engine
    for (const [id, checkAtMs] of [
      ['b', 1],
      ['a', 1.5],
      ['c', 2],
      ['d', Number.POSITIVE_INFINITY],
      ['e', -3],
    ] as const)
      await preparing.prepare(record(id), checkAtMs)
    const told: string[] = []
    let after: { id: string; checkAtMs: number } | undefined
    for (const limit of [2, 1, 1, 9]) {
      const page = await preparing.prepared('c', limit, after)
      told.push(page.map(({ record: { id } }) => id).join())
      const { record: last, checkAtMs } = page.at(-1)!
      after = { id: last.id, checkAtMs }
      if (told.length === 1) await preparing.rollback([name('a')])
      if (told.length === 2) await preparing.postpone(name('e'), 3)
    }
    expect(told).toEqual(['e,a', 'b', 'c', 'e,d'])
    expect(await preparing.prepared('c', 9, after)).toEqual([])
    await engine.close()
  })

  it('that is damaged is told of and hides no other', async () => {
    const dir = directories.fresh()
    const clock = manualClock(5)
    const { engine } = await opened(dir)
    await declared(engine)
    for (const id of ['1', '2']) await engine.preparing.prepare(record(id), 0)
    await engine.close()
    const store = new Store(dir)
    const [row] = store.rows('prepared', { from: Buffer.alloc(1), to: Buffer.alloc(40, 0xff) })
    if (row === undefined) throw new Error('there is no row')
    row.value[30] = (row.value[30] ?? 0) ^ 0xff
    await store.commit((tx) => tx.put('prepared', row.key, row.value))
    await store.close()
    const after = new EmbeddedEngine({ dir })
    const log = recordingLog()
    await after.open({ clock, log, instance: 'test', random: () => 0.5, onState: () => {} })
    expect(await after.preparing.prepared('c', 9)).toMatchObject([{ record: { id: '2' } }])
    expect(await after.preparing.prepared('c', 1)).toMatchObject([{ record: { id: '2' } }])
    expect(log.entries.filter(({ level }) => level === 'error')[0]).toMatchObject({ fields: { id: '1' } })
    expect(await after.preparing.commit(['1', '2'].map(name))).toMatchObject([
      { error: { code: 'ENGINE_CORRUPT' } },
      { ok: true },
    ])
    await published(after, record('3'))
    await after.close()
  })
})
