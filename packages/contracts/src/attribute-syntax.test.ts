import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isTimestamp, isUri, isUriReference } from './attribute-syntax.ts'

describe('a timestamp', () => {
  it.each([
    '2026-11-21T11:22:33Z',
    '2026-11-21t11:22:33.123456789z',
    '2026-11-21T11:22:33+01:30',
    '2024-02-29T00:00:00-00:00',
    '2000-02-29T00:00:00Z',
    '1990-12-31T23:59:60Z',
  ])('accepts %s', (text) => expect(isTimestamp(text)).toBe(true))

  it.each([
    '',
    'yesterday',
    '2026-11-21',
    '2026-11-21 11:22:33Z',
    '2026-11-21T11:22:33',
    '2026-11-21T11:22Z',
    '2026-13-01T00:00:00Z',
    '2026-00-01T00:00:00Z',
    '2026-02-29T00:00:00Z',
    '1900-02-29T00:00:00Z',
    '2026-04-31T00:00:00Z',
    '2026-11-21T24:00:00Z',
    '2026-11-21T11:60:33Z',
    '2026-11-21T11:22:61Z',
    '2026-11-21T11:22:33.Z',
    '2026-11-21T11:22:33+1:00',
    '2026-11-21T11:22:33Z\n',
    '12026-11-21T11:22:33Z',
  ])('refuses %j', (text) => expect(isTimestamp(text)).toBe(false))

  it('accepts whatever a Date prints of the years with four digits', () => {
    const min = new Date('0001-01-01T00:00:00Z')
    const max = new Date('9999-12-31T23:59:59.999Z')
    fc.assert(fc.property(fc.date({ min, max, noInvalidDate: true }), (date) => isTimestamp(date.toISOString())))
  })
})

describe('a URI', () => {
  it.each([
    'https://example.com/schemas/order.json#v1',
    'urn:event:from:shop/resource/123',
    'mailto:orders@example.com',
    'http://user:secret@[2001:db8::1]:8080/a;b=c/?q=1/2?&r=%20#/top',
    'file:///var/data',
    'a:',
    'http://',
  ])('accepts %s', (text) => expect(isUri(text)).toBe(true))

  it.each([
    '',
    '/orders',
    'orders',
    '1http://example.com',
    'http://exa mple.com',
    'http://a/%zz',
    'a:b#c#d',
    'a:[b]',
    'http://ü',
  ])('refuses %j', (text) => expect(isUri(text)).toBe(false))
})

describe('a URI-reference', () => {
  it.each([
    '',
    '/',
    '/order-service',
    'order-service',
    '../up',
    '//host/path',
    '?query',
    '#fragment',
    './a:b',
    '/a//b',
    'urn:x',
  ])('accepts %j', (text) => expect(isUriReference(text)).toBe(true))

  it.each([':first', '1:colon', 'a b', '\\\\server\\share', '/a%2', '/ä', '/a"b', '<x>', '/a\n'])(
    'refuses %j',
    (text) => expect(isUriReference(text)).toBe(false),
  )

  it('accepts every web URL', () => {
    fc.assert(
      fc.property(
        fc.webUrl({ withQueryParameters: true, withFragments: true }),
        (url) => isUri(url) && isUriReference(url),
      ),
    )
  })

  it('resolves, if accepted, against a base', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...'ab:/?#[]@%1F;=.') }), (text) => {
        fc.pre(isUriReference(text) && !text.includes('[') && !text.includes('//'))
        return URL.canParse(text, 'http://example.com/base/') || isUri(text)
      }),
    )
  })
})
