import type { Headers } from '@posthaste/contracts'
import { describe, expect, it } from 'vitest'
import { metadataBytes, noMetadata, readMetadata, writeMetadata } from './metadata.ts'

const bytesMax = 16 * 1024

function block(metadata: Headers, after = ''): Buffer {
  const length = metadataBytes(metadata, bytesMax)
  const bytes = Buffer.alloc(length + after.length / 2)
  expect(writeMetadata(metadata, bytes, 0)).toBe(length)
  bytes.write(after, length, 'hex')
  return bytes
}

const read = (bytes: Buffer, limit = bytesMax) => readMetadata({ bytes, start: 0, end: bytes.length, bytesMax: limit })
const fromHex = (text: string) => Buffer.from(text.replaceAll(' ', ''), 'hex')

describe('metadata', () => {
  it.each<[Headers]>([
    [{ a: '' }],
    [{ 'x-id': 'Größe ✓', traceparent: '00-1-2-03' }],
    [{ ['n'.repeat(255)]: 'v'.repeat(10_000) }],
    [JSON.parse('{"__proto__":"a","constructor":"b"}') as Headers],
  ])('is read as it was written: %j', (metadata) => {
    const written = block(metadata, 'ffff')
    const { metadata: found, end } = read(written)
    expect(Object.entries(found)).toEqual(Object.entries(metadata))
    expect(Object.getPrototypeOf(found)).toBe(Object.prototype)
    expect(end).toBe(written.length - 2)
  })

  it('that is empty is always the same object', () => {
    expect(read(fromHex('0000')).metadata).toBe(noMetadata)
  })

  it.each<[string, unknown, RegExp]>([
    ['an empty name', { '': 'x' }, /the name ""/],
    ['a name in upper case', { 'X-Id': 'x' }, /the name "X-Id"/],
    ['a name with a space', { 'x id': 'x' }, /the name "x id"/],
    ['a name that is not ASCII', { größe: 'x' }, /the name/],
    ['a name of 256 bytes', { ['n'.repeat(256)]: 'x' }, /the name/],
    ['a value that is no text', { n: 7 }, /n is not text/],
    ['a value above 65535 bytes', { n: 'ä'.repeat(32_768) }, /more than 65535 bytes/],
    [
      'more than the other side takes',
      { a: 'x'.repeat(9000), b: 'x'.repeat(9000) },
      /18010 bytes are more than the 16384/,
    ],
  ])('is not sent with %s', (_, metadata, message) => {
    expect(() => metadataBytes(metadata as Headers, bytesMax)).toThrow(message)
    expect(() => metadataBytes(metadata as Headers, bytesMax)).toThrow(
      expect.objectContaining({ code: 'INVALID_ARGUMENT' }),
    )
  })

  it.each<[string, string]>([
    ['without a count', '00'],
    ['without a pair', '0001'],
    ['without a name', '0001 01'],
    ['without a value', '0001 01 61'],
    ['with half a length', '0001 01 61 00'],
    ['with half a value', '0001 01 61 0002 62'],
    ['with fewer pairs than it says', '0002 01 61 0000'],
    ['with an empty name', '0001 00 0000'],
    ['with a name in upper case', '0001 01 41 0000'],
    ['with a control character in a name', '0001 01 0a 0000'],
    ['with a name twice', '0002 01 61 0000 01 61 0000'],
    ['with bytes that are not UTF-8', '0001 01 61 0001 ff'],
    ['with a surrogate half', '0001 01 61 0003 eda080'],
  ])('is refused %s', (_, hex) => {
    expect(() => read(fromHex(hex))).toThrow(expect.objectContaining({ code: 'BODY_MALFORMED' }))
  })

  it('keeps the mark at the beginning of a text', () => {
    expect(read(fromHex('0001 01 61 0003 efbbbf')).metadata).toEqual({ a: '\ufeff' })
  })

  it('is refused above the bound, before it is read', () => {
    const bytes = block({ a: 'x'.repeat(100), b: 'y' })
    expect(read(bytes, bytes.length).metadata).toHaveProperty('b')
    const tooLarge = expect.objectContaining({ code: 'BODY_TOO_LARGE' })
    for (let limit = 0; limit < bytes.length; limit++) expect(() => read(bytes, limit)).toThrow(tooLarge)
  })
})
