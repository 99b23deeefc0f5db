import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { idKey, nameKey, offsetKey } from './keys.ts'
import { isSealed, openSeal, seal, unseal } from './seal.ts'

const bytes = fc.uint8Array({ maxLength: 40 })

describe('a sealed row', () => {
  it('gives back its value', () => {
    fc.assert(
      fc.property(bytes, bytes, (key, value) => {
        expect(unseal(key, seal(key, value))).toEqual(Buffer.from(value))
      }),
    )
  })

  it('gives back nothing when any bit of it, or of its key, is another', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 40 }), bytes, fc.nat(), (key, value, bit) => {
        const row = seal(key, value)
        const inRow = bit % (8 * row.length)
        row[inRow >> 3]! ^= 1 << (inRow & 7)
        expect(unseal(key, row)).toBeUndefined()
        row[inRow >> 3]! ^= 1 << (inRow & 7)
        const inKey = bit % (8 * key.length)
        const other = Uint8Array.from(key)
        other[inKey >> 3]! ^= 1 << (inKey & 7)
        expect(unseal(other, row)).toBeUndefined()
      }),
    )
  })

  it('that was cut short gives back nothing', () => {
    const key = idKey(1)
    for (let length = 0; length < 7; length++)
      expect(unseal(key, seal(key, Buffer.alloc(3)).subarray(0, length))).toBeUndefined()
  })

  it.each([
    ['topology', Buffer.from('channel/c'), "'channel/c'"],
    ['tails', idKey(7), 'of id 7'],
    ['entries', offsetKey(7, 12), 'of id 7 at offset 12'],
    ['scheduled', nameKey(7, 'n'), '0000000700016e'],
  ] as const)('of %s is named when it is damaged', (table, key, name) => {
    const row = seal(key, Buffer.from('value'))
    row[0]! ^= 1
    expect(() => openSeal(table, key, row)).toThrow(
      expect.objectContaining({ code: 'ENGINE_CORRUPT', details: { table, row: name } }),
    )
  })
})

describe('tables', () => {
  it('are sealed but for those that cannot be, or have checksums of their own', () => {
    expect((['meta', 'blocks', 'quarantine'] as const).map(isSealed)).toEqual([false, false, false])
    expect(
      (['topology', 'tails', 'cursors', 'settled', 'entries', 'timers', 'scheduled'] as const).every(isSealed),
    ).toBe(true)
  })
})
