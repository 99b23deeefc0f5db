import fc from 'fast-check'
import { expect, it } from 'vitest'
import { bucketOf, delayBuckets } from './delay-buckets.ts'

it('takes steps that are never longer than what remains, to buckets that there are', () => {
  fc.assert(
    fc.property(fc.double({ min: 0, max: 1e14, noNaN: true }), (remainingMs) => {
      const { bucket, waitMs } = bucketOf(remainingMs)
      expect(waitMs).toBeLessThanOrEqual(remainingMs)
      expect(bucket).toBeGreaterThanOrEqual(0)
      expect(bucket).toBeLessThan(delayBuckets)
    }),
  )
})

it('waits equally long for all in a bucket, but for the last bit', () => {
  fc.assert(
    fc.property(fc.integer({ min: 64, max: 2 ** 45 }), fc.integer({ min: 64, max: 2 ** 45 }), (one, other) => {
      const [a, b] = [bucketOf(one), bucketOf(other)]
      expect(a.bucket === b.bucket).toBe(a.waitMs === b.waitMs)
      expect(a.bucket).toBeGreaterThan(0)
    }),
  )
})

it('comes to the end of a year in a few dozen steps', () => {
  let [remainingMs, steps] = [365 * 86_400_000 - 1, 0]
  for (; remainingMs > 0; steps += 1) remainingMs -= bucketOf(remainingMs).waitMs
  expect(steps).toBeLessThan(50)
})
