import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type CloudEvent, validateEnvelope } from './envelope.ts'
import { PosthasteError } from './error.ts'

const event: CloudEvent = { specversion: '1.0', id: '1', source: '/shop', type: 'shop.order.created' }

function issuesOf(value: unknown): Record<string, string> {
  try {
    validateEnvelope(value)
  } catch (error) {
    if (!PosthasteError.is(error, 'ENVELOPE_INVALID')) throw error
    return Object.fromEntries(error.issues.map(({ path, message }) => [path, message]))
  }
  return {}
}

describe('an envelope', () => {
  it('is valid with the required attributes alone, and is returned as it is', () => {
    expect(validateEnvelope(event)).toBe(event)
  })

  it('is valid with every attribute, extensions of each type and any data', () => {
    const full = {
      ...event,
      time: '2026-11-21T11:22:33.444Z',
      subject: 'order 7',
      datacontenttype: 'application/json; charset="utf-8"; v="a;\\"b\\""',
      dataschema: 'https://example.com/order.json',
      data: [1, { a: null }],
      partitionkey: 'ü 漢字 😀',
      correlationid: 'c',
      causationid: 'd',
      traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
      expirytime: '2026-11-22T00:00:00Z',
      deliverytime: '2026-11-21T12:00:00+01:00',
      priority: 3,
      replyto: 'somewhere',
      dataref: '/blobs/7',
      urgent: true,
      low: -2_147_483_648,
      high: 2_147_483_647,
      empty: '',
      unset: undefined,
    }
    expect(issuesOf(full)).toEqual({})
  })

  it('reports everything that is wrong at once', () => {
    expect(
      issuesOf({
        specversion: '0.3',
        id: '',
        source: 'not a reference',
        time: 'yesterday',
        subject: '',
        datacontenttype: 'json',
        dataschema: '/relative',
        expirytime: 1,
        dataref: '',
        Upper: 'x',
        with_underscore: 'x',
        nothing: null,
        object: {},
        fraction: 1.5,
        tooLarge: 1,
        large: 2_147_483_648,
        control: 'a\u0000b',
        noncharacter: 'a\uffffb',
        half: 'a\ud83db',
      }),
    ).toEqual({
      type: 'is required',
      specversion: "must be '1.0'",
      id: 'must not be empty',
      source: 'must be a URI-reference',
      time: 'must be an RFC 3339 timestamp',
      subject: 'must not be empty',
      datacontenttype: 'must be a media type',
      dataschema: 'must be an absolute URI',
      expirytime: 'must be text',
      dataref: 'must be a URI-reference',
      Upper: 'is no attribute name: lower-case letters and digits only',
      with_underscore: 'is no attribute name: lower-case letters and digits only',
      tooLarge: 'is no attribute name: lower-case letters and digits only',
      nothing: 'must be text, a boolean or a whole number of 32 bits',
      object: 'must be text, a boolean or a whole number of 32 bits',
      fraction: 'must be text, a boolean or a whole number of 32 bits',
      large: 'must be text, a boolean or a whole number of 32 bits',
      control: 'must not hold control characters, noncharacters or half a surrogate pair',
      noncharacter: 'must not hold control characters, noncharacters or half a surrogate pair',
      half: 'must not hold control characters, noncharacters or half a surrogate pair',
    })
  })

  it('names the mistakes in the message, too', () => {
    expect(() => validateEnvelope({ ...event, id: '', source: undefined })).toThrow(
      '[ENVELOPE_INVALID] not a CloudEvent: source is required; id must not be empty',
    )
  })

  it.each([null, undefined, 1, 'text', [event], () => event])('is not %j', (value) => {
    expect(issuesOf(value)).toEqual({ '': 'must be an object' })
  })

  it('does not inherit its attributes', () => {
    expect(Object.keys(issuesOf(Object.create(event)))).toEqual(['id', 'source', 'type', 'specversion'])
  })

  it.each([
    'application/json',
    'text/plain',
    'application/vnd.x+json;charset=utf-8',
    'a/b; c=d ;e="f;g=h"',
    'text/xml;',
  ])('takes %j for a media type', (datacontenttype) => expect(issuesOf({ ...event, datacontenttype })).toEqual({}))

  it.each([
    '',
    'text',
    'text/',
    '/plain',
    'text/plain; charset',
    'text/plain; a="b',
    'text/plain\r\nx: y',
    'tëxt/plain',
  ])('does not take %j for a media type', (datacontenttype) =>
    expect(Object.keys(issuesOf({ ...event, datacontenttype }))).toEqual(['datacontenttype']),
  )

  it('answers anything with a verdict and never with another error', () => {
    fc.assert(
      fc.property(fc.anything({ withNullPrototype: true, withBigInt: true, withDate: true }), (value) => {
        issuesOf(value)
      }),
    )
  })
})
