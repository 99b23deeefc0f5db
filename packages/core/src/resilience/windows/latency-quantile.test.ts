import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { LatencyQuantile } from './latency-quantile.ts'

const p95 = { quantile: 0.95, windowMs: 10_000, samplesMin: 10 }

describe('a quantile of latencies', () => {
  it('is not there before enough latencies are', () => {
    const latencies = new LatencyQuantile(p95)
    for (let i = 0; i < 9; i++) {
      latencies.add(5, 0)
      expect(latencies.valueMs(0)).toBeUndefined()
    }
    latencies.add(5, 0)
    expect(latencies.valueMs(0)).toBeCloseTo(5, 0)
  })

  it('is within an eighth of the true one, whatever the latencies', () => {
    const latency = fc.oneof(
      fc.double({ min: 0.01, max: 10, noNaN: true }),
      fc.double({ min: 1, max: 1e6, noNaN: true }),
    )
    fc.assert(
      fc.property(
        fc.array(latency, { minLength: 1, maxLength: 300 }),
        fc.double({ min: 0.05, max: 0.99, noNaN: true }),
        (all, quantile) => {
          const latencies = new LatencyQuantile({ quantile, windowMs: 1_000, samplesMin: 1 })
          for (const one of all) latencies.add(one, 0)
          const sorted = [...all].sort((a, b) => a - b)
          const exact = sorted[Math.max(Math.ceil(quantile * all.length) - 1, 0)]!
          const value = latencies.valueMs(0)!
          expect(value).toBeGreaterThanOrEqual(exact * 0.87 - 0.002)
          expect(value).toBeLessThanOrEqual(exact * 1.13 + 0.002)
        },
      ),
    )
  })

  it('forgets what is older than two windows, and all of it after an idle stretch', () => {
    const latencies = new LatencyQuantile(p95)
    for (let i = 0; i < 20; i++) latencies.add(1_000, 0)
    for (let i = 0; i < 20; i++) latencies.add(10, 10_000)
    expect(latencies.valueMs(10_000)).toBeGreaterThan(800)
    for (let i = 0; i < 20; i++) latencies.add(10, 20_000)
    expect(latencies.valueMs(20_000)).toBeLessThan(12)
    expect(latencies.valueMs(60_000)).toBeUndefined()
  })

  it('follows the latencies without being worked out for each of them', () => {
    const latencies = new LatencyQuantile(p95)
    for (let i = 0; i < 100; i++) latencies.add(10, 0)
    expect(latencies.valueMs(0)).toBeLessThan(12)
    for (let i = 0; i < 100; i++) latencies.add(1_000, 1)
    expect(latencies.valueMs(1)).toBeGreaterThan(800)
  })

  it('takes what is no latency for the shortest or the longest one', () => {
    const latencies = new LatencyQuantile({ ...p95, samplesMin: 1 })
    latencies.add(-5, 0)
    expect(latencies.valueMs(0)).toBeLessThan(0.002)
    latencies.add(Number.POSITIVE_INFINITY, 0)
    latencies.add(Number.NaN, 0)
    expect(latencies.valueMs(0)).toBeDefined()
  })
})
