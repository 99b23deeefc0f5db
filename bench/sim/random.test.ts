import { describe, expect, it } from 'vitest'
import { type Distribution, exponential, logNormal, seededRandom } from './random.ts'

const many = 20_000

function samples(distribution: Distribution): number[] {
  const random = seededRandom(7, 'samples')
  return Array.from({ length: many }, () => distribution(random)).sort((a, b) => a - b)
}

const meanOf = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length

describe('randomness', () => {
  it('is decided by its seed and the name of its stream', () => {
    const draw = (seed: number, stream: string) => Array.from({ length: 8 }, seededRandom(seed, stream))
    expect(draw(1, 'a')).toEqual(draw(1, 'a'))
    expect(draw(1, 'a')).not.toEqual(draw(2, 'a'))
    expect(draw(1, 'a')).not.toEqual(draw(1, 'b'))
  })

  it('is from 0 up to but not 1, and spread evenly', () => {
    const values = samples((random) => random())
    expect(values[0]).toBeGreaterThanOrEqual(0)
    expect(values.at(-1)).toBeLessThan(1)
    for (const share of [0.1, 0.5, 0.9]) expect(values[many * share]).toBeCloseTo(share, 1)
  })

  it('has exponential times with the mean asked for', () => {
    const values = samples(exponential(40))
    expect(meanOf(values) / 40).toBeCloseTo(1, 1)
    expect(values[many / 2]! / (40 * Math.LN2)).toBeCloseTo(1, 1)
  })

  it('has lognormal times with the mean asked for, and a tail by its sigma', () => {
    const values = samples(logNormal(40, 0.5))
    expect(meanOf(values) / 40).toBeCloseTo(1, 1)
    expect(values[many / 2]! / (40 * Math.exp(-0.125))).toBeCloseTo(1, 1)
    expect(values[many * 0.99]! / 40 / 2.8).toBeCloseTo(1, 1)
  })
})
