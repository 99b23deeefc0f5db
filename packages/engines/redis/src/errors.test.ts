import { PosthasteError } from '@posthaste/contracts'
import { describe, expect, it } from 'vitest'
import { serverError } from './errors.ts'

describe('an error of the server', () => {
  it.each([
    ['NOAUTH Authentication required.', 'UNAUTHENTICATED'],
    ['WRONGPASS invalid username-password pair or user is disabled.', 'UNAUTHENTICATED'],
    ['ERR invalid password', 'UNAUTHENTICATED'],
    ["NOPERM this user has no permissions to run the 'evalsha' command", 'PERMISSION_DENIED'],
    ["OOM command not allowed when used memory > 'maxmemory'.", 'ENGINE_WRITE_FAILED'],
    ['MISCONF Redis is configured to save RDB snapshots', 'ENGINE_WRITE_FAILED'],
    ["READONLY You can't write against a read only replica.", 'UNAVAILABLE'],
    ['LOADING Redis is loading the dataset in memory', 'UNAVAILABLE'],
    ['ERR Error running script', 'INTERNAL'],
    ['connect ECONNREFUSED 127.0.0.1:1', 'UNAVAILABLE'],
  ])('%s means what it says', (text, code) => {
    const error = serverError('publish', new Error(text))
    expect(error.code).toBe(code)
    expect(error.message).toContain(text)
    expect(error.cause).toBeInstanceOf(Error)
  })

  it('of an application with too little memory is one to try again', () => {
    expect(serverError('publish', new Error('OOM command not allowed')).verdict).toBe('retryable')
  })

  it('stays what it is if it is one of ours', () => {
    const own = new PosthasteError('NOT_FOUND', 'x')
    expect(serverError('publish', own)).toBe(own)
  })
})
