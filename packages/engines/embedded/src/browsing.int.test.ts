import type { RecordMatch } from '@posthaste/contracts'
import { manualClock, recordingLog } from 'posthaste/testing'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Directories } from '../test/installation.ts'
import { record } from '../test/records.ts'
import { declared, published } from '../test/rig.ts'
import { EmbeddedEngine } from './engine.ts'

let directories = new Directories()
beforeEach(() => {
  directories = new Directories()
})
afterEach(() => directories.remove())

const startMs = 1_000_000

async function started(dir: string, clock = manualClock(startMs)) {
  const engine = new EmbeddedEngine({ dir })
  await engine.open({ clock, log: recordingLog(), instance: 'test', random: () => 0.5, onState: () => {} })
  await declared(engine, [], { kind: 'queue' })
  return { engine, clock }
}

/** Ids of each page, from the first to the last. */
async function pagesOf(engine: EmbeddedEngine, match: RecordMatch): Promise<string[][]> {
  const pages: string[][] = []
  for (let after: string | undefined; ; ) {
    const { records, next } = await engine.browsing.browse({ channel: 'c', limit: 100, after, match })
    pages.push(records.map((each) => each.record.id))
    if (next === undefined) return pages
    after = next
  }
}

describe('looking for a needle in a backlog', () => {
  it('takes pages that end though they are empty, and finds it', async () => {
    const { engine } = await started(directories.fresh())
    const ids = Array.from({ length: 25_000 }, (_, index) => String(index))
    await published(engine, ...ids.map((id) => record(id, { key: `k${id}`, headers: { correlationid: `c${id}` } })))
    for (const match of [{ id: '24999' }, { key: 'k24999' }, { correlationId: 'c24999' }])
      expect(await pagesOf(engine, match)).toEqual([[], [], ['24999']])
    expect(await pagesOf(engine, { id: '24999', key: 'k1' })).toEqual([[], [], []])
    await engine.close()
  })

  it('by its time begins where that is and ends behind it, however much stands before and behind', async () => {
    const { engine, clock } = await started(directories.fresh())
    const block = (name: string) => Array.from({ length: 12_000 }, (_, index) => record(`${name} ${index}`))
    await published(engine, ...block('before'))
    await clock.advance(10)
    await published(engine, record('needle 1'), record('needle 2'))
    await clock.advance(10)
    await published(engine, ...block('behind'))
    const time = { sinceMs: startMs + 1, untilMs: startMs + 20 }
    expect(await pagesOf(engine, time)).toEqual([['needle 1', 'needle 2']])
    expect(await pagesOf(engine, { ...time, id: 'needle 2' })).toEqual([['needle 2']])
    expect(await pagesOf(engine, { sinceMs: startMs + 10, untilMs: startMs + 10 })).toEqual([[]])
    expect(await pagesOf(engine, { sinceMs: startMs + 21 })).toEqual([[]])
    await engine.close()
  })

  it('by its time relies on an order that a clock which is set back does not undo, over restarts neither', async () => {
    const dir = directories.fresh()
    const before = await started(dir)
    await published(before.engine, record('1'))
    await before.engine.close()
    const { engine, clock } = await started(dir, manualClock(startMs - 500))
    await published(engine, record('2'))
    await clock.advance(501)
    await published(engine, record('3'))
    expect(await pagesOf(engine, { sinceMs: startMs, untilMs: startMs + 1 })).toEqual([['1', '2']])
    expect(await pagesOf(engine, { sinceMs: startMs + 1 })).toEqual([['3']])
    expect(await pagesOf(engine, { untilMs: startMs })).toEqual([[]])
    await engine.close()
  })

  it('takes pages that end where there is little in each of many blocks, and misses nothing', async () => {
    const { engine } = await started(directories.fresh())
    const ids = Array.from({ length: 700 }, (_, index) => String(index))
    for (const id of ids) void published(engine, record(id, { body: Buffer.alloc(70_000) }))
    await published(engine, record('needle'))
    const pages = await pagesOf(engine, { id: 'needle' })
    expect(pages.length).toBeGreaterThan(2)
    expect(pages.flat()).toEqual(['needle'])
    await engine.close()
  })
})
