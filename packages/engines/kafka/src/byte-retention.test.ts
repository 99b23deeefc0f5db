import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Stretch, withinBytes } from './byte-retention.ts'

const stretches = fc
  .array(fc.tuple(fc.integer({ min: 1, max: 100 }), fc.integer({ min: 0, max: 1_000 })), { maxLength: 8 })
  .map((parts) => {
    let at = 0
    return parts.map(([length, bytesPerOffset]): Stretch => {
      const stretch = { from: at, until: at + length, bytesPerOffset }
      at = stretch.until
      return stretch
    })
  })

/** What the offsets from one on have. */
function bytesFrom(list: readonly Stretch[], first: number): number {
  return list.reduce(
    (sum, { from, until, bytesPerOffset }) => sum + Math.max(0, until - Math.max(from, first)) * bytesPerOffset,
    0,
  )
}

describe('what a limit of bytes keeps', () => {
  it('is the newest, no more than the limit, and no less by more than one record of each partition', () => {
    fc.assert(
      fc.property(fc.array(stretches, { maxLength: 4 }), fc.integer({ min: 0, max: 200_000 }), (lists, bytesMax) => {
        const partitions = new Map(lists.entries())
        const cuts = withinBytes(partitions, bytesMax)
        const kept = lists.map((list, at) => bytesFrom(list, cuts.get(at) as number))
        const sum = kept.reduce((all, each) => all + each, 0)
        const all = lists.reduce((bytes, list) => bytes + bytesFrom(list, 0), 0)
        expect(sum).toBeLessThanOrEqual(bytesMax + 1e-6)
        expect(sum).toBeGreaterThanOrEqual(Math.min(all, bytesMax) - 1_000 * lists.length - 1e-6)
      }),
    )
  })

  it('is all of it within the limit', () => {
    const partitions = new Map([[0, [{ from: 5, until: 10, bytesPerOffset: 20 }]]])
    expect(withinBytes(partitions, 100)).toEqual(new Map([[0, 0]]))
    expect(withinBytes(partitions, 99)).toEqual(new Map([[0, 6]]))
  })
})
