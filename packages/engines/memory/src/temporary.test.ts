import { describe, expect, it } from 'vitest'
import { declare, join, openEngine, record } from '../test/rig.ts'
import { memoryStore } from './store.ts'

const temporary = { channel: 'c', group: 't', from: 'next', lifetime: 'temporary' } as const

async function idsIn(engine: Awaited<ReturnType<typeof openEngine>>['engine']): Promise<readonly string[]> {
  const page = await engine.browsing?.browse({ channel: 'c', limit: 100 })
  return page?.records.map((each) => each.record.id) ?? []
}

describe('a temporary group', () => {
  it('goes with its last member, and takes along what waited for it, in whatever way', async () => {
    const { engine, clock } = await openEngine()
    await declare(engine, {}, [])
    await engine.declare({ channels: [], groups: [temporary] })
    await engine.publish(['ready', 'held', 'waiting', 'behind'].map((id) => record(id, { key: id.slice(0, 1) })))
    const member = await join(engine, 3, { group: 't' })
    const other = await join(engine, 0, { group: 't' })
    await clock.advance(0)
    await member.settle([
      { kind: 'release', tag: 2, countsAttempt: true, holdKey: true },
      { kind: 'release', tag: 3, countsAttempt: true, visibleAtMs: clock.nowMs() + 1_000 },
    ])
    await member.stop()
    expect(await idsIn(engine)).toHaveLength(4)
    await other.stop()
    await other.stop()
    expect(await idsIn(engine)).toEqual([])
    expect(clock.pending()).toBe(1)
    await expect(join(engine, 1, { group: 't' })).rejects.toMatchObject({ code: 'NOT_FOUND' })
    await clock.advance(1_000)
    expect(clock.pending()).toBe(0)
  })

  it('leaves nothing to the next of its name', async () => {
    const { engine, clock } = await openEngine()
    await declare(engine, {}, [])
    await engine.declare({ channels: [], groups: [temporary] })
    await engine.publish([record('1')])
    await (await join(engine, 0, { group: 't' })).stop()
    await engine.declare({ channels: [], groups: [temporary] })
    const member = await join(engine, 10, { group: 't' })
    await engine.publish([record('2')])
    await clock.advance(0)
    expect(member.ids()).toEqual(['2'])
  })

  it('forgets what was addressed to it and is due later', async () => {
    const { engine, clock } = await openEngine()
    await declare(engine, { retention: { forMs: 1_000_000 } }, [])
    await engine.declare({ channels: [], groups: [temporary] })
    await engine.publish([record('later', { group: 't', dueAtMs: clock.nowMs() + 100 })])
    await (await join(engine, 0, { group: 't' })).stop()
    await clock.advance(100)
    expect(await idsIn(engine)).toEqual([])
  })

  it('goes when the engine is closed, joined or not', async () => {
    const store = memoryStore()
    const { engine } = await openEngine({ store })
    await declare(engine, {}, ['g'])
    await engine.declare({ channels: [], groups: [temporary] })
    await engine.close()
    const { engine: next } = await openEngine({ store })
    expect((await next.declare({ channels: [], groups: [temporary] })).created).toEqual(['c@t'])
  })

  it('is none of a queue, and none that is durable already', async () => {
    const { engine } = await openEngine()
    await declare(engine, {}, ['t'])
    const { drift } = await engine.declare({ channels: [], groups: [temporary] })
    expect(drift).toEqual([{ name: 'c@t', setting: 'lifetime', wanted: 'temporary', found: 'durable' }])
    const queue = { name: 'q', kind: 'queue', keyed: false } as const
    const declaring = engine.declare({ channels: [queue], groups: [{ ...temporary, channel: 'q' }] })
    await expect(declaring).rejects.toMatchObject({ code: 'CONFIG_INVALID', issues: [{ path: 'groups.0.lifetime' }] })
  })
})
