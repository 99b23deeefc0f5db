import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { FreshKeys } from './fresh-keys.ts'

describe('fresh keys', () => {
  it('are kept with what is known of them, until it is taken', () => {
    const keys = new FreshKeys(10)
    keys.put('a', { count: 2, bucket: 7 })
    expect(keys.size).toBe(1)
    expect(keys.take('b')).toBeUndefined()
    expect(keys.take('a')).toEqual({ count: 2, bucket: 7 })
    expect(keys.take('a')).toBeUndefined()
    expect(keys.size).toBe(0)
  })

  it('are forgotten two turns later, unless they came back', () => {
    const keys = new FreshKeys(10)
    keys.put('a', { count: 1, bucket: 1 })
    keys.put('b', { count: 1, bucket: 1 })
    keys.turn()
    keys.put('b', keys.take('b') as { count: number; bucket: number })
    keys.turn()
    expect(keys.take('a')).toBeUndefined()
    expect(keys.take('b')).toEqual({ count: 1, bucket: 1 })
    expect(keys.dropped).toBe(0)
  })

  it('are no more than they may be, and at least half as many; what is dropped is counted', () => {
    const keys = new FreshKeys(100)
    for (let i = 0; i < 1_000; i++) keys.put(`key ${i}`, { count: 1, bucket: 0 })
    expect(keys.size).toBeLessThanOrEqual(100)
    expect(keys.size + keys.dropped).toBe(1_000)
    for (let i = 950; i < 1_000; i++) expect(keys.take(`key ${i}`)).toBeDefined()
  })

  it('know what a map would know', () => {
    const step = fc.record({
      key: fc.nat(300).map((n) => `k${n}`),
      put: fc.option(
        fc.record({ count: fc.integer({ min: 1, max: 255 }), bucket: fc.integer({ min: 0, max: 2 ** 32 - 1 }) }),
      ),
    })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 2_000, size: 'max' }), (steps) => {
        const keys = new FreshKeys(1_000_000)
        const map = new Map<string, unknown>()
        for (const { key, put } of steps) {
          expect(keys.take(key)).toEqual(map.get(key))
          map.delete(key)
          if (put !== null) {
            keys.put(key, put)
            map.set(key, put)
          }
          expect(keys.size).toBe(map.size)
        }
      }),
      { numRuns: 30 },
    )
  })

  it('tell a hundred thousand keys apart that differ little', () => {
    const keys = new FreshKeys(1_000_000)
    for (let i = 0; i < 100_000; i++) keys.put(`shop.Inventory/checkStock@10.0.0.${i}`, { count: 1, bucket: i })
    for (let i = 0; i < 100_000; i++) {
      if (keys.take(`shop.Inventory/checkStock@10.0.0.${i}`)?.bucket !== i) expect.fail(`${i} was taken for another`)
    }
    expect(keys.size).toBe(0)
  })

  it('take no more memory for those that were taken, however many that were', () => {
    const keys = new FreshKeys(1_000)
    for (let i = 0; i < 10_000; i++) {
      keys.put(`key ${i}`, { count: 1, bucket: 0 })
      keys.take(`key ${i}`)
    }
    expect(keys.size).toBe(0)
    expect(keys.places).toBeLessThan(500)
  })
})
