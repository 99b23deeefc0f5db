import { describe, expect, it } from 'vitest'
import { Batch, ChunkPool } from './batch.ts'

/** Has so many batches of one pool write 100 bytes each within a turn. @returns how much memory they hold */
function turn(pool: ChunkPool, count: number): number {
  const batches = Array.from({ length: count }, () => new Batch(pool))
  for (const batch of batches) batch.reserve(100)
  const bytes = batches.reduce((sum, { memory }) => sum + memory.length, 0)
  for (const batch of batches) batch.take()
  return bytes
}

describe('memory for what leaves together', () => {
  it('is little for each of many connections that write within one turn', () => {
    const pool = new ChunkPool()
    for (let again = 0; again < 3; again += 1) expect(turn(pool, 1_000)).toBeLessThan(1_000 * 6 * 1024)
  })

  it('is used up by one after the other', () => {
    const pool = new ChunkPool(2_048)
    const batch = new Batch(pool)
    const buffers = new Set<ArrayBufferLike>()
    for (let count = 0; count < 10; count += 1) {
      batch.reserve(100)
      buffers.add(batch.memory.buffer)
      batch.take()
    }
    expect(buffers.size).toBe(1)
  })

  it('is enough for what is larger than a chunk', () => {
    const batch = new Batch(new ChunkPool(64))
    expect(batch.reserve(1_000)).toBe(0)
    expect(batch.memory.length).toBeGreaterThanOrEqual(1_000)
  })
})
