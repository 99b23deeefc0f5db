import type { Engine, OutgoingRecord, RecordMatch } from '@posthaste/contracts'
import { describe, expect, it } from 'vitest'
import { declare, openEngine, record } from '../test/rig.ts'

async function find(engine: Engine, match: RecordMatch): Promise<readonly string[]> {
  const page = await engine.browsing?.browse({ channel: 'c', limit: 100, match })
  return page?.records.map((each) => each.record.id) ?? []
}

describe('browsing with a match', () => {
  it('finds by id, key and correlation, and all of it together', async () => {
    const { engine } = await openEngine()
    await declare(engine)
    const headers = { correlationid: 'x' }
    const wishes: readonly Partial<OutgoingRecord>[] = [{}, { key: 'k' }, { headers }, { key: 'k', headers }]
    await engine.publish(wishes.map((wish, at) => record(String(at), wish)))
    expect(await find(engine, {})).toEqual(['0', '1', '2', '3'])
    expect(await find(engine, { id: '2' })).toEqual(['2'])
    expect(await find(engine, { key: 'k' })).toEqual(['1', '3'])
    expect(await find(engine, { correlationId: 'x' })).toEqual(['2', '3'])
    expect(await find(engine, { key: 'k', correlationId: 'x' })).toEqual(['3'])
    expect(await find(engine, { id: '0', key: 'k' })).toEqual([])
  })

  it('finds by time, from and before', async () => {
    const { engine, clock } = await openEngine()
    await declare(engine)
    const startMs = clock.nowMs()
    for (const id of ['0', '1', '2']) {
      await engine.publish([record(id)])
      await clock.advance(10)
    }
    expect(await find(engine, { sinceMs: startMs + 10 })).toEqual(['1', '2'])
    expect(await find(engine, { untilMs: startMs + 10 })).toEqual(['0'])
    expect(await find(engine, { sinceMs: startMs + 1, untilMs: startMs + 20 })).toEqual(['1'])
  })

  it('looks at a bounded number of records for one page, and tells where to go on', async () => {
    const { engine } = await openEngine()
    await declare(engine)
    await engine.publish(Array.from({ length: 25_000 }, (_, at) => record(String(at))))
    const pages: number[] = []
    let after: string | undefined
    do {
      const page = await engine.browsing?.browse({ channel: 'c', limit: 1, after, match: { id: '24999' } })
      pages.push(page?.records.length ?? -1)
      after = page?.next
    } while (after !== undefined)
    expect(pages).toEqual([0, 0, 1])
  })
})
