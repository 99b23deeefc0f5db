import { errorCodes, PosthasteError } from '@posthaste/contracts'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { encodeFailure, encodeGoaway, readFailure, readGoaway } from './failure.ts'

const bytesMax = 16 * 1024
const back = (error: PosthasteError) => {
  const payload = encodeFailure(error, bytesMax)
  return readFailure(payload, 0, payload.length)
}
const read = (value: unknown) => {
  const payload = Buffer.from(JSON.stringify(value))
  return readFailure(payload, 0, payload.length)
}

describe('an error that crosses', () => {
  it('says on the other side what it said on this one', () => {
    const error = new PosthasteError('CONFLICT', 'sold out', {
      remedy: 'Order less.',
      verdict: 'retryable',
      issues: [{ path: 'items.0', message: 'only 2 left' }],
      details: { left: 2 },
      retryAfterMs: 250,
    })
    expect(back(error)).toEqual(error)
    expect(back(error).message).toBe('[CONFLICT] sold out')
  })

  it('keeps neither its cause nor whether it was sent', () => {
    const error = back(new PosthasteError('UNAVAILABLE', 'gone', { cause: new Error('secret'), notSent: true }))
    expect(error).toMatchObject({ notSent: false })
    expect('cause' in error).toBe(false)
  })

  it('fits in a frame, whatever it says', () => {
    const text = fc.string({ unit: 'binary', minLength: 1, maxLength: 4 }).map((unit) => unit.repeat(3000))
    fc.assert(
      fc.property(text, text, (message, long) => {
        const error = new PosthasteError('INTERNAL', message, { remedy: long, details: { long } })
        expect(encodeFailure(error, bytesMax).length).toBeLessThanOrEqual(bytesMax)
        expect(back(error).code).toBe('INTERNAL')
      }),
      { numRuns: 20 },
    )
  })

  it('loses details first where it is too large', () => {
    const error = new PosthasteError('INTERNAL', 'short', {
      remedy: 'Wait.',
      details: { long: 'x'.repeat(bytesMax) },
      retryAfterMs: 5,
    })
    expect(back(error)).toMatchObject({
      message: '[INTERNAL] short',
      remedy: 'Wait.',
      details: undefined,
      retryAfterMs: 5,
    })
  })

  it('is said without the details that have no JSON', () => {
    expect(back(new PosthasteError('INTERNAL', 'x', { details: { big: 1n } }))).toMatchObject({ details: undefined })
  })
})

describe('an error with members that no reader takes', () => {
  it.each([
    { retryAfterMs: -1 },
    { retryAfterMs: Number.NaN },
    { retryAfterMs: Number.POSITIVE_INFINITY },
    { details: ['a'] as never },
    { details: new Date(0) as never },
    { issues: [{ path: ['a'] as never, message: 'an array is no path' }] },
    { remedy: 7 as never },
  ])('crosses without them: %o', (members) => {
    const error = new PosthasteError('CONFLICT', 'sold out', members)
    expect(back(error)).toEqual(new PosthasteError('CONFLICT', 'sold out'))
    const goaway = encodeGoaway({ last: 3, error })
    expect(readGoaway(goaway, 0, goaway.length).error?.code).toBe('CONFLICT')
  })
})

describe('an error of another implementation', () => {
  it('needs a code and a message, and has the rest of its code', () => {
    expect(read({ code: 'NOT_FOUND', message: 'no such order', wings: 2 })).toMatchObject({
      message: '[NOT_FOUND] no such order',
      remedy: errorCodes.NOT_FOUND.remedy,
      verdict: errorCodes.NOT_FOUND.verdict,
    })
  })

  it('of an unknown code is INTERNAL and stands among the details; an unknown verdict is that of the code', () => {
    expect(read({ code: 'ON_FIRE', message: 'help', verdict: 'hopeless' })).toMatchObject({
      code: 'INTERNAL',
      message: '[INTERNAL] help',
      verdict: 'permanent',
      details: { code: 'ON_FIRE' },
    })
    expect(read({ code: 'toString', message: 'help', verdict: 'retryable' })).toMatchObject({
      code: 'INTERNAL',
      verdict: 'retryable',
    })
  })

  it.each([
    [{ message: 'x' }],
    [{ code: 7, message: 'x' }],
    [{ code: 'INTERNAL' }],
    [{ code: 'INTERNAL', message: 'x', remedy: 7 }],
    [{ code: 'INTERNAL', message: 'x', retryAfterMs: -1 }],
    [{ code: 'INTERNAL', message: 'x', retryAfterMs: '5' }],
    [{ code: 'INTERNAL', message: 'x', issues: {} }],
    [{ code: 'INTERNAL', message: 'x', issues: [null] }],
    [{ code: 'INTERNAL', message: 'x', issues: [{ path: 'a' }] }],
    [{ code: 'INTERNAL', message: 'x', details: [] }],
  ])('is refused where it is %j', (failure) => {
    expect(() => read(failure)).toThrow(expect.objectContaining({ code: 'BODY_MALFORMED' }))
  })

  it('is refused where it waits for ever', () => {
    const payload = Buffer.from('{"code":"INTERNAL","message":"x","retryAfterMs":1e999}')
    expect(() => readFailure(payload, 0, payload.length)).toThrow(/ill-formed/)
  })
})

describe('going away', () => {
  it('says after which stream, and why', () => {
    const error = new PosthasteError('UNAVAILABLE', 'restarting', { retryAfterMs: 100 })
    for (const goaway of [
      { last: 7, error },
      { last: 0, error: undefined },
      { last: 2 ** 31 - 1, error: undefined },
    ]) {
      const payload = encodeGoaway(goaway)
      expect(readGoaway(payload, 0, payload.length)).toEqual(goaway)
    }
  })

  it('fits in the least of frames', () => {
    const error = new PosthasteError('INTERNAL', '\u0000'.repeat(100_000))
    expect(encodeGoaway({ last: 1, error }).length).toBeLessThan(bytesMax)
  })
})
