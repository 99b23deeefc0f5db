import { describe, expect, it } from 'vitest'
import type { ErrorCode } from './codes.ts'
import type { CloudEvent } from './envelope.ts'
import { contentModeOf, fromBatch, fromStructured, toBatch, toStructured } from './envelope-json.ts'
import { PosthasteError } from './error.ts'

const json = 'application/cloudevents+json'
const batch = 'application/cloudevents-batch+json'
const event: CloudEvent = { specversion: '1.0', id: '1', source: '/shop', type: 'shop.order.created' }

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text)
const textOf = (bytes: Uint8Array): string => new TextDecoder().decode(bytes)
const written = (given: CloudEvent): unknown => JSON.parse(textOf(toStructured(given).body))
const read = (value: unknown): CloudEvent => fromStructured(json, bytesOf(JSON.stringify(value)))

function failure(run: () => unknown): { code: ErrorCode; paths: readonly string[]; message: string } {
  try {
    run()
  } catch (error) {
    if (!PosthasteError.is(error)) throw error
    return { code: error.code, paths: error.issues.map(({ path }) => path), message: error.message }
  }
  throw new Error('did not fail')
}

describe('an event in the JSON format', () => {
  it('says what it is and in which encoding', () => {
    expect(toStructured(event).contentType).toBe('application/cloudevents+json; charset=utf-8')
  })

  it.each([
    ['an object', { a: [1, null, 'ü'] }],
    ['null', null],
    ['false', false],
    ['zero', 0],
    ['text that looks like JSON', '{"a":1}'],
    ['the empty string', ''],
  ])('holds %s as it is', (_, data) => {
    expect(written({ ...event, data })).toEqual({ ...event, data })
    expect(read({ ...event, data })).toEqual({ ...event, data })
  })

  it('has no data member without data, and none comes of it', () => {
    expect(written({ ...event, data: undefined })).toEqual(event)
    expect('data' in read(event)).toBe(false)
  })

  it('holds bytes as base64, whatever their type', () => {
    const given = { ...event, datacontenttype: 'application/json', data: new Uint8Array([0, 255, 1]) }
    expect(written(given)).toEqual({ ...event, datacontenttype: 'application/json', data_base64: 'AP8B' })
    expect(fromStructured(json, toStructured(given).body)).toEqual(given)
  })

  it('holds text of another type as a string', () => {
    const given = { ...event, datacontenttype: 'application/xml', data: '<much wow="xml"/>' }
    expect(written(given)).toEqual(given)
    expect(read(given)).toEqual(given)
  })

  it('takes every JSON subtype for JSON', () => {
    const given = { ...event, datacontenttype: 'application/vnd.shop.order+json; v=2', data: { a: 1 } }
    expect(read(written(given))).toEqual(given)
  })

  it('omits attributes that are not set, and takes null for that', () => {
    expect(written({ ...event, subject: undefined })).toEqual(event)
    expect(read({ ...event, subject: null, mine: null, data_base64: null })).toEqual(event)
  })

  it('keeps the types of extensions', () => {
    const given = { ...event, count: -5, urgent: false, note: '漢字 😀 "%"' }
    expect(read(written(given))).toEqual(given)
  })

  it('is read under any spelling of its content type', () => {
    expect(fromStructured('Application/CloudEvents+JSON ; charset=UTF-8', bytesOf(JSON.stringify(event)))).toEqual(
      event,
    )
  })

  it.each([
    ['no JSON', 'nope'],
    ['nothing', ''],
    ['half of a document', '{"id":'],
    ['a bottomless document', '['.repeat(100_000)],
  ])('is malformed if it is %s', (_, text) => {
    expect(failure(() => fromStructured(json, bytesOf(text))).code).toBe('BODY_MALFORMED')
  })

  it('is malformed if it is not UTF-8', () => {
    expect(failure(() => fromStructured(json, new Uint8Array([0x22, 0xff, 0x22]))).code).toBe('BODY_MALFORMED')
  })

  it.each([[null], [[]], ['text'], [1]])('is invalid if it is %j instead of an object', (value) => {
    expect(failure(() => read(value))).toMatchObject({ code: 'ENVELOPE_INVALID', paths: [''] })
  })

  it('reports every mistake, those of its data among them', () => {
    const wrong = {
      ...event,
      id: 7,
      source: '',
      datacontenttype: 'text/plain',
      data: { a: 1 },
      data_base64: 'not base64',
      'not-a-name': 1,
    }
    expect(failure(() => read(wrong))).toMatchObject({
      code: 'ENVELOPE_INVALID',
      paths: ['data_base64', 'data_base64', 'id', 'source', 'not-a-name'],
    })
    expect(failure(() => read({ ...event, datacontenttype: 'text/plain', data: { a: 1 } })).paths).toEqual(['data'])
    expect(failure(() => read({ ...event, data_base64: 7 })).paths).toEqual(['data_base64'])
  })

  it('is not changed by a member named like the prototype', () => {
    const body = bytesOf(JSON.stringify(event).replace('{', '{"__proto__":{"id":"2"},'))
    expect(failure(() => fromStructured(json, body)).paths).toEqual(['__proto__'])
  })

  it('is refused under another content type', () => {
    for (const type of [batch, 'application/json', 'application/cloudevents+avro', '']) {
      expect(failure(() => fromStructured(type, bytesOf(JSON.stringify(event)))).code).toBe('ENVELOPE_INVALID')
    }
  })

  it.each([
    ['a function', undefined, () => 1],
    ['a big integer', undefined, 1n],
    ['bytes in another array', undefined, new Uint32Array([1])],
    ['a buffer', 'application/json', new ArrayBuffer(1)],
    ['an object under a text type', 'text/plain', { a: 1 }],
    ['a number under a binary type', 'application/octet-stream', 1],
  ])('is refused with %s for data', (_, datacontenttype, data) => {
    expect(failure(() => toStructured({ ...event, datacontenttype, data }))).toMatchObject({
      code: 'ENVELOPE_INVALID',
      paths: ['data'],
    })
  })

  it('is refused with a cycle for data', () => {
    const cycle: Record<string, unknown> = {}
    cycle.self = cycle
    expect(failure(() => toStructured({ ...event, data: cycle })).message).toContain('data cannot be written as JSON')
  })

  it('is refused with wrong attributes', () => {
    expect(failure(() => toStructured({ ...event, id: '', type: '' })).paths).toEqual(['id', 'type'])
  })
})

describe('a batch', () => {
  const other: CloudEvent = {
    ...event,
    id: '2',
    datacontenttype: 'application/octet-stream',
    data: new Uint8Array([7]),
  }

  it('holds events in their order, or none', () => {
    for (const events of [[event, other], [other], []]) {
      const { contentType, body } = toBatch(events)
      expect(contentType).toBe('application/cloudevents-batch+json; charset=utf-8')
      expect(fromBatch(contentType, body)).toEqual(events)
    }
  })

  it('reports the mistakes of all its events, by their index', () => {
    const wrong = [event, { ...event, id: '' }, 7, { ...event, source: 1, type: 1 }]
    const paths = ['1.id', '2', '3.source', '3.type']
    expect(failure(() => fromBatch(batch, bytesOf(JSON.stringify(wrong))))).toMatchObject({
      code: 'ENVELOPE_INVALID',
      paths,
    })
    expect(failure(() => toBatch([event, { ...event, id: '' }])).paths).toEqual(['1.id'])
  })

  it('is an array of the right type', () => {
    expect(failure(() => fromBatch(batch, bytesOf('{}'))).code).toBe('ENVELOPE_INVALID')
    expect(failure(() => fromBatch(json, bytesOf('[]'))).code).toBe('ENVELOPE_INVALID')
    expect(failure(() => fromBatch(batch, bytesOf('['))).code).toBe('BODY_MALFORMED')
  })
})

describe('the content mode', () => {
  it.each([
    [json, 'structured'],
    ['APPLICATION/CloudEvents+avro; x=y', 'structured'],
    [batch, 'batch'],
    ['application/cloudevents-batch+avro', 'batch'],
    ['application/json', 'binary'],
    [undefined, 'binary'],
  ] as const)('of %s is %s', (contentType, mode) => expect(contentModeOf(contentType)).toBe(mode))
})
