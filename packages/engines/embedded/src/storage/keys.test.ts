import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { idKey, idOf, namedRows, nameKey, offsetKey, offsetOf, timeFloor, timeKey, timeOf, wideMax } from './keys.ts'

const ids = fc.integer({ min: 0, max: 0xffffffff })
const wides = fc.oneof(
  fc.integer({ min: 0, max: 1_000 }),
  fc.maxSafeNat().map((n) => n % (wideMax + 1)),
  fc.constant(wideMax),
)
const signs = (pairs: readonly (readonly [number, number])[]) =>
  Math.sign(pairs.find(([a, b]) => a !== b)?.reduce((a, b) => a - b) ?? 0)
const inRange = (key: Buffer, { from, to }: { from: Buffer; to: Buffer }) =>
  Buffer.compare(from, key) <= 0 && Buffer.compare(key, to) < 0

describe('keys', () => {
  it('order offsets within a channel, and channels, as numbers', () => {
    fc.assert(
      fc.property(fc.tuple(ids, wides), fc.tuple(ids, wides), (one, other) => {
        const [a, b] = [offsetKey(...one), offsetKey(...other)]
        expect(Buffer.compare(a, b)).toBe(signs(one.map((part, index) => [part, other[index] ?? 0])))
        expect([idOf(a), offsetOf(a)]).toEqual(one)
      }),
    )
  })

  it('order times, then openings, then arrivals', () => {
    fc.assert(
      fc.property(fc.tuple(wides, ids, wides), fc.tuple(wides, ids, wides), (one, other) => {
        const [a, b] = [one, other].map(([at, boot, count]) => timeKey(at, { boot, count })) as [Buffer, Buffer]
        expect(Buffer.compare(a, b)).toBe(signs(one.map((part, index) => [part, other[index] ?? 0])))
        const [atA] = one
        expect(timeOf(a)).toBe(atA)
        expect(Buffer.compare(timeFloor(atA), a)).toBeLessThanOrEqual(0)
      }),
    )
  })

  it('stand behind the id they belong to and before the next one', () => {
    fc.assert(
      fc.property(
        ids.filter((id) => id < 0xffffffff),
        wides,
        (id, offset) => {
          expect(inRange(offsetKey(id, offset), { from: idKey(id), to: idKey(id + 1) })).toBe(true)
        },
      ),
    )
  })

  it('find the rows of a name and of no other, prefixes and lone surrogates included', () => {
    const names = fc.oneof(
      fc.string({ maxLength: 5 }),
      fc.constantFrom('a', 'a\u0000', 'a\uffff', 'aa', '', '\ud800', '💌'),
    )
    fc.assert(
      fc.property(names, names, wides, (name, other, at) => {
        const behind = timeKey(at, { boot: 0xffffffff, count: wideMax })
        expect(inRange(nameKey(1, name, behind), namedRows(1, name))).toBe(true)
        if (Buffer.from(other).equals(Buffer.from(name))) return
        expect(inRange(nameKey(1, other, behind), namedRows(1, name))).toBe(false)
        expect(inRange(nameKey(2, name, behind), namedRows(1, name))).toBe(false)
      }),
    )
  })
})
