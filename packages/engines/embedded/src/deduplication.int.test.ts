import { manualClock, recordingLog } from 'posthaste/testing'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { copyAsKilled, Directories } from '../test/installation.ts'
import { record } from '../test/records.ts'
import { lull, published } from '../test/rig.ts'
import { EmbeddedEngine } from './engine.ts'
import { Store } from './storage/store.ts'

let directories = new Directories()
beforeEach(() => {
  directories = new Directories()
})
afterEach(() => directories.remove())

const windowMs = 10_000
const clock = manualClock(1_000_000)

async function started(dir: string): Promise<EmbeddedEngine> {
  const engine = new EmbeddedEngine({ dir })
  await engine.open({ clock, log: recordingLog(), instance: 'test', random: () => 0.5, onState: () => {} })
  await engine.declare({
    channels: [{ name: 'c', kind: 'log', keyed: true, deduplicateForMs: windowMs, retention: { forMs: 1e9 } }],
    groups: [],
  })
  return engine
}

async function stored(engine: EmbeddedEngine): Promise<readonly string[]> {
  const { records } = await engine.browsing.browse({ channel: 'c', limit: 10_000 })
  return records.map((each) => each.record.id)
}

/** Ids that a closed directory remembers, and the rows by which it forgets them. */
async function remembered(dir: string): Promise<readonly [number, number]> {
  const store = new Store(dir)
  const all = { from: Buffer.alloc(1), to: Buffer.alloc(40, 0xff) }
  const counts = [store.keys('known', all).length, store.keys('knownByTime', all).length] as const
  await store.close()
  return counts
}

const numbers = (from: number, to: number) => Array.from({ length: to - from }, (_, index) => String(from + index))

describe('ids that a channel recognises', () => {
  it('are known after a kill if their records are, and only then', async () => {
    const dir = directories.fresh()
    const before = await started(dir)
    await published(before, ...numbers(0, 100).map((id) => record(id)))
    const next = directories.fresh()
    await copyAsKilled(dir, next)
    await before.close()
    const engine = await started(next)
    await published(engine, ...numbers(50, 150).map((id) => record(id)))
    expect(await stored(engine)).toEqual(numbers(0, 150))
    await engine.close()
  })

  it('are forgotten when their time is over, though nothing is published any more, also after a restart', async () => {
    const dir = directories.fresh()
    let engine = await started(dir)
    await published(engine, ...numbers(0, 2_000).map((id) => record(id)))
    await engine.close()
    expect(await remembered(dir)).toEqual([2_000, 2_000])
    engine = await started(dir)
    await clock.advance(windowMs - 1)
    await lull(engine)
    await published(engine, record('0'))
    expect(await stored(engine)).toHaveLength(2_000)
    await clock.advance(100)
    for (let round = 0; round < 10; round++) await lull(engine)
    await engine.close()
    expect(await remembered(dir)).toEqual([0, 0])
  })

  it('are forgotten in portions beside what comes, and one that came again is kept for its new time', async () => {
    const dir = directories.fresh()
    const engine = await started(dir)
    await published(engine, ...numbers(0, 1_000).map((id) => record(id)))
    await clock.advance(windowMs)
    await published(engine, ...numbers(0, 10).map((id) => record(id)))
    for (let round = 0; round < 5; round++) await lull(engine)
    await published(engine, ...numbers(0, 20).map((id) => record(id)))
    await engine.close()
    expect(await remembered(dir)).toEqual([20, 20])
    const again = await started(dir)
    expect(await stored(again)).toHaveLength(1_020)
    await again.close()
  })

  it('do not grow where what comes is more than a portion', async () => {
    const dir = directories.fresh()
    const engine = await started(dir)
    for (let round = 0; round < 6; round++) {
      await published(engine, ...numbers(round * 3_000, (round + 1) * 3_000).map((id) => record(id)))
      await clock.advance(windowMs / 2)
    }
    await engine.close()
    const [known] = await remembered(dir)
    expect(known).toBeLessThanOrEqual(9_000)
  })

  it('are remembered of no channel that does not recognise any', async () => {
    const dir = directories.fresh()
    const engine = await started(dir)
    await engine.declare({ channels: [{ name: 'd', kind: 'queue', keyed: false }], groups: [] })
    await published(engine, record('1', { channel: 'd' }))
    await engine.close()
    expect(await remembered(dir)).toEqual([0, 0])
  })

  it('that are damaged count as new, which is told, and nothing stops for it', async () => {
    const dir = directories.fresh()
    let engine = await started(dir)
    await published(engine, record('1'), record('2'))
    await engine.close()
    const store = new Store(dir)
    const [key] = store.keys('known', { from: Buffer.alloc(1), to: Buffer.alloc(40, 0xff) })
    if (key === undefined) throw new Error('there is no row')
    await store.commit((tx) => tx.put('known', key, Buffer.alloc(0)))
    await store.close()
    engine = await started(dir)
    await published(engine, record('1'), record('2'))
    expect(await stored(engine)).toEqual(['1', '2', '1'])
    await engine.close()
  })
})
