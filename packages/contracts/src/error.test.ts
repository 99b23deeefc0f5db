import { describe, expect, it, vi } from 'vitest'
import { type ErrorCode, errorCodes } from './codes.ts'
import { ignore, PosthasteError, reject, retryLater } from './error.ts'

const codes = Object.keys(errorCodes) as ErrorCode[]

describe('an error', () => {
  it.each(codes)('has the verdict and the remedy of its code: %s', (code) => {
    const error = new PosthasteError(code, 'something happened')
    const { verdict, remedy } = errorCodes[code]
    expect({ ...error }).toMatchObject({ code, verdict, remedy, issues: [] })
    expect(error.message).toBe(`[${code}] something happened`)
  })

  it('says more where it knows more', () => {
    const cause = new Error('socket closed')
    const options = {
      remedy: 'Start the stock service.',
      verdict: 'permanent',
      cause,
      issues: [{ path: 'a', message: 'b' }],
      details: { host: 'stock' },
      retryAfterMs: 50,
    } as const
    const error = new PosthasteError('UNAVAILABLE', 'stock is away', options)
    expect(error).toMatchObject(options)
    expect(error.cause).toBe(cause)
  })

  it('is an Error with a name, a stack and no cause it was not given', () => {
    const error = new PosthasteError('INTERNAL', 'x')
    expect(error).toBeInstanceOf(Error)
    expect(String(error)).toBe('PosthasteError: [INTERNAL] x')
    expect(error.stack).toContain('error.test.ts')
    expect('cause' in error).toBe(false)
  })

  it('is recognised by code', () => {
    const error = new PosthasteError('NOT_FOUND', 'x')
    expect(PosthasteError.is(error)).toBe(true)
    expect(PosthasteError.is(error, 'NOT_FOUND')).toBe(true)
    expect(PosthasteError.is(error, 'CONFLICT')).toBe(false)
  })

  it('is recognised across copies of the package, both ways', async () => {
    vi.resetModules()
    const other = (await import('./error.ts')).PosthasteError
    expect(other).not.toBe(PosthasteError)
    expect(other.is(new PosthasteError('NOT_FOUND', 'x'), 'NOT_FOUND')).toBe(true)
    expect(PosthasteError.is(new other('NOT_FOUND', 'x'), 'NOT_FOUND')).toBe(true)
  })

  it.each([undefined, null, 'NOT_FOUND', 7, new Error('x'), { code: 'NOT_FOUND', name: 'PosthasteError' }])(
    'is not %s',
    (value) => {
      expect(PosthasteError.is(value)).toBe(false)
    },
  )
})

describe('what was thrown', () => {
  it('stays as it is where it is an error of ours', () => {
    const error = new PosthasteError('CONFLICT', 'x')
    expect(PosthasteError.from(error, 'HANDLER_FAILED', 'the handler')).toBe(error)
  })

  it.each([
    [new TypeError('no such field'), 'no such field'],
    ['just text', 'just text'],
    [undefined, 'undefined'],
    [null, 'null'],
    [7, '7'],
  ])('becomes the cause: %s', (thrown, text) => {
    const error = PosthasteError.from(thrown, 'HANDLER_FAILED', 'handler of shop.order')
    expect(error).toMatchObject({ code: 'HANDLER_FAILED', verdict: 'retryable' })
    expect(error.message).toBe(`[HANDLER_FAILED] handler of shop.order: ${text}`)
    expect(error.cause).toBe(thrown)
  })

  it('cannot break its own report', () => {
    const hostile = {
      toString: () => {
        throw new Error('no')
      },
    }
    expect(PosthasteError.from(hostile, 'HANDLER_FAILED', 'x').code).toBe('HANDLER_FAILED')
    expect(PosthasteError.from(Object.create(null), 'HANDLER_FAILED', 'x').code).toBe('HANDLER_FAILED')
    expect(PosthasteError.from(Symbol('odd'), 'HANDLER_FAILED', 'x').message).toContain('Symbol(odd)')
  })

  it('keeps a verdict it brings, and has that of the code otherwise', () => {
    const permanent = Object.assign(new Error('x'), { verdict: 'permanent' })
    const nonsense = Object.assign(new Error('x'), { verdict: 'maybe' })
    expect(PosthasteError.from(permanent, 'HANDLER_FAILED', 'x').verdict).toBe('permanent')
    expect(PosthasteError.from(nonsense, 'INTERNAL', 'x').verdict).toBe('permanent')
    expect(PosthasteError.from(new Error('x'), 'INTERNAL', 'x').verdict).toBe('permanent')
  })
})

describe('the answer of a handler', () => {
  it('asks for another attempt, at a time of its own if it wants', () => {
    expect(retryLater('not yet')).toMatchObject({
      code: 'HANDLER_RETRY',
      verdict: 'retryable',
      retryAfterMs: undefined,
    })
    expect(retryLater('not yet', { afterMs: 500 }).retryAfterMs).toBe(500)
  })

  it('refuses for good', () =>
    expect(reject('unknown order')).toMatchObject({ code: 'HANDLER_REJECTED', verdict: 'permanent' }))

  it('skips', () => expect(ignore('seen before')).toMatchObject({ code: 'HANDLER_IGNORED', verdict: 'ignored' }))
})
