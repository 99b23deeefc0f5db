import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { owes, surplus } from './fair-share.ts'

describe('the shares of a group', () => {
  it('are even where they can be', () => {
    expect(surplus({ ranges: 8, members: 2, own: 8 })).toBe(4)
    expect(surplus({ ranges: 8, members: 3, own: 4 })).toBe(1)
    expect(surplus({ ranges: 8, members: 3, own: 3 })).toBe(0)
  })

  it('leave everything to a member that is alone, also where the server counts none yet', () => {
    expect(surplus({ ranges: 8, members: 1, own: 8 })).toBe(0)
    expect(surplus({ ranges: 8, members: 0, own: 8 })).toBe(0)
  })

  it('are owed to one that has none, and not to one that has as much', () => {
    expect(owes({ ranges: 4, members: 3, own: 2 }, 0)).toBe(true)
    expect(owes({ ranges: 4, members: 3, own: 1 }, 0)).toBe(false)
    expect(owes({ ranges: 4, members: 3, own: 2 }, 1)).toBe(false)
  })

  it('come to rest: nobody owes anything once all have their share, rounded up or down', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 64 }), fc.integer({ min: 1, max: 64 }), (ranges, members) => {
        const least = Math.floor(ranges / members)
        const most = Math.ceil(ranges / members)
        for (const own of [least, most]) {
          expect(surplus({ ranges, members, own })).toBe(0)
          for (const other of [least, most]) expect(owes({ ranges, members, own }, other)).toBe(false)
        }
      }),
    )
  })
})
