import { murmur2 as clientsMurmur2 } from '@platformatic/kafka'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { murmur2, partitionOf } from './partitioner.ts'

it('hashes as the Java client does', () => {
  // The examples of the client’s own tests.
  expect(murmur2(Buffer.from('21'))).toBe(-973_932_308)
  expect(murmur2(Buffer.from('foobar'))).toBe(-790_332_482)
  expect(murmur2(Buffer.from('a-little-bit-long-string'))).toBe(-985_981_536)
  expect(murmur2(Buffer.from('a-little-bit-longer-string'))).toBe(-1_486_304_829)
  expect(murmur2(Buffer.from('lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8'))).toBe(-58_897_971)
  expect(murmur2(Buffer.from('abc'))).toBe(479_470_107)
})

it('hashes whatever there is as another port of it does', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
      expect(murmur2(Buffer.from(bytes))).toBe(clientsMurmur2(Buffer.from(bytes)))
    }),
  )
})

it('names a partition that there is', () => {
  fc.assert(
    fc.property(fc.string(), fc.integer({ min: 1, max: 1_000 }), (key, count) => {
      const partition = partitionOf(key, count)
      expect(partition >= 0 && partition < count).toBe(true)
    }),
  )
})
