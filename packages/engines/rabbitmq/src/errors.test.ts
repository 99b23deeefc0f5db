import { describe, expect, it } from 'vitest'
import { connectionError, errorOf, isHopeless } from './errors.ts'

function answered(code: string, message: string): Error {
  return Object.assign(new Error(message), { code })
}

describe('what the server answers', () => {
  it('becomes an error of ours that keeps its words and is its effect', () => {
    const cause = answered('NOT_FOUND', "NOT_FOUND - no queue 'q' in vhost '/'")
    const error = errorOf(cause, 'asking')
    expect(error).toMatchObject({ code: 'NOT_FOUND', cause })
    expect(error.message).toContain("no queue 'q'")
  })

  it.each([
    ['ACCESS_REFUSED', 'PERMISSION_DENIED'],
    ['NOT_ALLOWED', 'PERMISSION_DENIED'],
    ['PRECONDITION_FAILED', 'FAILED_PRECONDITION'],
    ['RESOURCE_ERROR', 'OVERLOADED'],
    ['RESOURCE_LOCKED', 'CONFLICT'],
    ['CH_CLOSE', 'UNAVAILABLE'],
    ['ECONNREFUSED', 'UNAVAILABLE'],
    ['toString', 'UNAVAILABLE'],
  ])('%s is %s', (reply, code) => {
    expect(errorOf(answered(reply, 'x'), 'asking').code).toBe(code)
  })

  it('stays what it is where it is ours already', () => {
    const error = errorOf(new Error('x'), 'first')
    expect(errorOf(error, 'second')).toBe(error)
  })

  it('may be anything that was thrown', () => {
    expect(errorOf(undefined, 'asking').code).toBe('UNAVAILABLE')
    expect(errorOf('text', 'asking').message).toContain('text')
  })
})

describe('a connection that is refused', () => {
  it('is a login that was refused, and no other attempt mends it', () => {
    const cause = answered('ACCESS_REFUSED', 'Login was refused')
    expect(connectionError(cause, 'connecting')).toMatchObject({ code: 'UNAUTHENTICATED', cause })
    expect(isHopeless(cause)).toBe(true)
    expect(isHopeless(answered('ECONNREFUSED', 'x'))).toBe(false)
  })

  it('is told without what the client does not know', () => {
    const cause = answered('ACCESS_REFUSED', 'undefined: ACCESS_REFUSED - Login was refused')
    const { message } = connectionError(cause, 'connecting')
    expect(message).toBe('[UNAUTHENTICATED] rabbitmq: connecting: ACCESS_REFUSED - Login was refused')
  })

  it('since the server is not trusted has a remedy that says how', () => {
    const { code, remedy } = connectionError(answered('SELF_SIGNED_CERT_IN_CHAIN', 'x'), 'connecting')
    expect(code).toBe('UNAVAILABLE')
    expect(remedy).toContain('tls.ca')
  })
})
