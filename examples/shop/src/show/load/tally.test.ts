import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isAnswered, mostWaiting, patienceMs, quantile, tallyOf, waitingAt } from './tally.ts'
import type { Shot } from './volley.ts'

const shot = (dueMs: number, endedMs: number, status = 200): Shot => ({ dueMs, sentMs: dueMs, endedMs, status })

describe('the sum of requests', () => {
  it('tells answers in time from late ones and from refusals', () => {
    const shots = [shot(0, 10), shot(0, patienceMs + 1), shot(5, 6, 503), shot(5, 7, 0)]
    expect(tallyOf(shots)).toEqual({
      sent: 4,
      answered: 2,
      inTime: 1,
      refused: 2,
      p50Ms: 2,
      p99Ms: patienceMs + 1,
    })
  })

  it('is all zero of nothing', () => {
    expect(tallyOf([])).toEqual({ sent: 0, answered: 0, inTime: 0, refused: 0, p50Ms: 0, p99Ms: 0 })
  })

  it('begins the wait when the request was due, not when it left', () => {
    expect(tallyOf([{ dueMs: 0, sentMs: 90, endedMs: 100, status: 200 }]).p50Ms).toBe(100)
  })
})

it('no answer and an error are no answer', () => {
  expect([200, 201, 399, 400, 503, 0].map((status) => isAnswered(shot(0, 1, status)))).toEqual([
    true,
    true,
    true,
    false,
    false,
    false,
  ])
})

describe('how many wait', () => {
  it('counts who has come and has no answer yet', () => {
    const shots = [shot(0, 10), shot(5, 20), shot(10, 11)]
    expect([0, 5, 10, 11, 20].map((atMs) => waitingAt(shots, atMs))).toEqual([1, 2, 2, 1, 0])
    expect(mostWaiting(shots)).toBe(2)
  })

  it('is never more than the most, which is reached when somebody comes', () => {
    const any = fc.tuple(fc.nat(50), fc.integer({ min: 1, max: 50 })).map(([due, took]) => shot(due, due + took))
    fc.assert(
      fc.property(fc.array(any, { minLength: 1 }), (shots) => {
        const counts = shots.map(({ dueMs }) => waitingAt(shots, dueMs))
        expect(mostWaiting(shots)).toBe(Math.max(...counts))
      }),
    )
  })
})

it('a quantile is the value that so many do not exceed', () => {
  const values = Array.from({ length: 100 }, (_, at) => at + 1)
  expect([0, 0.5, 0.99, 1].map((share) => quantile(values, share))).toEqual([1, 50, 99, 100])
  expect(quantile([], 0.5)).toBe(0)
})
