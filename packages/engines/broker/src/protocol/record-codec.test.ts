import type { OutgoingRecord } from '@posthaste/contracts'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Reader } from './reader.ts'
import { RecordReader, RecordWriter } from './record-codec.ts'
import { Writer } from './writer.ts'

const text = (most: number) => fc.string({ unit: 'grapheme', maxLength: most })
const channels = fc.constantFrom('shop.order.created', 'a', 'posthaste.dead.g.shop.order.created')
const names = fc.oneof(fc.constantFrom('type', 'source', 'time', 'correlationid', '__proto__'), text(12))
const time = fc.option(fc.double({ noNaN: true }), { nil: undefined })
const bodies = fc.uint8Array({ maxLength: 200 })

const records: fc.Arbitrary<OutgoingRecord> = fc
  .record({
    id: text(40),
    channel: channels,
    group: fc.option(text(10), { nil: undefined }),
    key: fc.option(text(80), { nil: undefined }),
    headers: fc.array(fc.tuple(names, fc.oneof(text(60), fc.constant('=id'), fc.constant('=channel')))),
    body: bodies,
    dueAtMs: time,
    expiresAtMs: time,
    priority: fc.option(fc.nat(9), { nil: undefined }),
  })
  .map(({ headers, ...record }) => {
    const values = headers.map(([name, value]) => {
      if (value === '=id') return [name, record.id] as const
      return [name, value === '=channel' ? record.channel : value] as const
    })
    return { ...record, headers: Object.fromEntries(values) }
  })

function roundtrip(list: readonly OutgoingRecord[], before = ''): readonly OutgoingRecord[] {
  const writer = new Writer()
  const each = new RecordWriter(writer, before)
  for (const record of list) each.write(record)
  const reader = new Reader(writer.take())
  const records = new RecordReader(reader, before)
  const read: OutgoingRecord[] = []
  while (!reader.isAtEnd) read.push(records.read())
  return read
}

const plain = (record: OutgoingRecord) => ({ ...record, body: [...record.body], headers: { ...record.headers } })

describe('records in a message', () => {
  it('are read as they were written, whatever is in them and whatever came before', () => {
    fc.assert(
      fc.property(fc.array(records, { maxLength: 8 }), channels, (list, before) => {
        expect(roundtrip(list, before).map(plain)).toEqual(list.map(plain))
      }),
    )
  })

  it('cost little where they are like the one before', () => {
    const headers = { type: 'a.b', source: '/orders', time: '2026-01-01T00:00:00Z' }
    const writer = new Writer()
    const each = new RecordWriter(writer, 'c')
    const record = { id: '1', channel: 'c', headers, body: new Uint8Array(0) }
    each.write(record)
    const first = writer.length
    each.write({ ...record, id: '2', headers: { ...headers } })
    expect(writer.length - first).toBeLessThan(12)
    expect(writer.length - first).toBeLessThan(first / 4)
  })

  it('share the object of headers that are the same', () => {
    const headers = { type: 'a.b' }
    const [first, second] = roundtrip(['1', '2'].map((id) => ({ id, channel: 'c', headers, body: new Uint8Array(0) })))
    expect(second?.headers).toBe(first?.headers)
  })

  it('have nothing of a message before that had more headers', () => {
    const writer = new Writer()
    const each = new RecordWriter(writer, 'c')
    each.write({ id: '1', channel: 'c', headers: { a: '1', b: '2' }, body: new Uint8Array(0) })
    writer.take()
    each.reset('c')
    each.write({ id: '2', channel: 'c', headers: { a: '1' }, body: new Uint8Array(0) })
    expect(new RecordReader(new Reader(writer.take()), 'c').read().headers).toEqual({ a: '1' })
  })
})

describe('bytes that are no records', () => {
  it('are refused or read as some, and never loop, hang or throw anything else', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 120 }), (bytes) => {
        const reader = new Reader(bytes)
        const each = new RecordReader(reader, '')
        try {
          while (!reader.isAtEnd) each.read()
        } catch (thrown) {
          expect(thrown).toMatchObject({ code: 'BODY_MALFORMED' })
        }
      }),
      { numRuns: 2_000 },
    )
  })

  it('are refused where a message was cut short', () => {
    const writer = new Writer()
    new RecordWriter(writer, '').write({
      ...{ id: 'some-id', channel: 'c', key: 'k', headers: { type: 'a.b' } },
      body: new Uint8Array(10),
    })
    const whole = writer.take()
    for (let bytes = 1; bytes < whole.length; bytes++) {
      const read = () => new RecordReader(new Reader(whole.subarray(0, bytes)), '').read()
      expect(read).toThrow(/cannot be read/)
    }
  })
})
