import { headers as clientHeaders } from '@nats-io/nats-core'
import { MsgHdrsImpl } from '@nats-io/nats-core/internal'
import type { OutgoingRecord } from '@posthaste/contracts'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { decode, type Internals, RecordDecoder, RecordEncoder, serverHeaders } from './codec.ts'

const place = { channel: 'c', group: undefined, fallbackId: 'made-up' }

/** Through the client's own reading of headers. */
function roundTrip(record: OutgoingRecord, internals?: Internals) {
  const { encode } = { encode: () => new RecordEncoder().headersOf(record, internals).encode() }
  return decode(MsgHdrsImpl.decode(encode()), record.body, place)
}

const text = fc.string({ unit: 'grapheme', maxLength: 40 })
const attribute = fc
  .stringMatching(/^[a-z0-9]{1,20}$/)
  .filter((each) => !['id', 'partitionkey', 'deliverytime', 'expirytime', 'priority', 'data'].includes(each))
const timeMs = fc.option(fc.integer({ min: 0, max: 4e12 }), { nil: undefined })
const record: fc.Arbitrary<OutgoingRecord> = fc.record({
  id: text.filter((id) => id !== ''),
  channel: fc.constant('c'),
  group: fc.constant(undefined),
  key: fc.option(
    text.filter((key) => key !== ''),
    { nil: undefined },
  ),
  headers: fc.dictionary(attribute, text),
  body: fc.uint8Array({ maxLength: 100 }),
  dueAtMs: timeMs,
  expiresAtMs: timeMs,
  priority: fc.option(fc.integer({ min: 0, max: 9 }), { nil: undefined }),
})

describe('a record as a message', () => {
  it('is the same when it is read', () => {
    fc.assert(
      fc.property(record, (each) => {
        const { record: read } = roundTrip(each)
        expect({ ...read, headers: { ...read.headers } }).toEqual({ ...each, headers: { ...each.headers } })
      }),
    )
  })

  it('is the same when its headers are read from the wire, whatever was read before', () => {
    const [encoder, decoder] = [new RecordEncoder(), new RecordDecoder()]
    const shared = { type: 't', source: '/s' }
    const some = fc.oneof(
      record,
      record.map((each) => ({ ...each, headers: shared })),
    )
    fc.assert(
      fc.property(some, (each) => {
        const wire = Buffer.from(encoder.headersOf(each).encode()).toString('latin1')
        const { record: read } = decoder.decode(wire, each.body, place)
        expect({ ...read, headers: { ...read.headers } }).toEqual({ ...each, headers: { ...each.headers } })
      }),
    )
  })

  it('is read from the wire of a foreign client, in whatever order its headers stand', () => {
    const decoder = new RecordDecoder()
    const wire = 'NATS/1.0\r\nce-id: 7\r\nX-Other:x\r\nContent-Type: a/b\r\nce-type:t\r\n\r\n'
    expect(decoder.decode(wire, new Uint8Array(), place).record).toMatchObject({
      id: '7',
      headers: { datacontenttype: 'a/b', type: 't' },
    })
    expect(decoder.decode('NATS/1.0\r\n\r\n', new Uint8Array(), place).record.id).toBe('made-up')
  })

  it('brings what the engine keeps beside it, which is no header of the record', () => {
    const internals = { attempts: 3, vanished: 1, storedAtMs: 1_700_000_000_000, origin: 17, noteOrder: 5 }
    const sent = { id: '1', channel: 'c', headers: { type: 't' }, body: new Uint8Array() }
    const read = roundTrip(sent, internals)
    expect(read.internals).toEqual(internals)
    expect(read.record.headers).toEqual({ type: 't' })
  })

  it('is a CloudEvent in binary mode', () => {
    const sent = {
      id: 'é',
      channel: 'c',
      key: 'k 1',
      headers: { type: 't', datacontenttype: 'text/plain' },
      body: new Uint8Array(),
    }
    const wire = new TextDecoder().decode(new RecordEncoder().headersOf(sent).encode())
    expect(wire).toBe(
      'NATS/1.0\r\nce-type: t\r\ncontent-type: text/plain\r\nce-id: %C3%A9\r\nce-partitionkey: k%201\r\n\r\n',
    )
  })

  it('keeps apart what has equal names but another object of headers', () => {
    const encoder = new RecordEncoder()
    const wire = (type: string) =>
      new TextDecoder().decode(
        encoder.headersOf({ id: '1', channel: 'c', headers: { type }, body: new Uint8Array() }).encode(),
      )
    expect([wire('a'), wire('b'), wire('a')].map((each) => /ce-type: (.)/.exec(each)?.[1])).toEqual(['a', 'b', 'a'])
  })

  it('is read from a foreign client that says nothing, or writes names in another case', () => {
    expect(decode(undefined, new Uint8Array([1]), place).record).toMatchObject({ id: 'made-up', headers: {} })
    const foreign = clientHeaders()
    foreign.append('Content-Type', 'application/json')
    foreign.append('ce-id', '100%')
    foreign.append('X-Other', 'ignored')
    const { record: read } = decode(foreign, new Uint8Array(), place)
    expect(read).toMatchObject({ id: '100%', headers: { datacontenttype: 'application/json' } })
    expect(Object.keys(read.headers)).toEqual(['datacontenttype'])
  })

  it('carries headers for the server', () => {
    const sent = new TextDecoder().decode(
      (serverHeaders([['Nats-Msg-Id', 'x']]) as unknown as { encode(): Uint8Array }).encode(),
    )
    expect(sent).toBe('NATS/1.0\r\nNats-Msg-Id: x\r\n\r\n')
  })
})
