import { PosthasteError } from '@posthaste/contracts'
import { describe, expect, it } from 'vitest'
import { type NatsOptions, settingsOf } from './options.ts'

const url = 'nats://127.0.0.1:4222'

function issuesOf(options: object): readonly string[] {
  try {
    settingsOf(options as NatsOptions)
  } catch (thrown) {
    if (PosthasteError.is(thrown, 'CONFIG_INVALID')) return thrown.issues.map(({ path }) => path)
  }
  return []
}

describe('the options', () => {
  it('have defaults for all but the server', () => {
    expect(settingsOf({ url })).toEqual({
      servers: [url],
      tls: undefined,
      credentials: {},
      prefix: 'posthaste',
      keyRanges: 8,
      replicas: 1,
      timeoutMs: 30_000,
      leaseMs: 30_000,
    })
  })

  it('are refused with every mistake at once', () => {
    const options = {
      url: 'http://x',
      prefix: 'a.b',
      keyRanges: 0,
      leaseMs: 1,
      timeoutMs: 0.5,
      replicas: 2,
      colour: 'red',
    }
    expect(issuesOf(options)).toEqual(['colour', 'url', 'prefix', 'keyRanges', 'replicas', 'timeoutMs', 'leaseMs'])
    expect(issuesOf({})).toContain('url')
    expect(issuesOf({ url, urls: [url] })).toContain('url')
    expect(issuesOf({ urls: [] })).toEqual(['urls'])
    expect(issuesOf({ urls: [url, 'nonsense'] })).toEqual(['urls.1'])
    expect(issuesOf({ url, tls: { cert: 'a', colour: 'red' } })).toEqual(['tls.colour', 'tls'])
    expect(issuesOf({ url, user: 'u' })).toEqual(['password'])
  })

  it('are refused where they are of another kind', () => {
    expect(issuesOf({ url, tls: 5, prefix: 5 })).toEqual(['tls', 'prefix'])
    expect(issuesOf({ url, tls: { ca: 5 } })).toEqual(['tls.ca'])
    expect(issuesOf({ urls: url })).toEqual(['urls'])
  })

  it.each([undefined, null, url])('are refused where they are %s', (options) => {
    expect(issuesOf(options as unknown as object)).toEqual([''])
  })

  it('have a url that can be decoded', () => {
    expect(issuesOf({ url: 'nats://me:%zz@h:1' })).toEqual(['url'])
  })

  it('take credentials from themselves before the url', () => {
    const credentialsOf = (options: NatsOptions) => settingsOf(options).credentials
    expect(credentialsOf({ url: 'nats://u:p%40ss@h:1' })).toEqual({ user: 'u', password: 'p@ss' })
    expect(credentialsOf({ url: 'nats://t0ken@h:1' })).toEqual({ token: 't0ken' })
    expect(credentialsOf({ url: 'nats://u:p@h:1', token: 'other' })).toMatchObject({ token: 'other' })
  })

  it('never tell a credential in an error', () => {
    try {
      settingsOf({ url: 'ftp://user:s3cret@h', prefix: '' })
      expect.unreachable()
    } catch (thrown) {
      expect(String(thrown)).not.toContain('s3cret')
    }
  })
})
