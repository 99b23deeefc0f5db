import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { delayMsMax, entryOf, patternOf } from './ladder.ts'

/** How long a message stops at its levels, as the routing key says. */
function stopsMs(routingKey: string): number {
  const bits = routingKey.split('.').slice(0, 28)
  return Number.parseInt(bits.join(''), 2) * 16
}

describe('the way through the delay ladder', () => {
  it('takes as long as the delay, or more by less than a step', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: delayMsMax }), (delayMs) => {
        const stopped = stopsMs(entryOf(delayMs, 'c1')?.routingKey ?? '')
        expect(stopped - delayMs).toBeGreaterThanOrEqual(0)
        expect(stopped - delayMs).toBeLessThan(16)
      }),
    )
  })

  it('begins at the highest level where it stops', () => {
    expect(entryOf(16, 'x')?.exchange).toBe('posthaste~delay-16ms-00')
    expect(entryOf(17, 'x')?.exchange).toBe('posthaste~delay-16ms-01')
    expect(entryOf(delayMsMax, 'x')?.exchange).toBe('posthaste~delay-16ms-27')
  })

  it('is no way for what is due', () => {
    expect(entryOf(0, 'x')).toBeUndefined()
    expect(entryOf(-1, 'x')).toBeUndefined()
    expect(entryOf(Number.NaN, 'x')).toBeUndefined()
  })

  it('is as long as the ladder for what takes longer, and is gone again then', () => {
    expect(stopsMs(entryOf(delayMsMax * 3, 'x')?.routingKey ?? '')).toBe(delayMsMax)
  })

  it('ends at the target, whose word is behind all digits', () => {
    const key = entryOf(1_000, 'c7.3')?.routingKey ?? ''
    expect(key.split('.').slice(28)).toEqual(['c7', '3'])
    expect(patternOf('c7').split('.').slice(28)).toEqual(['c7', '#'])
  })
})
