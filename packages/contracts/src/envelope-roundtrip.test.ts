import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type CloudEvent, validateEnvelope } from './envelope.ts'
import { fromBinary, toBinary } from './envelope-http.ts'
import { fromBatch, fromStructured, toBatch, toStructured } from './envelope-json.ts'
import { PosthasteError } from './error.ts'

const text = fc.oneof(
  fc.string({ unit: 'grapheme', minLength: 1 }),
  fc.string({ unit: fc.constantFrom(...' "%\\,;=#ä漢a1', '😀', '\u00a0'), minLength: 1 }),
)
const extensionName = fc
  .string({ unit: fc.constantFrom(...'abcxyz019'), minLength: 1, maxLength: 20 })
  .map((name) => `x${name}`)
const extensions = fc.dictionary(
  extensionName,
  fc.oneof(
    text,
    fc.boolean(),
    fc.maxSafeInteger().map((n) => n | 0),
  ),
)
const timestamp = fc
  .date({ min: new Date('0001-01-01T00:00:00Z'), max: new Date('9999-12-31T00:00:00Z'), noInvalidDate: true })
  .map((date) => date.toISOString())

/** What JSON makes of a value, so that −0 and the like do not count as differences. */
const jsonData = fc.jsonValue().map((value) => JSON.parse(JSON.stringify(value)) as unknown)
const bytes = fc.uint8Array({ minLength: 1 }).map((data) => new Uint8Array(data))
const payload = fc.oneof(
  fc.record({
    data: jsonData,
    datacontenttype: fc.constantFrom('application/json', 'text/json; charset=utf-8', 'a/b+json'),
  }),
  fc.record({ data: text, datacontenttype: fc.constantFrom('text/plain', 'application/xml') }),
  fc.record({ data: bytes, datacontenttype: fc.constantFrom('image/png', 'application/octet-stream') }),
  fc.constant({}),
)
const event: fc.Arbitrary<CloudEvent> = fc
  .tuple(
    fc.record({ id: text, type: text, source: fc.constantFrom('/shop', 'urn:x:y', 'https://a.example/b?c#d') }),
    fc.record({ time: timestamp, subject: text, dataschema: fc.constant('https://a.example/s') }, { requiredKeys: [] }),
    extensions,
    payload,
  )
  .map(([required, optional, more, carried]) => ({ specversion: '1.0', ...more, ...carried, ...optional, ...required }))

const anyBytes = fc.oneof(
  fc.uint8Array(),
  fc.json().map((json) => new TextEncoder().encode(json)),
  event.map((given) => toStructured(given).body.map((byte, at) => (at === 40 ? byte ^ 1 : byte))),
)

/** Runs something on bad input and lets only the errors pass that bad input may have. */
function tolerated(run: () => unknown): void {
  try {
    run()
  } catch (error) {
    if (!PosthasteError.is(error, 'ENVELOPE_INVALID') && !PosthasteError.is(error, 'BODY_MALFORMED')) throw error
  }
}

describe('any valid event', () => {
  it('is the same after the JSON format', () => {
    fc.assert(
      fc.property(event, (given) => {
        const { contentType, body } = toStructured(given)
        expect(fromStructured(contentType, body)).toEqual(given)
      }),
    )
  })

  it('is the same after a batch', () => {
    fc.assert(
      fc.property(fc.array(event, { maxLength: 5 }), (given) => {
        const { contentType, body } = toBatch(given)
        expect(fromBatch(contentType, body)).toEqual(given)
      }),
    )
  })

  it('is the same after binary mode, but for attributes that are not text', () => {
    fc.assert(
      fc.property(event, (given) => {
        const { headers, body } = toBinary(given)
        const { data, ...attributes } = given
        const asText = Object.fromEntries(Object.entries(attributes).map(([name, value]) => [name, String(value)]))
        expect(fromBinary(headers, body)).toEqual(data === undefined ? asText : { ...asText, data })
      }),
    )
  })

  it('has headers that HTTP accepts', () => {
    fc.assert(
      fc.property(event, (given) => {
        const { headers } = toBinary(given)
        expect(Object.fromEntries(new Headers(headers))).toEqual(headers)
      }),
    )
  })
})

describe('any input', () => {
  it('is an event or a known mistake in the JSON format', () => {
    const types = fc.constantFrom(
      'application/cloudevents+json',
      'application/cloudevents-batch+json',
      'text/plain',
      '',
    )
    fc.assert(
      fc.property(types, anyBytes, (contentType, body) => {
        tolerated(() => validateEnvelope(fromStructured(contentType, body)))
        tolerated(() => fromBatch(contentType, body).map(validateEnvelope))
      }),
    )
  })

  it('is an event or a known mistake in binary mode', () => {
    const names = fc.oneof(
      fc.constantFrom(
        'ce-id',
        'ce-source',
        'CE-TYPE',
        'ce-specversion',
        'ce-time',
        'content-type',
        'ce-x',
        '__proto__',
      ),
      fc.string().map((name) => `ce-${name}`),
    )
    const values = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.constantFrom('1.0', '/a', '"a\\', '%', '%e2%82', 'text/plain'),
      fc.array(fc.string()),
    )
    fc.assert(
      fc.property(fc.dictionary(names, values), fc.uint8Array(), (headers, body) => {
        tolerated(() => validateEnvelope(fromBinary(headers, body)))
      }),
    )
  })

  it('is written, or refused as no event', () => {
    const broken = fc.tuple(
      event,
      fc.dictionary(fc.string(), fc.anything({ withBigInt: true })),
      fc.anything({ withBigInt: true }),
    )
    fc.assert(
      fc.property(broken, ([given, more, data]) => {
        tolerated(() => toStructured({ ...given, ...more, data }))
        tolerated(() => toBinary({ ...given, ...more, data }))
      }),
    )
  })
})
