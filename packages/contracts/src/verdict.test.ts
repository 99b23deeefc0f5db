import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Verdict, verdictOf } from './verdict.ts'

describe('the verdict', () => {
  it.each<Verdict>(['retryable', 'permanent', 'ignored'])('is believed where the error brings it: %s', (verdict) => {
    expect(verdictOf({ verdict })).toBe(verdict)
    expect(verdictOf(Object.assign(new Error('x'), { verdict }))).toBe(verdict)
  })

  it.each([undefined, null, 'permanent', 7, new Error('x'), { verdict: 'maybe' }, { verdict: undefined }])(
    'is to retry on %s, because losing work is worse than repeating it',
    (thrown) => expect(verdictOf(thrown)).toBe('retryable'),
  )

  it('exists for anything', () => {
    fc.assert(fc.property(fc.anything(), (thrown) => ['retryable', 'permanent', 'ignored'].includes(verdictOf(thrown))))
  })
})
