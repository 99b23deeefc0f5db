import type { Engine } from '@posthaste/contracts'
import { describe, expect, it } from 'vitest'
import { declare, join, openEngine, record } from '../test/rig.ts'
import { memoryStore } from './store.ts'

const name = (id: string) => ({ channel: 'c', id })
const refused = (code: string) => ({ ok: false, error: { code } })

async function started(store = memoryStore()) {
  const rig = await openEngine({ store })
  await declare(rig.engine)
  return { ...rig, store, preparing: preparingOf(rig.engine) }
}

function preparingOf({ preparing }: Engine) {
  if (preparing === undefined) throw new Error('it prepares')
  return preparing
}

describe('a prepared record', () => {
  it('is seen by nobody until it is committed, and then takes its place as if published', async () => {
    const { engine, clock, preparing } = await started()
    const member = await join(engine)
    const dueAtMs = clock.nowMs() + 100
    await preparing.prepare(record('1'), 0)
    await preparing.prepare(record('2', { dueAtMs }), 0)
    await engine.publish([record('3')])
    await clock.advance(0)
    expect(member.ids()).toEqual(['3'])
    expect(await preparing.commit(['1', '2', '1', 'x'].map(name))).toMatchObject([
      { ok: true },
      { ok: true },
      refused('NOT_FOUND'),
      refused('NOT_FOUND'),
    ])
    await clock.advance(99)
    expect(member.ids()).toEqual(['3', '1'])
    await clock.advance(1)
    expect(member.ids()).toEqual(['3', '1', '2'])
  })

  it('is gone when it is rolled back', async () => {
    const { preparing } = await started()
    await preparing.prepare(record('1'), 0)
    expect(await preparing.rollback([name('1'), name('1')])).toMatchObject([{ ok: true }, refused('NOT_FOUND')])
    expect(await preparing.commit([name('1')])).toMatchObject([refused('NOT_FOUND')])
  })

  it('is prepared once under its name, until that is free again', async () => {
    const { preparing } = await started()
    await preparing.prepare(record('1'), 0)
    expect(await preparing.prepare(record('1'), 0)).toMatchObject(refused('CONFLICT'))
    await preparing.rollback([name('1')])
    expect(await preparing.prepare(record('1'), 0)).toEqual({ ok: true })
  })

  it('is asked about in the order of the times, never by itself last, and over a crash too', async () => {
    const { preparing, store, clock } = await started()
    const startMs = clock.nowMs()
    for (const [id, atMs] of [
      ['1', 300],
      ['2', 100],
      ['3', 200],
    ] as const)
      await preparing.prepare(record(id), atMs)
    await preparing.postpone(name('2'), Number.POSITIVE_INFINITY)
    await preparing.postpone(name('1'), 150)
    expect(await preparing.postpone(name('x'), 1)).toMatchObject(refused('NOT_FOUND'))
    store.crash()
    const after = preparingOf((await openEngine({ store })).engine)
    expect(await after.prepared('c', 10)).toMatchObject([
      { record: { id: '1' }, checkAtMs: 150, checks: 1, preparedAtMs: startMs },
      { record: { id: '3' }, checkAtMs: 200, checks: 0 },
      { record: { id: '2' }, checkAtMs: Number.POSITIVE_INFINITY, checks: 1 },
    ])
    expect(await after.prepared('c', 1)).toHaveLength(1)
  })

  it('stays prepared where it cannot be published', async () => {
    const { engine, preparing } = await started()
    await engine.declare({ channels: [], groups: [{ channel: 'c', group: 't', from: 'next', lifetime: 'temporary' }] })
    await preparing.prepare(record('1', { group: 't' }), 0)
    await (await join(engine, 0, { group: 't' })).stop()
    expect(await preparing.commit([name('1')])).toMatchObject([refused('NOT_FOUND')])
    expect(await preparing.rollback([name('1')])).toEqual([{ ok: true }])
  })

  it('must be one that could be published, and be asked for with sense', async () => {
    const { preparing } = await started()
    expect(await preparing.prepare(record('1', { channel: 'nowhere' }), 0)).toMatchObject(refused('NOT_FOUND'))
    const invalid = { code: 'INVALID_ARGUMENT' }
    await expect(preparing.prepare(record('1'), Number.NaN)).rejects.toMatchObject(invalid)
    await expect(preparing.postpone(name('1'), Number.NaN)).rejects.toMatchObject(invalid)
    await expect(preparing.prepared('nowhere', 1)).rejects.toMatchObject({ code: 'NOT_FOUND' })
    for (const limit of [0, 10_001, 0.5]) {
      await expect(preparing.prepared('c', limit)).rejects.toMatchObject(invalid)
    }
  })
})
