import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { idBefore, joinedAtMs, placeOf, positionOf, streamKey } from './names.ts'

const parts = fc.record({
  ms: fc.integer({ min: 0, max: 4_000_000_000_000 }),
  seq: fc.integer({ min: 0, max: 9_999_999_999 }),
  level: fc.integer({ min: 0, max: 9 }),
})

const refOf = ({ ms, seq, level }: { ms: number; seq: number; level: number }) =>
  `${ms}-${seq}${level > 0 ? `.${level}` : ''}`

describe('positions', () => {
  it('say where a record stands, and are found again', () => {
    fc.assert(
      fc.property(parts, (each) => {
        expect(placeOf(positionOf(refOf(each)))).toEqual({ ref: refOf(each), ...each })
      }),
    )
  })

  it('compare as texts as their records stand in the stream', () => {
    fc.assert(
      fc.property(parts, parts, (a, b) => {
        const [first, second] = [positionOf(refOf(a)), positionOf(refOf(b))]
        const before = a.ms - b.ms || a.seq - b.seq || a.level - b.level
        expect(first < second).toBe(before < 0)
        expect(first === second).toBe(before === 0)
      }),
    )
  })

  it.each(['', '1-2', '000000000000001-0000000002x', '000000000000001', 'no position'])('%s is none', (text) => {
    expect(placeOf(text)).toBeUndefined()
  })
})

describe('the id before another', () => {
  it('is the last one that comes before it', () => {
    expect(idBefore({ ms: 5, seq: 3 })).toBe('5-2')
    expect(idBefore({ ms: 5, seq: 0 })).toBe('4-9999999999')
    expect(idBefore({ ms: 0, seq: 0 })).toBe('0-0')
  })
})

it('tells when a record joined its stream', () => {
  expect(joinedAtMs('1763745600000-12.3')).toBe(1_763_745_600_000)
})

it('puts all keys of an installation into one slot', () => {
  expect(streamKey('shop', 'shop.order.created')).toBe('{shop}:stream:shop.order.created')
})
