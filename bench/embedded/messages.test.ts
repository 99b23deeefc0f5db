import { describe, expect, it } from 'vitest'
import { ordersOf } from './messages.ts'

describe('orders', () => {
  it.each([100, 1_024])('have exactly %d bytes each', (bytes) => {
    const sizes = new Set(ordersOf(bytes).map((order) => Buffer.byteLength(JSON.stringify(order))))
    expect([...sizes]).toEqual([bytes])
  })

  it('cannot be smaller than their fields', () => {
    expect(() => ordersOf(20)).toThrow(RangeError)
  })
})
