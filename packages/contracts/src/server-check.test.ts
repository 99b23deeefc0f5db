import { describe, expect, it } from 'vitest'
import { certificateRemedy, isDecodable, tlsIssues } from './server-check.ts'

describe('the option tls', () => {
  it.each([
    undefined,
    {},
    { ca: 'pem', cert: 'pem', key: 'pem', serverName: 'server.test' },
    { ca: undefined, cert: undefined },
  ])('may be %j', (tls) => {
    expect(tlsIssues(tls)).toEqual([])
  })

  it.each([5, 'pem', null, []])('is refused where it is %j', (tls) => {
    expect(tlsIssues(tls)).toEqual([{ path: 'tls', message: 'must be an object' }])
  })

  it('is refused with every mistake at once', () => {
    const issues = tlsIssues({ caa: 'pem', ca: 5, cert: 'pem', serverName: '127.0.0.1' })
    expect(issues.map(({ path }) => path)).toEqual(['tls.caa', 'tls.ca', 'tls', 'tls.serverName'])
    expect(tlsIssues({ key: 'pem', serverName: '::1' })).toHaveLength(2)
  })
})

it('a url with a % that begins nothing cannot be decoded', () => {
  expect(isDecodable('redis://me:s%40cret@host')).toBe(true)
  expect(isDecodable('redis://me:s%zz@host')).toBe(false)
})

describe('the remedy for a certificate', () => {
  const coded = (code: string, options?: ErrorOptions) => Object.assign(new Error('x', options), { code })

  it.each([
    ['SELF_SIGNED_CERT_IN_CHAIN', 'tls.ca'],
    ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'tls.ca'],
    ['DEPTH_ZERO_SELF_SIGNED_CERT', 'tls.ca'],
    ['ERR_TLS_CERT_ALTNAME_INVALID', 'tls.serverName'],
    ['CERT_HAS_EXPIRED', 'Renew'],
  ])('of %s names %s', (code, what) => {
    expect(certificateRemedy(coded(code))).toContain(what)
  })

  it('is found in what led to an error', () => {
    const cause = coded('PLT_NETWORK', { cause: coded('CERT_UNTRUSTED') })
    expect(certificateRemedy(new Error('outer', { cause }))).toContain('tls.ca')
  })

  it.each([coded('ECONNREFUSED'), new Error('x'), 'text', null, undefined])('is not there for %s', (thrown) => {
    expect(certificateRemedy(thrown)).toBeUndefined()
  })
})
