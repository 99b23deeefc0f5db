import { describe, expect, it } from 'vitest'
import { seededRandom } from './random.ts'
import { isPoisoned, killSchedule } from './schedule.ts'

describe('a seed', () => {
  it('reproduces the kills, and another one gives others', () => {
    expect(killSchedule(7, 50)).toEqual(killSchedule(7, 50))
    expect(killSchedule(8, 50)).not.toEqual(killSchedule(7, 50))
  })

  it('gives the same beginning however many kills there are', () => {
    expect(killSchedule(7, 50).slice(0, 5)).toEqual(killSchedule(7, 5))
  })

  it('reproduces which lives are poisoned, and poisons some of them', () => {
    const poisoned = Array.from({ length: 200 }, (_, kill) => isPoisoned(7, kill))
    expect(poisoned).toEqual(Array.from({ length: 200 }, (_, kill) => isPoisoned(7, kill)))
    expect(new Set(poisoned)).toEqual(new Set([true, false]))
  })

  it('kills while the system starts and while it runs', () => {
    expect(new Set(killSchedule(1, 100).map(({ from }) => from))).toEqual(new Set(['spawn', 'ready']))
  })
})

describe('chance', () => {
  it('stays within its bounds and reaches them', () => {
    const random = seededRandom(3)
    const drawn = Array.from({ length: 1_000 }, () => random.integer(2, 4))
    expect(new Set(drawn)).toEqual(new Set([2, 3, 4]))
  })

  it('differs from stream to stream of one seed', () => {
    expect(seededRandom(3, 1).next()).not.toBe(seededRandom(3, 2).next())
  })
})
