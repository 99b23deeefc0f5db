import { describe, expect, it } from 'vitest'
import { KnownIds } from './known-ids.ts'

describe('KnownIds', () => {
  it('knows an id for its time, counted from the first, and not a millisecond longer', () => {
    const ids = new KnownIds(100)
    expect([1_000, 1_050, 1_099].map((nowMs) => ids.isRepetition('a', nowMs))).toEqual([false, true, true])
    expect([1_100, 1_199, 1_200].map((nowMs) => ids.isRepetition('a', nowMs))).toEqual([false, true, false])
  })

  it('tells ids apart', () => {
    const ids = new KnownIds(100)
    expect(['a', 'b', 'a', 'B'].map((id) => ids.isRepetition(id, 1_000))).toEqual([false, false, true, false])
  })

  it('goes by the clock that was set back: what was stored later is known for longer', () => {
    const ids = new KnownIds(100)
    ids.isRepetition('later', 2_000)
    expect(ids.isRepetition('earlier', 1_000)).toBe(false)
    expect(ids.isRepetition('later', 1_050)).toBe(true)
    expect(ids.isRepetition('earlier', 1_150)).toBe(false)
  })
})
