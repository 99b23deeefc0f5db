import { type ErrorCode, errorCodes, PosthasteError, reject } from '@posthaste/contracts'
import { describe, expect, it } from 'vitest'
import { isCalleeFailure, isHealthFailure, isWorthRetrying, wasNotSent } from './failure.ts'

const error = (code: ErrorCode): PosthasteError => new PosthasteError(code, 'it')
const codes = Object.keys(errorCodes) as ErrorCode[]
const accepted = (by: (thrown: unknown) => boolean): ErrorCode[] => codes.filter((code) => by(error(code)))

describe('how failures are judged', () => {
  it('counts against health: timeouts, unavailability, faults; not refusals, cancellations and mistakes of the caller', () => {
    const counting = accepted(isHealthFailure)
    expect(counting).toEqual(expect.arrayContaining(['DEADLINE_EXCEEDED', 'UNAVAILABLE', 'INTERNAL', 'HANDLER_FAILED']))
    for (const code of [
      'BREAKER_OPEN',
      'OVERLOADED',
      'RATE_LIMITED',
      'CANCELLED',
      'DELIVERY_LOST',
      'HANDLER_IGNORED',
      'HANDLER_REJECTED',
      'INVALID_ARGUMENT',
      'PAYLOAD_INVALID',
      'NOT_FOUND',
      'UNAUTHENTICATED',
    ] as const) {
      expect(counting).not.toContain(code)
    }
  })

  it('believes the verdict an error brings rather than its code', () => {
    expect(isHealthFailure(new PosthasteError('UNAVAILABLE', 'it', { verdict: 'permanent' }))).toBe(false)
    expect(isWorthRetrying(new PosthasteError('NOT_FOUND', 'not yet', { verdict: 'retryable' }))).toBe(true)
  })

  it('takes an error of unknown kind for a failure of the callee that may pass', () => {
    for (const judge of [isCalleeFailure, isHealthFailure, isWorthRetrying])
      expect(judge(new TypeError('x'))).toBe(true)
  })

  it('retries what is retryable, except an open breaker', () => {
    const retryable = codes.filter((code) => errorCodes[code].verdict === 'retryable' && code !== 'BREAKER_OPEN')
    expect(accepted(isWorthRetrying)).toEqual(retryable)
  })

  it('answers for refusals and faults of the callee, not for mistakes of the caller', () => {
    expect(accepted(isCalleeFailure)).toEqual(
      expect.arrayContaining(['BREAKER_OPEN', 'OVERLOADED', 'RATE_LIMITED', 'INTERNAL']),
    )
    expect(isCalleeFailure(reject('no'))).toBe(false)
    expect(isCalleeFailure(error('INVALID_ARGUMENT'))).toBe(false)
  })

  it('believes that nothing was sent only where the error says so', () => {
    expect(wasNotSent(new PosthasteError('UNAVAILABLE', 'refused', { notSent: true }))).toBe(true)
    expect(wasNotSent(new PosthasteError('UNAVAILABLE', 'reset', { details: { sent: true } }))).toBe(false)
    expect(wasNotSent(error('UNAVAILABLE'))).toBe(false)
    expect(wasNotSent({ notSent: true })).toBe(false)
  })
})
