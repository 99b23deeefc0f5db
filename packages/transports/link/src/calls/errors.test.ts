import { PosthasteError } from '@posthaste/contracts'
import { describe, expect, it } from 'vitest'
import { tellable } from './errors.ts'

describe('a failure that is told to a caller', () => {
  it('keeps what the caller can act on, and loses its cause', () => {
    const told = {
      remedy: 'Order less.',
      verdict: 'permanent',
      issues: [{ path: 'quantity', message: 'is too large' }],
      details: { available: 3 },
      retryAfterMs: 20,
    } as const
    const error = tellable(new PosthasteError('CONFLICT', 'too few', { ...told, cause: new Error('secret') }))
    expect(error).toMatchObject({ ...told, code: 'CONFLICT', message: '[CONFLICT] too few' })
    expect(error.cause).toBeUndefined()
  })

  it('loses details that nothing can write, and never says that nothing was sent', () => {
    const error = tellable(new PosthasteError('INTERNAL', 'x', { details: { n: 1n }, notSent: true }))
    expect(error).toMatchObject({ details: undefined, notSent: false })
  })
})
