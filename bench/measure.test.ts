import { describe, expect, it } from 'vitest'
import { atRate, costOf, interleaved, latenciesOf, median, percentile, rateFor, rateOf } from './measure.ts'

describe('rounds', () => {
  it('take turns, and the first does not count', async () => {
    const order: string[] = []
    const contestant = (name: string) => async (round: number) => {
      order.push(`${name}${round}`)
      return round
    }
    const figures = await interleaved(2, { a: contestant('a'), b: contestant('b') })
    expect(order).toEqual(['a0', 'b0', 'a1', 'b1', 'a2', 'b2'])
    expect(figures).toEqual({ a: [1, 2], b: [1, 2] })
  })
})

describe('a cost', () => {
  it('is what the work says of itself, and what it took of this thread', async () => {
    const cost = await costOf(10, async () => {
      for (let until = performance.now() + 20; performance.now() < until; );
      return 123
    })
    expect(cost.perSecond).toBe(123)
    expect(cost.cpuUs).toBeGreaterThan(0)
  })
})

describe('a percentile', () => {
  it('is one of the figures, whatever their order', () => {
    expect(median([5, 1, 9])).toBe(5)
    expect(percentile([4, 3, 2, 1], 99)).toBe(4)
    expect(percentile([4, 3, 2, 1], 0)).toBe(1)
    expect(percentile([7], 50)).toBe(7)
  })

  it('of nothing is refused', () => {
    expect(() => median([])).toThrow(RangeError)
  })
})

describe('work', () => {
  it('is done once each, never more of it at a time than was said', async () => {
    const seen: number[] = []
    let running = 0
    let most = 0
    await rateOf(100, 7, async (index) => {
      seen.push(index)
      most = Math.max(most, ++running)
      await Promise.resolve()
      running -= 1
    })
    expect(seen).toEqual(Array.from({ length: 100 }, (_, index) => index))
    expect(most).toBe(7)
  })

  it('one at a time has a latency each', async () => {
    let running = 0
    const latencies = await latenciesOf(3, async () => {
      expect(++running).toBe(1)
      await Promise.resolve()
      running -= 1
    })
    expect(latencies).toHaveLength(3)
    expect(latencies.every((latency) => latency >= 0)).toBe(true)
  })
})

describe('work for a time', () => {
  it('is counted until the time is over, with what is under way then', async () => {
    let done = 0
    const { count, perSecond } = await rateFor(20, 3, async () => {
      await new Promise((resolve) => setTimeout(resolve, 1))
      done++
    })
    expect(count).toBe(done)
    expect(count).toBeGreaterThanOrEqual(3)
    expect(perSecond).toBeGreaterThan(0)
  })
})

describe('work at a rate', () => {
  it('begins each piece in turn, no earlier than it is due, and tells when that was', async () => {
    const due: number[] = []
    const beganAtMs = performance.now()
    await atRate({ perSecond: 1_000, count: 20 }, (index, dueAtMs) => {
      expect(performance.now()).toBeGreaterThanOrEqual(dueAtMs)
      expect(index).toBe(due.length)
      due.push(dueAtMs)
    })
    expect(due).toHaveLength(20)
    expect(due[0]).toBeGreaterThanOrEqual(beganAtMs)
    for (let index = 1; index < due.length; index++) expect(due[index]! - due[index - 1]!).toBeCloseTo(1, 5)
  })

  it('waits for nothing that it began, and leaves the times as they were to be', async () => {
    const due: number[] = []
    await atRate({ perSecond: 100_000, count: 50 }, (index, dueAtMs) => {
      due.push(dueAtMs)
      // One that takes long makes the others late, and they are told so.
      if (index === 0) for (const until = performance.now() + 5; performance.now() < until; );
    })
    expect(due.at(-1)! - due[0]!).toBeCloseTo(0.49, 5)
  })
})
