import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { groupOf, handOverOf, positionOf, seqOf } from './incoming.ts'

describe('what a delivery tells of itself', () => {
  it('is read from the subject it is acknowledged on', () => {
    const expected = { count: 2, seq: 17, storedAtMs: 1_700_000_000_123 }
    expect(handOverOf('$JS.ACK.posthaste=c.g.2.17.5.1700000000123456789.0')).toEqual(expected)
  })

  it('is read where the server names a domain and an account, too', () => {
    const expected = { count: 1, seq: 9, storedAtMs: 1_700_000_000_123 }
    expect(handOverOf('$JS.ACK.hub.ABC.s.c.1.9.5.1700000000123456789.0.token')).toEqual(expected)
  })

  it('says whom it is for by its subject', () => {
    expect(groupOf('p.c.all')).toBeUndefined()
    expect(groupOf('p.c.all.3')).toBeUndefined()
    expect(groupOf('p.c.@a=b.3')).toBe('a.b')
  })

  it('has positions that compare as text like numbers', () => {
    fc.assert(
      fc.property(fc.maxSafeNat(), fc.maxSafeNat(), (a, b) => {
        expect(seqOf(positionOf(a))).toBe(a)
        expect(positionOf(a) < positionOf(b)).toBe(a < b)
      }),
    )
    for (const text of ['', '17', 'x'.repeat(16), '00000000000000017']) expect(seqOf(text)).toBeUndefined()
  })
})
