import { describe, expect, it } from 'vitest'
import { isExhaustedOnArrival } from './ladder.ts'

describe('isExhaustedOnArrival', () => {
  it('lets a delivery begin that the ladder still has a place for', () => {
    expect(isExhaustedOnArrival(4, 3)).toBe(false)
    expect(isExhaustedOnArrival(5, 3)).toBe(true)
  })

  it('forgives two crashes even where failures are not retried', () => {
    expect(isExhaustedOnArrival(3, 0)).toBe(false)
    expect(isExhaustedOnArrival(4, 0)).toBe(true)
  })
})
