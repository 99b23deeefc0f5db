import { describe, expect, it } from 'vitest'
import { Gradient2, type Gradient2Settings } from './gradient2.ts'

const settings: Gradient2Settings = {
  ...{ initial: 20, min: 1, max: 1_000, tolerance: 1.5, queueSize: 4, smoothing: 0.2, windowMs: 1_000, samplesMin: 10 },
}

function setUp(change: Partial<Gradient2Settings> = {}) {
  const gradient = new Gradient2({ ...settings, ...change })
  let nowMs = 0
  /** A window of ten calls that take so long, the last `dropped` of which are dropped. */
  const window = (tookMs: number, { inFlight = gradient.limit, dropped = 0 } = {}): number => {
    nowMs += 1_001
    for (let n = 1; n <= 10; n++) gradient.ended({ startedAtMs: nowMs - tookMs, inFlight }, nowMs, n > 10 - dropped)
    return gradient.limit
  }
  return { gradient, window }
}

describe('Gradient2', () => {
  it('grows by a fifth of the queue it aims at with each window in which calls take as long as ever', () => {
    const { window } = setUp()
    expect([window(50), window(50), window(50)]).toEqual([20.8, 21.6, 22.400000000000002])
  })

  it('lets calls become slower by half before it shrinks', () => {
    const { gradient, window } = setUp()
    for (let n = 0; n < 10; n++) window(50)
    const before = gradient.limit
    expect(window(74)).toBeCloseTo(before + 0.8, 6)
  })

  it('shrinks with the gradient: how much slower calls are than they usually were, with tolerance', () => {
    const { gradient, window } = setUp({ initial: 100 })
    for (let n = 0; n < 10; n++) window(50)
    const before = gradient.limit
    const usualMs = 50 * (1 - 2 / 601) + 100 * (2 / 601)
    const aimed = (before * 1.5 * usualMs) / 100 + 4
    expect(window(100)).toBeCloseTo(before * 0.8 + aimed * 0.2, 6)
    expect(gradient.figures()).toEqual({ roundTripMs: 100, roundTripUsuallyMs: usualMs })
  })

  it('never aims at less than half', () => {
    const { gradient, window } = setUp({ initial: 100 })
    for (let n = 0; n < 10; n++) window(50)
    const before = gradient.limit
    expect(window(50_000)).toBeCloseTo(before * 0.8 + (before / 2 + 4) * 0.2, 6)
  })

  it('forgets a baseline from worse times quickly', () => {
    const { gradient, window } = setUp()
    for (let n = 0; n < 10; n++) window(1_000)
    window(100)
    expect(gradient.figures().roundTripUsuallyMs).toBeCloseTo((1_000 * (1 - 2 / 601) + 100 * (2 / 601)) * 0.95, 6)
  })

  it('does not change by windows in which less than half of the limit was under way, but learns from them', () => {
    const { gradient, window } = setUp()
    expect(window(50, { inFlight: 9 })).toBe(20)
    expect(gradient.figures()).toMatchObject({ roundTripMs: 50, roundTripUsuallyMs: 50 })
    expect(window(50, { inFlight: 10 })).toBe(20.8)
  })

  it('shrinks by the share of calls that were dropped, which says nothing about how long calls take', () => {
    const { gradient, window } = setUp({ initial: 100 })
    expect(window(50, { dropped: 3 })).toBeCloseTo(80 + (70 + 4) * 0.2, 6)
    const before = gradient.limit
    expect(window(50, { dropped: 10 })).toBeCloseTo(before * 0.8 + (before / 2 + 4) * 0.2, 6)
    expect(gradient.figures().roundTripMs).toBe(50)
  })

  it('waits for the window to pass, and for ten calls in it', () => {
    const { gradient, window } = setUp()
    // Which ends at 1,001 ms.
    window(50)
    const ended = (nowMs: number): number => {
      gradient.ended({ startedAtMs: nowMs - 50, inFlight: 20 }, nowMs, false)
      return gradient.limit
    }
    for (let n = 0; n < 50; n++) expect(ended(2_001)).toBe(20.8)
    expect(ended(2_002)).toBe(21.6)
    for (let n = 0; n < 9; n++) expect(ended(9_000)).toBe(21.6)
    expect(ended(9_000)).toBeCloseTo(22.4, 6)
  })

  it('takes no notice of answers that are there at once', () => {
    const { gradient, window } = setUp()
    expect(window(0.05)).toBe(20)
    expect(gradient.figures().roundTripMs).toBe(0)
  })

  it('stays within its bounds', () => {
    const { window } = setUp({ initial: 10, min: 10, max: 12 })
    for (let n = 0; n < 20; n++) window(50)
    expect(window(50)).toBe(12)
    for (let n = 0; n < 20; n++) window(5_000)
    expect(window(5_000)).toBe(10)
  })
})
