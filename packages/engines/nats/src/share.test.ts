import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { quotaOf, rangesFrom } from './share.ts'

const members = fc.uniqueArray(fc.stringMatching(/^[a-z]{1,5}$/), { minLength: 1, maxLength: 20 })
const count = fc.integer({ min: 1, max: 64 })

describe('shares', () => {
  it('are all ranges together, and differ by one at most', () => {
    fc.assert(
      fc.property(members, count, (all, ranges) => {
        const quotas = all.map((member) => quotaOf(member, all, ranges))
        expect(quotas.reduce((sum, each) => sum + each, 0)).toBe(ranges)
        expect(Math.max(...quotas) - Math.min(...quotas)).toBeLessThanOrEqual(1)
      }),
    )
  })

  it('do not depend on the order in which members are known', () => {
    fc.assert(
      fc.property(members, count, (all, ranges) => {
        const other = [...all].reverse()
        for (const member of all) expect(quotaOf(member, all, ranges)).toBe(quotaOf(member, other, ranges))
      }),
    )
  })

  it('are nothing for who is no member', () => {
    expect(quotaOf('x', ['a', 'b'], 8)).toBe(0)
  })

  it('are looked for at all ranges, once each, beginning at different places', () => {
    fc.assert(
      fc.property(members, count, (all, ranges) => {
        const tried = [...rangesFrom(all[0] as string, all, ranges)]
        expect([...tried].sort((a, b) => a - b)).toEqual(Array.from({ length: ranges }, (_, at) => at))
      }),
    )
    expect([...rangesFrom('a', ['a', 'b'], 4)][0]).toBe(0)
    expect([...rangesFrom('b', ['a', 'b'], 4)][0]).toBe(2)
  })
})
