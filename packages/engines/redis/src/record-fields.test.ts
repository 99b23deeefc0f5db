import type { OutgoingRecord } from '@posthaste/contracts'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { packRecord, RecordReader } from './record-fields.ts'
import { Packer, Unpacker } from './wire.ts'

const text = fc.string({ unit: 'grapheme', maxLength: 40 })
const own = [
  'id',
  'partitionkey',
  'expirytime',
  'deliverytime',
  'priority',
  'data',
  'posthaste-group',
  'posthaste-stored',
]
const timeMs = fc.integer({ min: 0, max: 4_000_000_000_000 })

const anyRecord: fc.Arbitrary<OutgoingRecord> = fc.record(
  {
    id: fc.string({ unit: 'grapheme', minLength: 1, maxLength: 40 }),
    channel: fc.constant('c'),
    headers: fc.dictionary(
      text.filter((name) => !own.includes(name)),
      text,
      { maxKeys: 8, noNullPrototype: true },
    ),
    body: fc.uint8Array({ maxLength: 300 }),
    key: fc.string({ unit: 'grapheme', minLength: 1, maxLength: 40 }),
    group: fc.constantFrom('g', 'other'),
    dueAtMs: timeMs,
    expiresAtMs: timeMs,
    priority: fc.integer({ min: 0, max: 9 }),
  },
  { requiredKeys: ['id', 'channel', 'headers', 'body'] },
)

/** What a stream holds of a record: the fields alone, as the script hands them out. */
function fieldsOf(record: OutgoingRecord): Unpacker {
  const packer = new Packer()
  packRecord(packer, record, 0)
  const reader = new Unpacker(packer.take())
  reader.array()
  reader.text()
  reader.number()
  if (reader.isNo()) reader.value()
  else reader.text()
  reader.number()
  return reader
}

function fields(...pairs: readonly (readonly [string, string])[]): Unpacker {
  const packer = new Packer().array(2 * pairs.length)
  for (const [name, value] of pairs) packer.text(name).text(value)
  return new Unpacker(packer.take())
}

describe('a record', () => {
  it('is read from its fields as it was written to them', () => {
    fc.assert(
      fc.property(fc.array(anyRecord, { minLength: 1, maxLength: 5 }), (records) => {
        // One reader, so that headers that are equal to those before take the short way.
        const reader = new RecordReader('c')
        for (const record of records.flatMap((each) => [each, each])) {
          const { record: read, storedAtMs } = reader.read(fieldsOf(record), '1763745600000-4')
          expect({ ...read, body: new Uint8Array(read.body) }).toEqual(record)
          expect(storedAtMs).toBe(1_763_745_600_000)
        }
      }),
    )
  })

  it('has the names of CloudEvents for its fields, the body last', () => {
    const record = {
      ...{ id: '1', channel: 'c', headers: { type: 'a.b', source: '/x' }, body: Uint8Array.of(1) },
      ...{ key: 'k', group: 'g', priority: 2, dueAtMs: 0, expiresAtMs: 1_763_745_600_000 },
    }
    const all = fieldsOf(record).value() as string[]
    expect(all.filter((_, at) => at % 2 === 0)).toEqual([
      ...['id', 'partitionkey', 'posthaste-group', 'expirytime', 'deliverytime', 'priority', 'type', 'source', 'data'],
    ])
    expect(all[7]).toBe('2025-11-21T17:20:00.000Z')
  })

  it('shares its headers with the one before if they are equal', () => {
    const reader = new RecordReader('c')
    const [first, second, other] = ['a.b', 'a.b', 'a.c'].map((type) => {
      const record = { id: '1', channel: 'c', headers: { type, source: '/x' }, body: new Uint8Array(0) }
      return reader.read(fieldsOf(record), '1-1').record.headers
    })
    expect(second).toBe(first)
    expect(other).toEqual({ type: 'a.c', source: '/x' })
  })

  it('cannot be addressed, or given another id, by a header', () => {
    const headers = { 'posthaste-group': 'other', id: '2', type: 'a.b' }
    const { record } = new RecordReader('c').read(
      fieldsOf({ id: '1', channel: 'c', headers, body: new Uint8Array(0) }),
      '1-1',
    )
    expect(record).toMatchObject({ id: '1', headers: { type: 'a.b' } })
    expect(record.group).toBeUndefined()
  })
})

describe('an entry of another client', () => {
  it('is read whatever the order of its fields', () => {
    const entry = fields(['data', 'x'], ['type', 'a.b'], ['partitionkey', 'k'], ['id', '7'], ['source', '/x'])
    const { record } = new RecordReader('c').read(entry, '5-1')
    expect(record).toMatchObject({ id: '7', key: 'k', headers: { type: 'a.b', source: '/x' } })
    expect(new TextDecoder().decode(record.body)).toBe('x')
  })

  it('without an id has that of its place, and without a body an empty one', () => {
    const { record, storedAtMs } = new RecordReader('c').read(fields(['anything', 'goes']), '5-1')
    expect(record).toMatchObject({ id: '5-1', headers: { anything: 'goes' } })
    expect(record.body).toHaveLength(0)
    expect(storedAtMs).toBe(5)
  })

  it('may have headers with names that objects know', () => {
    const { record } = new RecordReader('c').read(fields(['__proto__', 'a'], ['constructor', 'b']), '5-1')
    expect(Object.entries(record.headers)).toEqual([
      ['__proto__', 'a'],
      ['constructor', 'b'],
    ])
  })

  it('that was scheduled says when it was stored', () => {
    const entry = fields(['id', '1'], ['posthaste-stored', '1234'], ['data', ''])
    expect(new RecordReader('c').read(entry, '5000-1').storedAtMs).toBe(1_234)
  })
})
