import type { OutgoingRecord } from '@posthaste/contracts'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { decodeRecord, encodedBytesMax, encodeRecord, headersMax, isIntact } from './record-codec.ts'

const plainRecord: OutgoingRecord = { id: 'id', channel: 'c', headers: {}, body: new Uint8Array(0) }

/** Text without lone surrogates, which are no UTF-8. */
const text = fc.oneof(
  fc.string({ maxLength: 30 }),
  fc.string({ unit: 'binary', maxLength: 30 }),
  fc.constantFrom('', '\u0000', 'é', '漢字', '💌', '\ufeff', '\uffff', 'e\u0301'),
)
const headerNames = fc.oneof(
  fc.constantFrom('type', 'correlationid', 'datacontenttype', 'source', 'traceparent', 'dlissues'),
  fc.constantFrom('__proto__', 'constructor', '7', ''),
  text,
)

/** Values that need not be written under some names, as a text or as what the record has it of. */
const headerValues = fc.oneof(text, fc.constantFrom('c', 'application/json', 'the id'))

const anyRecord: fc.Arbitrary<OutgoingRecord> = fc
  .record({
    id: fc.oneof(text, fc.constant('the id')),
    key: fc.option(text, { nil: undefined }),
    headers: fc.array(fc.tuple(headerNames, headerValues), { maxLength: 12 }),
    body: fc.uint8Array({ maxLength: 100 }),
    dueAtMs: fc.option(fc.double(), { nil: undefined }),
    expiresAtMs: fc.option(fc.double(), { nil: undefined }),
    priority: fc.option(fc.integer({ min: 0, max: 255 }), { nil: undefined }),
  })
  .map(({ headers, ...rest }) => ({ ...rest, channel: 'c', headers: Object.fromEntries(headers) }))

/** Writes a record between other bytes, checks that those are as they were, and reads it back. */
function roundTrip(record: OutgoingRecord, start = 3): OutgoingRecord {
  const buffer = Buffer.alloc(start + encodedBytesMax(record) + 3, 0xa5)
  const end = encodeRecord(record, buffer, start)
  expect(end - start).toBeLessThanOrEqual(encodedBytesMax(record))
  expect(buffer.subarray(0, start).every((byte) => byte === 0xa5)).toBe(true)
  expect(buffer.subarray(start + encodedBytesMax(record)).every((byte) => byte === 0xa5)).toBe(true)
  expect(isIntact(buffer, { start, end })).toBe(true)
  return decodeRecord(buffer, { start, end }, record.channel)
}

function comparable({ headers, body, ...rest }: OutgoingRecord): unknown {
  return { ...rest, headers: Object.entries(headers), body: [...body] }
}

describe('a record', () => {
  it('comes back as it was written, whatever it carries, in the order of its headers', () => {
    fc.assert(
      fc.property(anyRecord, fc.nat(20), (record, start) => {
        expect(comparable(roundTrip(record, start))).toEqual(comparable(record))
      }),
      { numRuns: 500 },
    )
  })

  const lone: [string, Partial<OutgoingRecord>][] = [
    ['nothing but an id', {}],
    ['an empty id', { id: '' }],
    ['an empty key, which is not none', { key: '' }],
    ['a key alone', { key: '漢' }],
    ['a due time alone', { dueAtMs: 1.5 }],
    ['a due time of zero', { dueAtMs: 0 }],
    ['an expiry alone', { expiresAtMs: 2 ** 53 }],
    ['a priority alone', { priority: 255 }],
    ['a priority of zero, which is not none', { priority: 0 }],
    ['a body alone', { body: Buffer.from([0, 255]) }],
    ['one header with a known name', { headers: { type: 't' } }],
    ['one header with another name', { headers: { other: '💌' } }],
    ['a header without a value', { headers: { other: '' } }],
    ['as many headers as there may be', { headers: manyHeaders() }],
    ['text as long as it may be', { key: 'é'.repeat(0xffff), headers: { other: '€'.repeat(0xffff) } }],
    ['a large body', { body: Buffer.alloc(1_000_000, 7) }],
  ]

  it.each(lone)('with %s comes back so', (_, wish) => {
    const record = { ...plainRecord, key: undefined, ...wish }
    const { body, ...rest } = roundTrip(record)
    expect(rest).toEqual({
      dueAtMs: undefined,
      expiresAtMs: undefined,
      priority: undefined,
      ...record,
      body: undefined,
    })
    expect(Buffer.compare(body, record.body)).toBe(0)
  })

  it('is found damaged when any bit of it is another', () => {
    fc.assert(
      fc.property(anyRecord, fc.nat(), fc.integer({ min: 1, max: 255 }), (record, where, mask) => {
        const buffer = Buffer.alloc(encodedBytesMax(record))
        const end = encodeRecord(record, buffer, 0)
        const at = where % end
        buffer.writeUInt8(buffer.readUInt8(at) ^ mask, at)
        expect(isIntact(buffer, { start: 0, end })).toBe(false)
      }),
    )
  })

  it('is found damaged in any span that is not its own, without throwing', () => {
    const buffer = Buffer.alloc(200)
    const end = encodeRecord(plainRecord, buffer, 50)
    for (let from = 0; from < 200; from++) {
      for (let to = from - 3; to < 210; to++)
        expect(isIntact(buffer, { start: from, end: to })).toBe(from === 50 && to === end)
    }
  })

  it('keeps the numbers of the header names that are at rest in data files', () => {
    const names = ['type', 'source', 'time', 'datacontenttype', 'subject', 'dataschema', 'correlationid']
    names.push('causationid', 'traceparent', 'tracestate', 'replyto', 'dataref', 'dlcode', 'dlmessage')
    names.push('dlattempts', 'dlgroup', 'dlchannel', 'dltime', 'dlissues')
    const numbers = names.map((name) => {
      const buffer = Buffer.alloc(100)
      encodeRecord({ ...plainRecord, headers: { [name]: '' } }, buffer, 0)
      return buffer[12]
    })
    expect(numbers).toEqual(names.map((_, index) => index + 1))
  })

  it.each([
    ['type', 'c', 0xff],
    ['correlationid', 'id', 0xfe],
    ['datacontenttype', 'application/json', 0xfd],
  ])('takes one byte for the %s that goes without saying, and says any other', (name, value, number) => {
    const buffer = Buffer.alloc(300)
    const without = encodeRecord(plainRecord, buffer, 0)
    const end = encodeRecord({ ...plainRecord, headers: { [name]: value } }, buffer, 0)
    expect([end - without, buffer[12]]).toEqual([1, number])
    for (const other of [`${value}x`, '', 'C']) {
      const record = { ...plainRecord, headers: { a: '1', [name]: other, b: '2' } }
      expect(roundTrip(record).headers).toEqual(record.headers)
    }
  })

  it('with half a surrogate pair, which is no UTF-8, keeps all the rest', () => {
    const record = { ...plainRecord, id: 'a\ud83d', key: '\udc8cb', headers: { one: '\udc00', two: 'whole' } }
    expect(roundTrip({ ...record, key: undefined })).toMatchObject({
      id: 'a\ufffd',
      headers: { one: '\ufffd', two: 'whole' },
    })
    expect(roundTrip(record)).toMatchObject({ key: expect.stringMatching(/^.b$/), headers: { two: 'whole' } })
  })
})

function manyHeaders(): Record<string, string> {
  return Object.fromEntries(Array.from({ length: headersMax }, (_, index) => [`h${index}`, 'v'.repeat(index)]))
}
