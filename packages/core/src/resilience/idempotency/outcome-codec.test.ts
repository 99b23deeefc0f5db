import { PosthasteError } from '@posthaste/contracts'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { decodeOutcome, encodeFailure, encodeHandled, encodeResult, json, notKept } from './outcome-codec.ts'

describe('a kept outcome', () => {
  it('gives every JSON value back, and undefined', () => {
    fc.assert(
      fc.property(fc.oneof(fc.jsonValue(), fc.constant(undefined)), (value) => {
        const plain = value === undefined ? undefined : JSON.parse(JSON.stringify(value))
        expect(decodeOutcome(encodeResult(value, json), json)).toEqual({ kind: 'result', value: plain })
      }),
    )
  })

  it('gives what a message publishes back, bytes for bytes', () => {
    const record = fc.record(
      {
        ...{ id: fc.string(), channel: fc.string(), key: fc.string(), dueAtMs: fc.nat(), priority: fc.nat() },
        ...{ headers: fc.dictionary(fc.stringMatching(/^[a-z]{1,9}$/), fc.string()), body: fc.uint8Array() },
      },
      { requiredKeys: ['id', 'channel', 'headers', 'body'] },
    )
    fc.assert(
      fc.property(fc.array(record), (records) => {
        // Null prototypes are the generator's own.
        const value = records.map((each) => ({ ...each, headers: { ...each.headers } }))
        expect(decodeOutcome(encodeHandled(value, json), json)).toEqual({ kind: 'result', value })
      }),
    )
    expect(decodeOutcome(encodeHandled(undefined, json), json)).toEqual({ kind: 'result', value: undefined })
  })

  it('gives a failure back as its caller would see it', () => {
    const error = new PosthasteError('FAILED_PRECONDITION', 'no stock', {
      ...{ remedy: 'Wait.', details: { left: 0 }, issues: [{ path: 'a', message: 'b' }], verdict: 'retryable' },
      cause: new Error('secret'),
    })
    const outcome = decodeOutcome(encodeFailure(error), json)
    const { code, message, remedy, details, issues, verdict } = error
    expect(outcome).toMatchObject({ kind: 'failure', error: { code, message, remedy, details, issues, verdict } })
    expect(new TextDecoder().decode(encodeFailure(error))).not.toContain('secret')
  })

  it('tells of what could not be kept', () => {
    expect(decodeOutcome(notKept, json)).toEqual({ kind: 'notKept' })
  })

  it('refuses what has no JSON, and what is of another format', () => {
    for (const value of [Symbol('x'), () => 1]) expect(() => encodeResult(value, json)).toThrow('no JSON data')
    expect(() => encodeResult(1n, json)).toThrow()
    for (const bytes of [[], [9, 1], [1, 0x7b]]) expect(() => decodeOutcome(Uint8Array.from(bytes), json)).toThrow()
  })
})
