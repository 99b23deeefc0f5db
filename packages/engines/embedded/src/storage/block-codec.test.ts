import type { OutgoingRecord } from '@posthaste/contracts'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { plain, record, records } from '../../test/records.ts'
import { BlockWriter, StoredBlock } from './block-codec.ts'

const batches = fc.array(records('c'), { minLength: 1, maxLength: 6 })

function written(batch: readonly OutgoingRecord[], storedAtMs = 1_000, behind = 0): Buffer {
  const writer = new BlockWriter()
  for (const each of batch) writer.add(each)
  return writer.take(storedAtMs, behind)
}

function read(bytes: Buffer): readonly (OutgoingRecord | undefined)[] {
  const block = StoredBlock.read(bytes)
  return block === undefined ? [] : Array.from({ length: block.count }, (_, index) => block.record(index, 'c'))
}

const plainAll = (batch: readonly (OutgoingRecord | undefined)[]) => batch.map((each) => each && plain(each))

/** The byte at an index with other bits. */
function flipped(bytes: Buffer, at: number, mask: number): Buffer {
  const damaged = Buffer.from(bytes)
  damaged.writeUInt8(damaged.readUInt8(at) ^ mask, at)
  return damaged
}

describe('a block', () => {
  it('gives back every record as it was written, with the times of the block', () => {
    fc.assert(
      fc.property(batches, fc.nat(), fc.nat(), (batch, storedAtMs, behind) => {
        const bytes = written(batch, storedAtMs, behind)
        expect(plainAll(read(bytes))).toEqual(plainAll(batch))
        expect(StoredBlock.read(bytes)).toMatchObject({ storedAtMs, behind, count: batch.length, isRebuilt: false })
      }),
    )
  })

  it('is written by a writer that has written others, larger ones than its first buffer too', () => {
    const writer = new BlockWriter()
    const large = record('large', { body: new Uint8Array(300_000).fill(7) })
    for (const batch of [[record('1')], [large, record('2')], [record('3'), record('4')]]) {
      for (const each of batch) writer.add(each)
      expect(writer.count).toBe(batch.length)
      expect(plainAll(read(writer.take(5)))).toEqual(plainAll(batch))
      expect([writer.count, writer.bytes]).toEqual([0, 0])
    }
  })

  it('loses no more than one record to any one damaged byte, and never gives a wrong one', () => {
    fc.assert(
      fc.property(batches, fc.integer({ min: 1, max: 255 }), (batch, mask) => {
        const bytes = written(batch)
        const whole = plainAll(batch)
        for (let at = 0; at < bytes.length; at++) {
          const found = plainAll(read(flipped(bytes, at, mask)))
          expect(found).toHaveLength(batch.length)
          const lost = found.filter((each) => each === undefined).length
          expect(lost).toBeLessThanOrEqual(1)
          expect(found).toEqual(whole.map((each, index) => found[index] && each))
        }
      }),
      { numRuns: 15 },
    )
  })

  it('names the damage: a record that is lost, or a trailer that was made anew', () => {
    const bytes = written([record('1'), record('2')])
    for (let at = 0; at < bytes.length; at++) {
      const damaged = flipped(bytes, at, 0x10)
      const isTold = read(damaged).includes(undefined) || StoredBlock.read(damaged)?.isRebuilt
      expect(isTold, `byte ${at}`).toBe(true)
    }
  })

  it('keeps its times when the damage to its trailer is elsewhere', () => {
    const bytes = written([record('1')], 77, 5)
    expect(StoredBlock.read(flipped(bytes, bytes.length - 1, 1))).toMatchObject({ storedAtMs: 77, behind: 5 })
    expect(StoredBlock.read(flipped(bytes, bytes.length - 15, 1))).toMatchObject({ storedAtMs: 0, behind: 0 })
  })

  it('that was cut off anywhere, zeroed or is noise never throws and invents nothing', () => {
    fc.assert(
      fc.property(batches, fc.uint8Array({ maxLength: 300 }), (batch, noise) => {
        const bytes = written(batch)
        const known = new Set(plainAll(batch).map((each) => JSON.stringify(each)))
        const garbage: Buffer[] = [
          Buffer.from(noise),
          Buffer.alloc(bytes.length),
          Buffer.concat([bytes, Buffer.from(noise)]),
        ]
        for (let end = 0; end < bytes.length; end++) garbage.push(bytes.subarray(0, end))
        for (const each of garbage) {
          for (const found of plainAll(read(each)))
            if (found !== undefined) expect(known).toContain(JSON.stringify(found))
        }
      }),
      { numRuns: 20 },
    )
  })
})
