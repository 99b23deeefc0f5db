import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { derivedId, uuidV5 } from './derived-ids.ts'

const dns = Uint8Array.from([
  0x6b, 0xa7, 0xb8, 0x10, 0x9d, 0xad, 0x11, 0xd1, 0x80, 0xb4, 0, 0xc0, 0x4f, 0xd4, 0x30, 0xc8,
])

/** The same by way of Node's own SHA-1. */
function reference(space: Uint8Array, name: string): string {
  const hash = createHash('sha1').update(space).update(name).digest().subarray(0, 16)
  hash[6] = (hash[6]! & 0x0f) | 0x50
  hash[8] = (hash[8]! & 0x3f) | 0x80
  return hash.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
}

describe('uuidV5', () => {
  it('agrees with the example of RFC 9562, appendix A.4', () => {
    expect(uuidV5(dns, 'www.example.com')).toBe('2ed6657d-e927-568b-95e1-2665a8aea6a2')
  })

  it('agrees with SHA-1 for names of any length', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 200 }), (name) => {
        expect(uuidV5(dns, name)).toBe(reference(dns, name))
      }),
      { numRuns: 300 },
    )
  })
})

describe('derivedId', () => {
  it('is the same for the same message, group and place', () => {
    expect(derivedId('m1', 'points', 1)).toBe(derivedId('m1', 'points', 1))
  })

  it('stays what it was in earlier versions, because downstream recognises repetitions by it', () => {
    expect(derivedId('m1', 'points', 1)).toBe('d8eafca0-cb8f-55c5-9270-4e52a0ce778c')
  })

  it('differs by message, by group and by place', () => {
    const ids = [derivedId('m1', 'a', 1), derivedId('m2', 'a', 1), derivedId('m1', 'b', 1), derivedId('m1', 'a', 2)]
    expect(new Set(ids).size).toBe(ids.length)
  })
})
