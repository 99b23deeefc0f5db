import type { OutgoingRecord } from '@posthaste/contracts'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { fromKafka, internalHeaders, toKafka } from './record-codec.ts'
import type { KafkaRecord, ReadRecord } from './wire/record-batch.ts'

/** A record as it comes back. */
function readOf({ key, value, headers, id }: KafkaRecord): ReadRecord {
  const bytes = (each: string | Uint8Array) => Buffer.from(each as Uint8Array)
  return {
    offset: 3,
    timestampMs: 5,
    key: key === undefined ? undefined : bytes(key),
    value: value && Buffer.from(value),
    headers: headers.map(String),
    id,
  }
}

const place = { topic: 't', partition: 0 }
const attribute = fc.stringMatching(/^[a-z0-9]{1,12}$/).filter((name) => !own.has(name))
const own = new Set(['id', 'specversion', 'partitionkey', 'deliverytime', 'expirytime', 'priority'])
const text = fc.string({ maxLength: 30, unit: 'grapheme' })
const time = fc.integer({ min: 0, max: 4_000_000_000_000 })
const record: fc.Arbitrary<OutgoingRecord> = fc
  .record(
    {
      id: fc.string({ minLength: 1, maxLength: 30, unit: 'grapheme' }),
      channel: fc.constant('c'),
      headers: fc.dictionary(attribute, text, { noNullPrototype: true }),
      body: fc.uint8Array({ maxLength: 50 }).map((each) => Buffer.from(each)),
      key: fc.string({ minLength: 1, maxLength: 20, unit: 'grapheme' }),
      group: fc.constantFrom('g', 'h'),
      dueAtMs: time,
      expiresAtMs: time,
      priority: fc.nat(9),
    },
    { requiredKeys: ['id', 'channel', 'headers', 'body'] },
  )
  .map((each) => each as OutgoingRecord)

describe('records on Kafka', () => {
  it('come back as they were sent', () => {
    fc.assert(
      fc.property(record, (sent) => {
        expect(fromKafka(readOf(toKafka(sent)), 'c', place).record).toEqual(sent)
      }),
    )
  })

  it('are CloudEvents in binary mode', () => {
    const headers = { type: 'shop.order', source: '/shop', datacontenttype: 'application/json' }
    const sent = { id: '1', channel: 'c', key: 'k', headers, body: Buffer.from('{}'), expiresAtMs: 0 }
    expect(toKafka(sent)).toEqual({
      key: 'k',
      value: Buffer.from('{}'),
      id: '1',
      headers: [
        ...['ce_specversion', '1.0', 'ce_type', 'shop.order', 'ce_source', '/shop'],
        ...['content-type', 'application/json', 'ce_expirytime', '1970-01-01T00:00:00.000Z'],
      ],
    })
  })

  it('of a foreign client are named by where they stand, and keep what could be an attribute', () => {
    const foreign = {
      key: 'k',
      value: undefined,
      headers: ['traceparent', '00-1', 'X-Other', 'x', 'ce_id', ''],
      id: undefined,
    }
    expect(fromKafka(readOf(foreign), 'c', place).record).toEqual({
      id: 't/0-0000000000000003',
      channel: 'c',
      key: 'k',
      headers: { traceparent: '00-1' },
      body: new Uint8Array(0),
    })
  })

  it('that share headers which cannot change share their list, and what is read of it', () => {
    const headers = Object.freeze({ type: 'shop.order' })
    const [first, second] = ['1', '2'].map((id) => toKafka({ id, channel: 'c', headers, body: Buffer.from(id) }))
    expect(second?.headers).toBe(first?.headers)
    const list = (first as KafkaRecord).headers.map(String)
    const [one, two] = [first, second].map((each) =>
      fromKafka({ ...readOf(each as KafkaRecord), headers: list }, 'c', place),
    )
    expect([one?.record.id, two?.record.id]).toEqual(['1', '2'])
    expect(two?.record.headers).toBe(one?.record.headers)
  })

  it('are written anew where their headers may have changed', () => {
    const headers: Record<string, string> = { type: 'shop.order' }
    const sent = { id: '1', channel: 'c', headers, body: Buffer.alloc(0) }
    toKafka(sent)
    headers.type = 'shop.refund'
    expect(toKafka(sent).headers).toContain('shop.refund')
  })

  it('have what the engine notes in headers that are no attributes', () => {
    const internal = [internalHeaders.wakeAt, '7']
    const { record: read, internal: noted } = fromKafka(
      readOf(toKafka({ id: '1', channel: 'c', headers: {}, body: Buffer.alloc(0) }, internal)),
      'c',
      place,
    )
    expect(noted).toEqual({ [internalHeaders.wakeAt]: '7' })
    expect(read.headers).toEqual({})
  })

  it('tell times that no calendar has as the furthest that one has', () => {
    const { headers } = toKafka({
      id: '1',
      channel: 'c',
      headers: {},
      body: Buffer.alloc(0),
      dueAtMs: Number.POSITIVE_INFINITY,
    })
    expect(headers).toContain('+275760-09-13T00:00:00.000Z')
  })
})
