import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { backoffCeilingMs, backoffMs, decorrelatedBackoffMs } from './backoff.ts'

const backoff = fc.record({
  baseMs: fc.integer({ min: 0, max: 60_000 }),
  factor: fc.double({ min: 1, max: 100, noNaN: true }),
  maxMs: fc.integer({ min: 0, max: 2 ** 31 - 1 }),
})
const failed = fc.integer({ min: 1, max: 10_000 })

describe('the backoff', () => {
  it('doubles its longest wait up to the greatest', () => {
    const ceilings = [1, 2, 3, 4, 5].map((n) => backoffCeilingMs({ baseMs: 100, factor: 2, maxMs: 1_000 }, n))
    expect(ceilings).toEqual([100, 200, 400, 800, 1_000])
  })

  it('waits anything from nothing to the longest wait', () => {
    const settings = { baseMs: 100, factor: 2, maxMs: 1_000 }
    expect(backoffMs(settings, 2, () => 0)).toBe(0)
    expect(backoffMs(settings, 2, () => 0.5)).toBe(100)
    expect(backoffMs(settings, 2, () => 0.999)).toBeCloseTo(199.8)
  })

  it('stays within its bounds, whatever it is set to and however often it failed', () => {
    fc.assert(
      fc.property(
        backoff,
        failed,
        fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
        (settings, n, drawn) => {
          const delayMs = backoffMs(settings, n, () => drawn)
          expect(delayMs).toBeGreaterThanOrEqual(0)
          expect(delayMs).toBeLessThanOrEqual(settings.maxMs)
        },
      ),
    )
  })

  it('never shortens its longest wait from one attempt to the next', () => {
    fc.assert(
      fc.property(backoff, failed, (settings, n) => {
        expect(backoffCeilingMs(settings, n + 1)).toBeGreaterThanOrEqual(backoffCeilingMs(settings, n))
      }),
    )
  })
})

describe('the decorrelated backoff', () => {
  const settings = { baseMs: 100, factor: 3, maxMs: 1_000 }

  it('waits anything from the shortest wait to three times the wait before', () => {
    expect(decorrelatedBackoffMs(settings, 0, () => 0)).toBe(100)
    expect(decorrelatedBackoffMs(settings, 0, () => 0.5)).toBe(200)
    expect(decorrelatedBackoffMs(settings, 200, () => 0.5)).toBe(350)
    expect(decorrelatedBackoffMs(settings, 200, () => 0)).toBe(100)
    expect(decorrelatedBackoffMs(settings, 900, () => 0.5)).toBe(550)
  })

  it('stays a number within its bounds, however often it grew', () => {
    fc.assert(
      fc.property(
        backoff.filter(({ baseMs, maxMs }) => baseMs <= maxMs),
        fc.array(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), { minLength: 1, maxLength: 2_000 }),
        (settings, draws) => {
          let previousMs = 0
          for (const drawn of draws) {
            previousMs = decorrelatedBackoffMs(settings, previousMs, () => drawn)
            expect(previousMs >= settings.baseMs && previousMs <= settings.maxMs).toBe(true)
          }
        },
      ),
    )
  })
})
