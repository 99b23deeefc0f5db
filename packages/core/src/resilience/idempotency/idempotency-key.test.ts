import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createCall } from '../../pipeline/call.ts'
import { digest, idempotencyKey } from './idempotency-key.ts'

const keyOf = (header: string | undefined, kind: 'serve' | 'handle' = 'serve') =>
  idempotencyKey(
    createCall({
      kind,
      target: 'a/b',
      id: 'm-1',
      payload: 1,
      headers: header === undefined ? {} : { 'idempotency-key': header },
    }),
  )

describe('the key of a call', () => {
  it('is the header, in quotes as the draft wants it, or without as many send it', () => {
    expect(keyOf('8e03978e-40d5-43e8-bc93-6894a57f9324')).toBe('8e03978e-40d5-43e8-bc93-6894a57f9324')
    expect(keyOf('"8e03978e-40d5-43e8-bc93-6894a57f9324"')).toBe('8e03978e-40d5-43e8-bc93-6894a57f9324')
    expect(keyOf('"a \\"b\\" \\\\"')).toBe('a "b" \\')
  })

  it('is the same in quotes and without', () => {
    const text = fc.stringMatching(/^[!-~]{1,255}$/)
    fc.assert(
      fc.property(text, (key) => {
        expect(keyOf(`"${key.replaceAll(/["\\]/g, '\\$&')}"`)).toBe(key)
        if (!key.startsWith('"')) expect(keyOf(key)).toBe(key)
      }),
    )
  })

  it('is the id of a message that has no header', () => {
    expect([keyOf(undefined, 'handle'), keyOf('k', 'handle'), keyOf(undefined)]).toEqual(['m-1', 'k', undefined])
  })

  it.each(['', '""', '"', '"a', '"a"b', '"\\a"', 'a b', 'ä', 'a\n', 'x'.repeat(256), `"${'x'.repeat(256)}"`])(
    'is refused as %j',
    (header) => {
      expect(() => keyOf(header)).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }))
    },
  )
})

describe('a digest', () => {
  it('is SHA-256 in hexadecimal', async () => {
    expect(await digest('abc')).toBe('ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad')
  })
})
