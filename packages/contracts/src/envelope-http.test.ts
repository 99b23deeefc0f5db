import { describe, expect, it } from 'vitest'
import type { CloudEvent } from './envelope.ts'
import { fromBinary, type ReceivedHeaders, toBinary } from './envelope-http.ts'
import { PosthasteError } from './error.ts'

const event: CloudEvent = { specversion: '1.0', id: '1', source: '/shop', type: 'shop.order.created' }
const headers = { 'ce-specversion': '1.0', 'ce-id': '1', 'ce-source': '/shop', 'ce-type': 'shop.order.created' }
const nothing = new Uint8Array(0)

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text)
const textOf = (bytes: Uint8Array): string => new TextDecoder().decode(bytes)
const read = (more: ReceivedHeaders, body: Uint8Array = nothing): CloudEvent =>
  fromBinary({ ...headers, ...more }, body)

function issuesOf(run: () => unknown): Record<string, string> {
  try {
    run()
  } catch (error) {
    if (!PosthasteError.is(error, 'ENVELOPE_INVALID')) throw error
    return Object.fromEntries(error.issues.map(({ path, message }) => [path, message]))
  }
  throw new Error('did not fail')
}

describe('an event in binary mode', () => {
  it('has a header for each attribute and none for what is not set', () => {
    const given = { ...event, time: '2026-11-21T11:22:33Z', subject: undefined, priority: 3, urgent: true }
    expect(toBinary(given)).toEqual({
      headers: { ...headers, 'ce-time': '2026-11-21T11:22:33Z', 'ce-priority': '3', 'ce-urgent': 'true' },
      body: nothing,
    })
  })

  it('percent-encodes space, quote, percent and whatever is not printable ASCII, as in the example of the specification', () => {
    expect(toBinary({ ...event, mine: 'Euro € 😀' }).headers['ce-mine']).toBe('Euro%20%E2%82%AC%20%F0%9F%98%80')
    expect(toBinary({ ...event, mine: '"100%"' }).headers['ce-mine']).toBe('%22100%25%22')
    const rest = "!#$&'()*+,-./09:;<=>?@AZ[\\]^_`az{|}~"
    expect(toBinary({ ...event, mine: rest }).headers['ce-mine']).toBe(rest)
  })

  it.each([
    ['Euro%20%E2%82%AC%20%F0%9F%98%80', 'Euro € 😀'],
    ['%e2%82%ac', '€'],
    ['%41%42', 'AB'],
    ['%2541', '%41'],
    ['"with spaces and \\"quotes\\" and \\\\"', 'with spaces and "quotes" and \\'],
    ['"%41"', 'A'],
    ['inner "quotes" stay', 'inner "quotes" stay'],
    ['100% of %zz', '100% of %zz'],
    ['ü', 'ü'],
  ])('reads %s as %s', (value, expected) => expect(read({ 'ce-mine': value }).mine).toBe(expected))

  it.each(['%C0%A0', '%ff', 'a%E2%82'])('refuses %s, which is not UTF-8', (value) => {
    expect(issuesOf(() => read({ 'ce-mine': value }))).toEqual({ mine: 'must be UTF-8 after percent-decoding' })
  })

  it('writes JSON data and says so, even if the event did not', () => {
    for (const data of [{ a: 'ü' }, null, 'text', 0, false, []]) {
      const sent = toBinary({ ...event, data })
      expect(sent.headers['content-type']).toBe('application/json')
      expect(textOf(sent.body)).toBe(JSON.stringify(data))
      expect(fromBinary(sent.headers, sent.body)).toEqual({ ...event, datacontenttype: 'application/json', data })
    }
  })

  it('carries bytes as they are, under their type or none', () => {
    const data = new Uint8Array([0, 255, 1])
    for (const type of [{}, { datacontenttype: 'image/png' }]) {
      const given = { ...event, ...type, data }
      const sent = toBinary(given)
      expect(sent.body).toBe(data)
      expect(fromBinary(sent.headers, sent.body)).toEqual(given)
    }
  })

  it.each(['text/plain', 'text/plain; charset=utf-8', 'application/xml', 'image/svg+xml'])(
    'carries %s as text',
    (datacontenttype) => {
      const given = { ...event, datacontenttype, data: '\ufeff<ü/>' }
      const sent = toBinary(given)
      expect(sent.body).toEqual(bytesOf('\ufeff<ü/>'))
      expect(fromBinary(sent.headers, sent.body)).toEqual(given)
    },
  )

  it('gives text of another encoding as bytes', () => {
    const body = new Uint8Array([0xfc])
    expect(read({ 'content-type': 'text/plain; charset=iso-8859-1' }, body).data).toEqual(body)
  })

  it('has no data where the body is empty', () => {
    expect('data' in read({ 'content-type': 'application/json' })).toBe(false)
  })

  it.each([
    ['application/json', bytesOf('{"a":')],
    ['application/vnd.x+json', new Uint8Array([0x22, 0xff, 0x22])],
    ['text/plain', new Uint8Array([0xff])],
  ])('is malformed if its body is not %s', (type, body) => {
    expect(() => read({ 'content-type': type }, body)).toThrow('BODY_MALFORMED')
  })

  it('takes headers in any case and leaves others alone', () => {
    const given = { 'CE-SpecVersion': '1.0', 'Ce-Id': ['1'], 'CE-SOURCE': '/shop', 'ce-type': 'shop.order.created' }
    expect(fromBinary({ ...given, Host: 'shop', cookie: ['a', 'b'], 'ce-mine': undefined }, nothing)).toEqual(event)
  })

  it('reports every mistake at once, one for each attribute', () => {
    expect(
      issuesOf(() =>
        fromBinary(
          {
            'ce-specversion': '0.3',
            'ce-source': ['/a', '/b'],
            'ce-type': '',
            'CE-TYPE': 'again',
            'ce-time': 'soon',
            'ce-not-a-name': '1',
            'ce-': '1',
            'ce-data': '1',
            'ce-datacontenttype': 'text/plain',
            'ce-control': '%00',
            'ce-__proto__': '1',
            'content-type': 'json',
          },
          nothing,
        ),
      ),
    ).toEqual({
      id: 'is required',
      specversion: "must be '1.0'",
      source: 'must be there once',
      type: 'must be there once',
      time: 'must be an RFC 3339 timestamp',
      'not-a-name': 'is no attribute name: lower-case letters and digits only',
      '': 'is no attribute name: lower-case letters and digits only',
      data: 'must be the body',
      datacontenttype: 'must be there once',
      control: 'must not hold control characters, noncharacters or half a surrogate pair',
      ['__proto__']: 'is no attribute name: lower-case letters and digits only',
    })
    expect(issuesOf(() => read({ 'ce-datacontenttype': 'text/plain' }))).toEqual({
      datacontenttype: 'must be the content-type header',
    })
  })

  it.each([
    ['a function', undefined, () => 1],
    ['an object under a text type', 'text/plain', {}],
    ['half a surrogate pair in text', 'text/plain', '\ud83d'],
    ['a number under a binary type', 'application/octet-stream', 7],
    ['bytes in another array', undefined, new Uint32Array([1])],
  ])('is refused with %s for data', (_, datacontenttype, data) => {
    expect(Object.keys(issuesOf(() => toBinary({ ...event, datacontenttype, data })))).toEqual(['data'])
  })

  it('is refused with wrong attributes', () => {
    expect(Object.keys(issuesOf(() => toBinary({ ...event, source: '', Wrong: 1 })))).toEqual(['source', 'Wrong'])
  })
})
