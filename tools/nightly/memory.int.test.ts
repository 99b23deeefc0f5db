import { describe, expect, it } from 'vitest'
import { leftMbMax, measureKeys } from './memory.ts'

const keys = 100_000

describe('a hundred thousand keys, each seen once by a filter with a breaker for each', () => {
  it('leave next to nothing by default: it keeps a thousand', async () => {
    const { leftMb, known } = await measureKeys({ keys })
    expect(known).toBeLessThanOrEqual(1_000)
    expect(leftMb).toBeLessThan(1)
  })

  it.each([undefined, 100])(
    'leave a tenth of what a million may, where all are kept (windowCalls: %s)',
    async (calls) => {
      const settings = { keys, keysMax: 1_000_000, ...(calls !== undefined && { windowCalls: calls }) }
      const { leftMb, known } = await measureKeys(settings)
      expect(known).toBe(keys + 1)
      expect(leftMb).toBeLessThan(leftMbMax / 10)
    },
  )
})
