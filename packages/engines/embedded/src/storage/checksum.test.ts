import { crc32 } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { checksum } from './checksum.ts'

describe('the checksum', () => {
  it('is the CRC-32 of zlib, for short and long spans at any place', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 1_200 }), fc.nat(20), fc.nat(20), (bytes, before, behind) => {
        const buffer = Buffer.concat([Buffer.alloc(before, 7), bytes, Buffer.alloc(behind, 9)])
        expect(checksum(buffer, before, before + bytes.length)).toBe(crc32(bytes))
      }),
    )
  })

  it('has the check value of the catalogue of CRCs', () => {
    expect(checksum(Buffer.from('123456789'), 0, 9)).toBe(0xcbf43926)
  })
})
