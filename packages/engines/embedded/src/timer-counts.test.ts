import { describe, expect, it } from 'vitest'
import { MemoryStore } from '../test/memory-store.ts'
import { TimerCounts } from './timer-counts.ts'

async function write(store: MemoryStore, counts: TimerCounts): Promise<void> {
  await store.commit((tx) => counts.write(tx))
  counts.committed()
}

describe('counts of what is scheduled', () => {
  it('are those of each log, and are there again after a restart', async () => {
    const store = new MemoryStore()
    const counts = new TimerCounts(store)
    counts.add(1, 2)
    counts.add(2, 1)
    await write(store, counts)
    counts.add(1, -1)
    await write(store, counts)
    for (const each of [counts, new TimerCounts(store)]) expect([each.of(1), each.of(2), each.of(3)]).toEqual([1, 1, 0])
  })

  it('change when the transaction that changes them is durable, and not before', async () => {
    const store = new MemoryStore()
    const counts = new TimerCounts(store)
    counts.add(1, 1)
    expect(counts.of(1)).toBe(0)
    await store.commit((tx) => counts.write(tx))
    counts.add(1, 1)
    expect(counts.of(1)).toBe(0)
    counts.committed()
    expect(counts.of(1)).toBe(1)
    await write(store, counts)
    expect(counts.of(1)).toBe(2)
  })

  it('take no row when they are nothing', async () => {
    const store = new MemoryStore()
    const counts = new TimerCounts(store)
    counts.add(1, 1)
    await write(store, counts)
    expect(store.count('counts')).toBe(1)
    counts.add(1, -1)
    await write(store, counts)
    expect(store.count('counts')).toBe(0)
  })
})
