import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { plain, records } from '../test/records.ts'
import { decodePrepared, encodePrepared } from './prepared-codec.ts'

const prepared = fc.record({
  record: records('c'),
  group: fc.option(fc.stringMatching(/^[A-Za-z0-9._-]{1,64}$/), { nil: undefined }),
  checkAtMs: fc.oneof(fc.double({ noNaN: true, min: 0 }), fc.constant(Number.POSITIVE_INFINITY)),
  preparedAtMs: fc.integer({ min: 0 }),
  checks: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
})

describe('a prepared record at rest', () => {
  it('is read as it was written', () => {
    fc.assert(
      fc.property(prepared, ({ record, group, ...about }) => {
        const found = decodePrepared(encodePrepared({ record: { ...record, group }, ...about }), 'c')
        expect(plain(found.record)).toEqual(plain(record))
        expect({ ...found, record: undefined }).toEqual({ ...about, record: undefined })
        expect([found.record.channel, found.record.group]).toEqual(['c', group])
      }),
    )
  })

  it('that is damaged is not taken for another', () => {
    fc.assert(
      fc.property(records('c'), fc.nat(), (record, at) => {
        const row = encodePrepared({ record, checkAtMs: 1, preparedAtMs: 2, checks: 3 })
        // Behind what the row's own checksum watches over: the block of the record.
        const where = 21 + (at % (row.length - 21))
        row.writeUInt8(row.readUInt8(where) ^ 0x10, where)
        try {
          expect(plain(decodePrepared(row, 'c').record)).toEqual(plain(record))
        } catch (error) {
          expect(error).toMatchObject({ code: 'ENGINE_CORRUPT' })
        }
      }),
    )
  })
})
