import { describe, expect, it } from 'vitest'
import { costOf, interleaved, latenciesOf, median, percentile, rateOf } from './measure.ts'

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
