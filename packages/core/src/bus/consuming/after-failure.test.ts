import { ignore, PosthasteError, reject, retryLater } from '@posthaste/contracts'
import { describe, expect, it } from 'vitest'
import { afterFailure } from './after-failure.ts'
import type { Ladder } from './ladder.ts'

const ladder: Ladder = { immediate: 2, delayed: 3, baseMs: 500, maxMs: 1_500 }
const rules = { ladder, errors: [], random: () => 0.5 }
const failed = new PosthasteError('HANDLER_FAILED', 'no')
const after = (error: PosthasteError, attempt = 1) => afterFailure({ error, by: 'handler' }, attempt, rules)

describe('afterFailure', () => {
  it('waits longer with every delivery, up to the longest wait, and then gives up', () => {
    expect(after(failed, 1)).toEqual({ kind: 'retry', afterMs: 250 })
    expect(after(failed, 2)).toEqual({ kind: 'retry', afterMs: 500 })
    expect(after(failed, 3)).toEqual({ kind: 'retry', afterMs: 750 })
    expect(after(failed, 4)).toMatchObject({ kind: 'deadLetter', error: { code: 'ATTEMPTS_EXHAUSTED', cause: failed } })
  })

  it('waits as long as the handler asks for, also where that is longer than the longest wait', () => {
    expect(after(retryLater('not yet', { afterMs: 60_000 }))).toEqual({ kind: 'retry', afterMs: 60_000 })
    expect(after(retryLater('now', { afterMs: 0 }))).toEqual({ kind: 'retry', afterMs: 0 })
  })

  it.each([
    [Number.POSITIVE_INFINITY, 2 ** 31 - 1],
    [1e300, 2 ** 31 - 1],
    [-1, 0],
    [Number.NaN, 250],
    ['soon' as never, 250],
  ])('takes a request for a wait of %s as one of %s', (afterMs, taken) => {
    expect(after(retryLater('not yet', { afterMs }))).toEqual({ kind: 'retry', afterMs: taken })
  })

  it('counts an attempt that the handler asked to repeat', () => {
    expect(after(retryLater('not yet'), 4)).toMatchObject({ kind: 'deadLetter', error: { code: 'ATTEMPTS_EXHAUSTED' } })
  })

  it('gives up at once on what is permanent, for its own reason', () => {
    const error = reject('no such order')
    expect(after(error)).toEqual({ kind: 'deadLetter', error, to: undefined })
  })

  it('settles without effect what the handler ignores', () => {
    expect(after(ignore('seen before'))).toEqual({ kind: 'ignore' })
  })

  it.each(['CANCELLED', 'DELIVERY_LOST'] as const)(
    'tries again when the handler fails with %s of something else',
    (code) => {
      expect(after(new PosthasteError(code, 'a call was given up'))).toMatchObject({ kind: 'retry' })
    },
  )

  it('gives up on what a filter refuses for good', () => {
    const error = new PosthasteError('RATE_LIMITED', 'more than may ever come', { verdict: 'permanent' })
    expect(afterFailure({ error, by: 'filter' }, 1, rules)).toEqual({ kind: 'deadLetter', error, to: undefined })
  })

  it.each(['BREAKER_OPEN', 'OVERLOADED', 'RATE_LIMITED'] as const)(
    'hands back what a filter refuses with %s',
    (code) => {
      const refusal = new PosthasteError(code, 'not now', { retryAfterMs: 3_000 })
      expect(afterFailure({ error: refusal, by: 'filter' }, 9, rules)).toEqual({ kind: 'handBack', afterMs: 3_000 })
      expect(after(refusal, 1)).toEqual({ kind: 'retry', afterMs: 3_000 })
    },
  )

  it('never hands back without a wait', () => {
    const refusal = new PosthasteError('OVERLOADED', 'not now')
    const zero = { ladder, errors: [], random: () => 0 }
    expect(afterFailure({ error: refusal, by: 'filter' }, 1, zero)).toEqual({ kind: 'handBack', afterMs: 500 })
  })
})
