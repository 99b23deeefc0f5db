import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ByteReader, ByteWriter } from './bytes.ts'
import { type BatchSettings, type KafkaRecord, readBatches, writeBatch } from './record-batch.ts'

const settings: BatchSettings = {
  producerId: 7n,
  producerEpoch: 1,
  sequence: 3,
  transactional: false,
  timestampMs: 1_700_000_000_000,
  compression: 'none',
}

const bytes = fc.uint8Array({ maxLength: 200 })
const headers = fc
  .array(fc.tuple(fc.string({ maxLength: 20, unit: 'grapheme' }), fc.string({ maxLength: 50, unit: 'grapheme' })), {
    maxLength: 5,
  })
  .map((pairs) => pairs.flat())
const record = fc.record({
  key: fc.option(fc.string({ maxLength: 50, unit: 'grapheme' }), { nil: undefined }),
  value: fc.option(bytes, { nil: undefined }),
  headers,
  id: fc.option(fc.string({ maxLength: 80, unit: 'grapheme' }), { nil: undefined }),
})
/** Some share their headers with those before them. */
const records = fc.array(fc.tuple(record, fc.boolean()), { minLength: 1, maxLength: 20 }).map((all) => {
  let latest = all[0]?.[0].headers ?? []
  return all.map(([each, shares]) => {
    if (!shares) latest = each.headers
    return { ...each, headers: latest }
  })
})
const compression = fc.constantFrom('none', 'gzip', 'lz4', 'snappy', 'zstd') as fc.Arbitrary<
  BatchSettings['compression']
>

function written(...args: Parameters<typeof writeBatch> extends [unknown, ...infer Rest] ? Rest : never): Buffer {
  const writer = new ByteWriter(16)
  writeBatch(writer, ...args)
  return Buffer.from(writer.written)
}

describe('batches of records', () => {
  it('are read as they were written, compressed or not', () => {
    fc.assert(
      fc.property(records, compression, (records, method) => {
        const [batch] = readBatches(written(records, { ...settings, compression: method }), 0)
        expect(batch?.nextOffset).toBe(records.length)
        expect(
          batch?.records.map(({ key, value, headers, id }) => ({
            key: key?.toString(),
            value: value && new Uint8Array(value),
            headers,
            id,
          })),
        ).toEqual(records)
        expect(batch?.records.map(({ offset, timestampMs }) => [offset, timestampMs])).toEqual(
          records.map((_, at) => [at, settings.timestampMs]),
        )
      }),
    )
  })

  it('are left out where they are cut off at the end', () => {
    const one = written([{ key: 'k', value: Buffer.from('v'), headers: [], id: undefined }], settings)
    for (let end = 0; end < one.length; end += 1) expect(readBatches(one.subarray(0, end), 0)).toEqual([])
    expect(readBatches(Buffer.concat([one, one.subarray(0, 20)]), 0)).toHaveLength(1)
  })

  it('are refused where a bit of them is not as it was written', () => {
    const one = written([{ key: 'k', value: Buffer.from('value'), headers: ['a', 'b'], id: undefined }], settings)
    for (let at = 21; at < one.length; at += 1) {
      const damaged = Buffer.from(one)
      damaged[at] = (damaged[at] as number) ^ 1
      expect(() => readBatches(damaged, 0)).toThrow('does not match its checksum')
    }
  })

  it('leave out records before the place that was asked for', () => {
    const records = ['a', 'b', 'c'].map((key) => ({ key, value: undefined, headers: [], id: undefined }))
    const [batch] = readBatches(written(records, settings), 2)
    expect(batch?.records.map(({ key }) => key?.toString())).toEqual(['c'])
  })

  it('have one list of headers where those behind each other have the same, whoever wrote them', () => {
    const headers = ['ce_type', 'a', 'ce_source', '/b']
    const alike = ['1', '2', '3'].map((id) => ({ key: undefined, value: undefined, headers: [...headers], id }))
    const [batch] = readBatches(
      written([...alike, { ...alike[0], headers: ['ce_type', 'b'], id: '4' }] as KafkaRecord[], settings),
      0,
    )
    const lists = new Set(batch?.records.map((each) => each.headers))
    expect([...lists]).toEqual([headers, ['ce_type', 'b']])
    expect(batch?.records.map(({ id }) => id)).toEqual(['1', '2', '3', '4'])
  })

  it('of more than a length of two bytes are read as they were written', () => {
    const shared = ['a', 'b'.repeat(5_000)]
    const sizes = [0, 31, 32, 4_095, 8_170, 8_190, 20_000, 2_000_000]
    const sent = sizes.map((size) => ({ key: undefined, value: Buffer.alloc(size, 'x'), headers: shared, id: 'i' }))
    const [batch] = readBatches(written([...sent, ...sent], settings), 0)
    expect(batch?.records.map(({ value }) => value?.length)).toEqual([...sizes, ...sizes])
    for (const { headers, id } of batch?.records ?? []) expect([headers, id]).toEqual([shared, 'i'])
  })

  it('tell of their transaction', () => {
    const [batch] = readBatches(
      written([{ key: 'k', value: undefined, headers: [], id: undefined }], { ...settings, transactional: true }),
      0,
    )
    expect(batch).toMatchObject({ transactional: true, control: false, producerId: 7n })
  })
})

describe('numbers of variable length', () => {
  it('are read as they were written', () => {
    fc.assert(
      fc.property(fc.maxSafeInteger(), (value) => {
        fc.pre(Math.abs(value) < 2 ** 51)
        const writer = new ByteWriter(1)
        writer.varint(value)
        expect(new ByteReader(writer.written).varint()).toBe(value)
      }),
    )
  })

  it('may be given room before their value is known', () => {
    fc.assert(
      fc.property(fc.nat(), (value) => {
        const writer = new ByteWriter(1)
        const at = writer.skip(5)
        writer.patchPaddedVarint(at, value)
        expect(new ByteReader(writer.written).unsignedVarint()).toBe(value)
      }),
    )
  })

  it('are refused where they go on behind the end', () => {
    expect(() => new ByteReader(Buffer.of(0x80, 0x80)).unsignedVarint()).toThrow(RangeError)
  })
})
