import { describe, expect, it } from 'vitest'
import { manualClock } from '../../testing/manual-clock.ts'
import { LocalRates, memoryRateLimits } from './local-rates.ts'

const limit = { unitMs: 100, burst: 2 }

function setUp(keysMax = 100) {
  const clock = manualClock()
  const rates = new LocalRates(clock, keysMax)
  const take = (key: string): boolean => rates.take(key, 1, limit).allowed
  return { clock, rates, take }
}

describe('rates in process', () => {
  it('are each key’s own', () => {
    const { take } = setUp()
    expect(['a', 'a', 'a', 'b', 'b', 'b'].map(take)).toEqual([true, true, false, true, true, false])
  })

  it('forget keys that are as good as new, as others come', async () => {
    const { clock, rates, take } = setUp()
    for (let n = 0; n < 50; n++) take(`old ${n}`)
    await clock.advance(100)
    for (let n = 0; n < 50; n++) take(`new ${n}`)
    expect(rates.size).toBe(50)
    await clock.advance(100)
    expect(['new 49', 'new 49', 'new 49'].map(take)).toEqual([true, true, false])
  })

  it('remember no more keys than they may, and those the longest that come again and again', () => {
    const { rates, take } = setUp(3)
    expect(take('steady') && take('steady')).toBe(true)
    for (let n = 0; n < 1_000; n++) {
      take(`passing ${n}`)
      expect(take('steady')).toBe(false)
    }
    expect(rates.size).toBe(3)
  })

  it('do not remember a key for what it was refused', () => {
    const { rates } = setUp()
    expect(rates.take('greedy', 3, limit)).toMatchObject({ allowed: false, retryAfterMs: Number.POSITIVE_INFINITY })
    expect(rates.size).toBe(0)
  })
})

describe('a store of rates in memory', () => {
  it('keeps rates as any store does', async () => {
    const clock = manualClock()
    const store = memoryRateLimits({}, clock)
    expect(await store.take('a', 2, limit)).toMatchObject({ allowed: true, remaining: 0, resetAfterMs: 200 })
    expect(await store.take('a', 1, limit)).toMatchObject({ allowed: false, retryAfterMs: 100 })
    await clock.advance(100)
    expect(await store.take('a', 1, limit)).toMatchObject({ allowed: true })
  })

  it('tells of wrong options', () => {
    expect(() => memoryRateLimits({ keysMax: 0 })).toThrow(/memoryRateLimits\.keysMax/)
  })
})
