import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { TimeWindow } from './time-window.ts'

describe('a time window', () => {
  it('forgets by time, not by use: an hour of nothing leaves nothing', () => {
    const window = new TimeWindow({ windowMs: 10_000, buckets: 10, counters: 1 })
    for (let i = 0; i < 20; i++) window.add(0, 500)
    window.add(0, 3_600_500)
    expect(window.total(0, 3_600_500)).toBe(1)
  })

  it('forgets bucket by bucket', () => {
    const window = new TimeWindow({ windowMs: 10_000, buckets: 10, counters: 1 })
    window.add(0, 999)
    window.add(0, 1_000)
    expect(window.total(0, 9_999)).toBe(2)
    expect(window.total(0, 10_000)).toBe(1)
    expect(window.total(0, 11_000)).toBe(0)
  })

  it('starts anew when it is cleared', () => {
    const window = new TimeWindow({ windowMs: 1_000, buckets: 10, counters: 2 })
    window.add(1, 50)
    window.clear()
    window.add(0, 50)
    expect([window.total(0, 50), window.total(1, 50)]).toEqual([1, 0])
    expect(window.total(0, 1_100)).toBe(0)
  })

  it('counts what a list of everything that happened counts', () => {
    const step = fc.record({ counter: fc.nat(2), afterMs: fc.oneof(fc.nat(30), fc.nat(500), fc.nat(20_000)) })
    fc.assert(
      fc.property(
        fc.array(step),
        fc.integer({ min: 1, max: 12 }),
        fc.integer({ min: 1, max: 300 }),
        (steps, buckets, bucketMs) => {
          const window = new TimeWindow({ windowMs: buckets * bucketMs, buckets, counters: 3 })
          const happened: { counter: number; bucket: number }[] = []
          let nowMs = 0
          for (const { counter, afterMs } of steps) {
            nowMs += afterMs
            const bucket = Math.floor(nowMs / bucketMs)
            window.add(counter, nowMs)
            happened.push({ counter, bucket })
            for (const asked of [0, 1, 2]) {
              const recent = happened.filter((one) => one.counter === asked && one.bucket > bucket - buckets)
              expect(window.total(asked, nowMs)).toBe(recent.length)
            }
          }
        },
      ),
    )
  })
})
