import { PosthasteError } from '@posthaste/contracts'
import { describe, expect, it } from 'vitest'
import { connectError, refuseDatabase, serverError } from './errors.ts'

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

describe('a connection that does not come to be', () => {
  const coded = (code: string) => Object.assign(new Error(`handshake: ${code}`), { code })

  it('to a server that is not trusted has a remedy that says how', () => {
    const error = connectError('h:1', coded('SELF_SIGNED_CERT_IN_CHAIN'))
    expect(error).toMatchObject({ code: 'UNAVAILABLE', remedy: expect.stringMatching(/tls\.ca/) })
  })

  it.each([
    [new Error('Unknown RESP type 73 "I". Please report this.'), 'FAILED_PRECONDITION', 'no Redis server'],
    [coded('ERR_SSL_WRONG_VERSION_NUMBER'), 'FAILED_PRECONDITION', 'TLS'],
    [coded('ECONNRESET'), 'UNAVAILABLE', 'hung up'],
    [new Error('Connection is closed.'), 'UNAVAILABLE', 'hung up'],
  ])('to what is no such server says so: %s', (cause, code, text) => {
    const error = connectError('h:1', cause)
    expect(error).toMatchObject({ code, cause, remedy: expect.stringMatching(/host and port/) })
    expect(error.message).toContain(text)
  })

  it('and was refused says what the server says', () => {
    expect(connectError('h:1', new Error('WRONGPASS invalid')).code).toBe('UNAUTHENTICATED')
  })
})

describe('a database that cannot be selected', () => {
  it.each(['ERR DB index is out of range', "NOPERM this user has no permissions to run the 'select' command"])(
    'is no other one: %s',
    (text) => {
      const cause = new Error(text)
      const refused = () => refuseDatabase(99, cause)
      expect(refused).toThrow(expect.objectContaining({ code: 'FAILED_PRECONDITION', cause }))
      expect(refused).toThrow(text)
    },
  )

  it('for another reason is that reason', () => {
    const cause = new Error('NOAUTH Authentication required.')
    expect(() => refuseDatabase(3, cause)).toThrow(cause)
  })
})
