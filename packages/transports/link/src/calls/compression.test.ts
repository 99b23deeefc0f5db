import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { compressedMessage, lastMessage } from '../connection/types.ts'
import { compressed, plain } from './compression.ts'

const flags = compressedMessage | lastMessage

describe('compression', () => {
  it('gives back what it was given, or does nothing', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 2_000 }), (body) => {
        const smaller = compressed(body)
        if (smaller === undefined) return
        expect(smaller.length).toBeLessThan(body.length)
        expect(Buffer.compare(plain(smaller, flags, 2_000), body)).toBe(0)
      }),
    )
    expect(compressed(new Uint8Array(1_000))).toBeDefined()
  })

  it('is not done where it would make a message larger', () => {
    expect(compressed(crypto.getRandomValues(new Uint8Array(1_000)))).toBeUndefined()
  })

  it('leaves messages alone that are not compressed', () => {
    const body = gzipSync('x')
    expect(plain(body, lastMessage, 1)).toBe(body)
  })

  it('stops at the bound, whatever a message would become', () => {
    const bomb = gzipSync(new Uint8Array(10_000_000))
    expect(bomb.length).toBeLessThan(20_000)
    expect(() => plain(bomb, flags, 100_000)).toThrow(expect.objectContaining({ code: 'BODY_TOO_LARGE' }))
  })

  it('refuses what is not compressed as it says', () => {
    const malformed = expect.objectContaining({ code: 'BODY_MALFORMED' })
    expect(() => plain(new Uint8Array([1, 2, 3]), flags, 100)).toThrow(malformed)
    expect(() => plain(gzipSync('x'.repeat(1_000)).subarray(0, 20), flags, 10_000)).toThrow(malformed)
  })
})
