import { PosthasteError } from '@posthaste/contracts'
import { describe, expect, it } from 'vitest'
import { checkOptions, type RedisOptions } from './options.ts'

function issuesOf(options: unknown): Record<string, string> {
  try {
    checkOptions(options as RedisOptions)
  } catch (thrown) {
    if (!PosthasteError.is(thrown, 'CONFIG_INVALID')) throw thrown
    return Object.fromEntries(thrown.issues.map(({ path, message }) => [path, message]))
  }
  return {}
}

describe('options', () => {
  it('are complete with a url', () => {
    expect(checkOptions({ url: 'redis://example.test' })).toEqual({
      ...{ host: 'example.test', port: 6_379, db: 0, username: undefined, password: undefined, tls: undefined },
      ...{ prefix: 'posthaste', timeoutMs: 30_000, sessionMs: 30_000, reconnectMs: 10_000, pollMs: 1_000 },
    })
  })

  it('take address, credentials and database from the url', () => {
    expect(checkOptions({ url: 'rediss://me:s%40cret@[::1]:1234/3' })).toMatchObject({
      ...{ host: '::1', port: 1_234, db: 3, username: 'me', password: 's@cret', tls: {} },
    })
  })

  it('put credentials given by name over those of the url', () => {
    const options = { url: 'redis://me:old@h', username: 'you', password: 'new' }
    expect(checkOptions(options)).toMatchObject({ username: 'you', password: 'new' })
  })

  it('give nobody longer to come back than a session lasts', () => {
    expect(checkOptions({ url: 'redis://h', sessionMs: 2_000 })).toMatchObject({ reconnectMs: 2_000 })
    expect(issuesOf({ url: 'redis://h', sessionMs: 2_000, reconnectMs: 2_001 })).toEqual({
      reconnectMs: 'must be a whole number from 300 to 2000',
    })
  })

  it('that are wrong are all named at once', () => {
    const wrong = {
      ...{ url: 'http://h', prefix: 'a b', timeoutMs: 1, sessionMs: 1.5, pollMs: '7', password: 7, nonsense: true },
      tls: { ca: 1, pfx: 'x', serverName: '127.0.0.1' },
    }
    expect(Object.keys(issuesOf(wrong)).sort()).toEqual([
      ...[
        'nonsense',
        'password',
        'pollMs',
        'prefix',
        'sessionMs',
        'timeoutMs',
        'tls.ca',
        'tls.pfx',
        'tls.serverName',
        'url',
      ],
    ])
  })

  it('need certificate and key together', () => {
    expect(issuesOf({ url: 'rediss://h', tls: { cert: 'pem' } })).toEqual({ tls: 'needs cert and key together' })
  })

  it.each([undefined, null, 'redis://h'])('are refused where they are %s', (options) => {
    expect(issuesOf(options)).toEqual({ '': 'must be an object' })
  })

  it('never show a password', () => {
    expect(JSON.stringify(issuesOf({ url: 'http://me:secret@h' }))).not.toContain('secret')
    expect(JSON.stringify(issuesOf({ url: 'redis://me:secret%zz@h' }))).not.toContain('secret')
  })

  it.each(['', 'redis://', 'redis://h/name', 'redis://u:%zz@h', undefined, 7])('refuse the url %s', (url) => {
    expect(issuesOf({ url })).toHaveProperty('url')
  })
})
