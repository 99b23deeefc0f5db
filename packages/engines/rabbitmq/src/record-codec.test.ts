import type { OutgoingRecord } from '@posthaste/contracts'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Head } from './frames.ts'
import { isPosition, Stamps } from './positions.ts'
import { bufferOf, decode, encode, type Marks, type Received, refusalOf, takenBack } from './record-codec.ts'

const stamps = new Stamps()

/** As the server would deliver it. */
function carried(envelope: Head, body: Uint8Array): Received {
  const { headers, contentType, messageId, timestamp } = envelope
  return {
    headers: { ...envelope.shared?.headers, ...headers },
    rawContentType: contentType,
    messageId,
    timestamp,
    deliveryTag: 1,
    body: bufferOf(body),
  }
}

function roundTrip(record: OutgoingRecord, marks?: Marks) {
  return decode(carried(encode(record, stamps.next(1_700_000_000_000), marks), record.body), record.channel)
}

const names = fc
  .stringMatching(/^[a-z0-9]{1,20}$/)
  .filter((name) => !['id', 'specversion', 'partitionkey', 'deliverytime', 'expirytime', 'priority'].includes(name))
const text = fc.string({ unit: 'grapheme', maxLength: 50 })
const times = fc.integer({ min: 0, max: 4_102_444_800_000 })
const records: fc.Arbitrary<OutgoingRecord> = fc.record(
  {
    id: fc.string({ unit: 'grapheme', minLength: 1, maxLength: 300 }),
    channel: fc.constant('c'),
    key: fc.string({ unit: 'grapheme', minLength: 1, maxLength: 100 }),
    headers: fc.dictionary(names, text, { noNullPrototype: true }),
    body: fc.uint8Array(),
    dueAtMs: times,
    expiresAtMs: times,
    priority: fc.nat(9),
  },
  { requiredKeys: ['id', 'channel', 'headers', 'body'] },
)

describe('a record as a message', () => {
  it('comes back as it was', () => {
    fc.assert(
      fc.property(records, (record) => {
        const { record: found, position } = roundTrip(record)
        expect({ ...found, body: Uint8Array.from(found.body) }).toEqual(record)
        expect(isPosition(position)).toBe(true)
      }),
    )
  })

  it('says where it is published in the headers of the AMQP binding', () => {
    const headers = { type: 'shop.order.created', source: '/shop', datacontenttype: 'application/json' }
    const record = { id: '1', channel: 'c', key: 'k', headers, body: new Uint8Array(), dueAtMs: 1_700_000_000_123 }
    const envelope = encode(record, stamps.next(0))
    expect(envelope.durable).toBe(true)
    expect(carried(envelope, record.body)).toMatchObject({
      messageId: '1',
      rawContentType: 'application/json',
      headers: {
        'cloudEvents:specversion': '1.0',
        'cloudEvents:id': '1',
        'cloudEvents:type': 'shop.order.created',
        'cloudEvents:source': '/shop',
        'cloudEvents:partitionkey': 'k',
        'cloudEvents:deliverytime': '2023-11-14T22:13:20.123Z',
      },
    })
  })

  it('carries what the engine counts', () => {
    const record = { id: '1', channel: 'c', headers: {}, body: new Uint8Array() }
    expect(roundTrip(record, { attempts: 3, vanished: 1, visibleAtMs: 17 })).toMatchObject({
      attempts: 3,
      vanished: 1,
      visibleAtMs: 17,
    })
    expect(roundTrip(record)).toMatchObject({ attempts: 0, vanished: 0, visibleAtMs: 0 })
  })

  it('is refused where it does not fit', () => {
    const record = { id: '1', channel: 'c', headers: {}, body: new Uint8Array() }
    expect(refusalOf(record)).toBeUndefined()
    expect(refusalOf({ ...record, body: new Uint8Array(16_777_217) })?.code).toBe('BODY_TOO_LARGE')
    expect(refusalOf({ ...record, key: 'ä'.repeat(513) })?.code).toBe('INVALID_ARGUMENT')
    expect(refusalOf({ ...record, key: '' })?.code).toBe('INVALID_ARGUMENT')
    expect(refusalOf({ ...record, dueAtMs: Number.NaN })?.code).toBe('INVALID_ARGUMENT')
    expect(refusalOf({ ...record, expiresAtMs: Number.POSITIVE_INFINITY })?.code).toBe('INVALID_ARGUMENT')
    expect(refusalOf({ ...record, headers: { a: 'x'.repeat(32_768) } })?.code).toBe('INVALID_ARGUMENT')
  })
})

describe('a message of somebody else', () => {
  const foreign: Received = { deliveryTag: 1, body: Buffer.from('{}'), timestamp: 1_700_000_000 }

  it('has the id of the message, or one that is made up and stays', () => {
    expect(decode({ ...foreign, messageId: 'm-1' }, 'c').record.id).toBe('m-1')
    const [first, again] = [decode(foreign, 'c'), decode({ ...foreign, deliveryTag: 7, redelivered: true }, 'c')]
    expect(first.record.id).toMatch(/^amqp-[0-9a-f]{32}$/)
    expect(again.record.id).toBe(first.record.id)
    expect(again.position).toBe(first.position)
    expect(isPosition(first.position)).toBe(true)
    expect(decode({ ...foreign, body: Buffer.from('[]') }, 'c').record.id).not.toBe(first.record.id)
  })

  it('keeps its id over copies that the server counts', () => {
    const counted = { ...foreign, headers: { 'x-delivery-count': 3 } }
    expect(decode(counted, 'c').record.id).toBe(decode(foreign, 'c').record.id)
  })

  it('may write attributes with either prefix and in types', () => {
    const headers = { cloudEvents_type: 'a', 'cloudEvents:sequence': 7, 'cloudEvents:flag': true, other: 'x' }
    const { record } = decode({ ...foreign, headers, rawContentType: 'text/plain' }, 'c')
    expect(record.headers).toEqual({ type: 'a', sequence: '7', flag: 'true', datacontenttype: 'text/plain' })
  })

  it('was taken back as often as the server says', () => {
    expect(takenBack(foreign)).toBe(0)
    expect(takenBack({ ...foreign, redelivered: true })).toBe(1)
    expect(takenBack({ ...foreign, redelivered: true, headers: { 'x-delivery-count': 4 } })).toBe(4)
  })
})

describe('positions', () => {
  it('are in text order as they were stamped, also when the clock stands or goes back', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(2_000_000_000_000), { minLength: 2 }), (times) => {
        const own = new Stamps()
        const all = times.map((time) => own.next(time))
        expect([...all].sort()).toEqual(all)
        expect(new Set(all).size).toBe(all.length)
      }),
    )
  })
})
