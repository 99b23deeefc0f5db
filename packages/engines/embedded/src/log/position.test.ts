import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { ChannelLog } from './channel-log.ts'
import { type Position, parsePosition, placeIn, positionOf } from './position.ts'

const wide = fc.integer({ min: 0, max: 2 ** 48 - 1 })
const places = fc.record({ offset: wide, level: fc.integer({ min: 0, max: 9 }), storedAtMs: wide })
const logOf = (level: number | undefined, offsetAt = (ms: number) => ms) => ({ level, offsetAt }) as ChannelLog
const textOf = ({ level, offset, storedAtMs }: Position) => positionOf(logOf(level), offset, storedAtMs)

describe('a position', () => {
  it('says where a record stands, with priorities and without', () => {
    fc.assert(
      fc.property(places, (place) => {
        expect(parsePosition(textOf(place), 10)).toEqual(place)
        const text = positionOf(logOf(undefined), place.offset, place.storedAtMs)
        expect(parsePosition(text, 1)).toEqual({ offset: place.offset, level: 0, storedAtMs: 0 })
      }),
    )
  })

  it('is in text order as records are in order of time, of level, and of their log', () => {
    const inOrder = (a: Position, b: Position) =>
      a.storedAtMs - b.storedAtMs || a.level - b.level || a.offset - b.offset
    fc.assert(
      fc.property(fc.array(places), (some) => {
        expect(some.map(textOf).sort()).toEqual([...some].sort(inOrder).map(textOf))
      }),
    )
  })

  it.each(['', '1', 'x'.repeat(15), '000000000000001.1', '000000000000001.9.000000000000001', '-00000000000001'])(
    '%o is none of a channel with three levels, nor of one without',
    (text) => {
      expect([parsePosition(text, 3), parsePosition(text, 1)]).toEqual([undefined, undefined])
    },
  )

  it('of one channel is none of the other kind', () => {
    expect(parsePosition(positionOf(logOf(undefined), 1, 2), 3)).toBeUndefined()
    expect(parsePosition(positionOf(logOf(0), 1, 2), 1)).toBeUndefined()
  })

  it('stands in another level between what was stored before and what was stored later', () => {
    const place = { offset: 7, level: 1, storedAtMs: 100 }
    const begins = [0, 1, 2].map((level) => placeIn(logOf(level), place))
    // Of its own time, a lower level comes before it and a higher one behind it.
    expect(begins).toEqual([101, 7, 100])
    expect(placeIn(logOf(undefined), place)).toBe(7)
  })
})
