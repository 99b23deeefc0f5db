import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { decodeRow, encodeRow, endKey, endOf, idOf } from './row.ts'

const row = fc.record({
  endsAtMs: fc.maxSafeNat(),
  token: fc.string({ unit: 'grapheme', maxLength: 200 }),
  result: fc.option(fc.uint8Array({ maxLength: 300 }), { nil: undefined }),
})

describe('a row', () => {
  it('is read as it was written', () => {
    fc.assert(
      fc.property(row, (written) => {
        const result = written.result === undefined ? undefined : Uint8Array.from(written.result)
        expect(decodeRow(encodeRow(written))).toEqual({ ...written, result })
      }),
    )
  })

  it('that was damaged anywhere is found out', () => {
    fc.assert(
      fc.property(row, fc.nat(), fc.integer({ min: 1, max: 255 }), (written, at, change) => {
        const bytes = encodeRow(written)
        const place = at % bytes.length
        bytes[place] = (bytes[place] ?? 0) ^ change
        expect(() => decodeRow(bytes)).toThrow(expect.objectContaining({ code: 'ENGINE_CORRUPT' }))
        expect(() => decodeRow(bytes.subarray(0, at % 15))).toThrow('ENGINE_CORRUPT')
      }),
    )
  })
})

describe('the key by which rows end', () => {
  it('sorts them by their end, and tells it', () => {
    const ends = fc.tuple(fc.maxSafeNat(), fc.maxSafeNat())
    fc.assert(
      fc.property(ends, fc.string(), ([one, other], key) => {
        const keys = [one, other].map((end) => endKey(end, idOf(key))) as [Buffer, Buffer]
        expect(Math.sign(Buffer.compare(...keys))).toBe(Math.sign(one - other))
        expect(endOf(keys[0])).toEqual({ endsAtMs: one, id: idOf(key) })
      }),
    )
  })
})
