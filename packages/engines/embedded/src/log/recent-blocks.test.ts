import { describe, expect, it } from 'vitest'
import type { Block } from './block.ts'
import { RecentBlock } from './block.ts'
import { RecentBlocks } from './recent-blocks.ts'

const recent = (first: number, bytes: number) => new RecentBlock({ first, storedAtMs: 0, bytes, behind: 0 }, [])
const stored = (first: number): Block => ({ first, count: 10, storedAtMs: 0, behind: 0, record: () => undefined })

describe('recent blocks', () => {
  it('are kept up to a bound in bytes, the newest of all channels', () => {
    const blocks = new RecentBlocks(100)
    const [a, b, c] = [recent(0, 40), recent(0, 40), recent(40, 40)]
    blocks.add(1, a)
    blocks.add(2, b)
    expect([blocks.get(1, 0), blocks.get(2, 0)]).toEqual([a, b])
    blocks.add(1, c)
    expect([blocks.get(1, 0), blocks.get(2, 0), blocks.get(1, 40)]).toEqual([undefined, b, c])
    blocks.drop(2, 0)
    blocks.add(3, recent(0, 60))
    expect(blocks.get(1, 40)).toBe(c)
  })
})

describe('blocks of the store that were looked into', () => {
  it('are found by every offset they hold, in their log alone', () => {
    const blocks = new RecentBlocks(100)
    const block = stored(20)
    blocks.keepOpen(1, block, 5)
    expect([20, 29].map((offset) => blocks.openAt(1, offset, 5))).toEqual([block, block])
    expect([19, 30].map((offset) => blocks.openAt(1, offset, 5))).toEqual([undefined, undefined])
    expect(blocks.openAt(2, 20, 5)).toBeUndefined()
  })

  it('are forgotten with the next commit, and when there are too many', () => {
    const blocks = new RecentBlocks(100)
    for (let at = 0; at < 9; at++) blocks.keepOpen(1, stored(at * 10), 5)
    expect([blocks.openAt(1, 0, 5), blocks.openAt(1, 10, 5)?.first]).toEqual([undefined, 10])
    expect(blocks.openAt(1, 10, 6)).toBeUndefined()
    blocks.keepOpen(1, stored(90), 6)
    expect(blocks.openAt(1, 80, 6)).toBeUndefined()
  })
})
