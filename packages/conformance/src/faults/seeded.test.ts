import { describe, expect, it } from 'vitest'
import { seeded } from './seeded.ts'

const numbers = (seed: number) => {
  const { next } = seeded(seed)
  return Array.from({ length: 50 }, next)
}

describe('seeded', () => {
  it('chooses the same for the same seed, and something else for another', () => {
    expect(numbers(7)).toEqual(numbers(7))
    expect(numbers(7)).not.toEqual(numbers(8))
  })

  it('stays within its bounds and reaches both of them', () => {
    const chosen = seeded(1)
    const drawn = Array.from({ length: 300 }, () => chosen.between(3, 5))
    expect(new Set(drawn)).toEqual(new Set([3, 4, 5]))
  })

  it('picks every choice, and none from nothing', () => {
    const chosen = seeded(2)
    expect(new Set(Array.from({ length: 100 }, () => chosen.pick(['a', 'b', 'c'])))).toEqual(new Set(['a', 'b', 'c']))
    expect(() => chosen.pick([])).toThrow(RangeError)
  })

  it('lets happen about as much as is probable', () => {
    const chosen = seeded(3)
    const happened = Array.from({ length: 1_000 }, () => chosen.chance(0.25)).filter(Boolean).length
    expect(happened).toBeGreaterThan(150)
    expect(happened).toBeLessThan(350)
    expect(chosen.chance(0)).toBe(false)
    expect(chosen.chance(1)).toBe(true)
  })
})
