import { describe, expect, it } from 'vitest'
import { bytesOf } from '../../test/plain-frames.ts'
import { frameBytesLimit, frameType } from './constants.ts'
import { encodeFailure, readFailure } from './failure.ts'
import { FrameReader } from './frame-reader.ts'
import { readClientHello } from './hello.ts'
import { readMetadata } from './metadata.ts'

/*
 * What an attacker would have a reader do or keep. What a whole connection does about it is tested with the connection.
 */

/** A server's reader that takes frames of 16 MiB. */
function generousReader(): FrameReader {
  const reader = new FrameReader('server', {
    frame(frame) {
      if (frame.type === frameType.hello) reader.accept(frameBytesLimit)
    },
  })
  reader.push(bytesOf([{ type: 'HELLO', payload: { versions: [1] } }], { preface: true }))
  return reader
}

const keptBytes = () => process.memoryUsage().arrayBuffers

describe('a reader under attack', () => {
  it('keeps what has come, not what was announced', () => {
    const header = Buffer.from('ffffff020000000001', 'hex')
    const before = keptBytes()
    const readers = Array.from({ length: 2000 }, generousReader)
    for (const reader of readers) reader.push(Buffer.concat([header, Buffer.alloc(100)]))
    expect(readers.every(({ underway }) => underway)).toBe(true)
    expect(keptBytes() - before).toBeLessThan(4 * 1024 * 1024)
  })

  it('keeps at most twice what has come of a large frame, and copies it a few times only, however it dribbles', () => {
    const reader = generousReader()
    const before = keptBytes()
    reader.push(Buffer.from('ffffff020000000001', 'hex'))
    const byte = Buffer.of(7)
    for (let count = 0; count < 1_000_000; count++) reader.push(byte)
    expect(reader.underway).toBe(true)
    expect(keptBytes() - before).toBeLessThan(8 * 1024 * 1024)
  })

  it('keeps nothing of a frame that is too large, of types it does not know, or once it is stopped', () => {
    const reader = new FrameReader('server', { frame: () => reader.accept(16_384) })
    reader.push(bytesOf([{ type: 'HELLO', payload: { versions: [1] } }], { preface: true }))
    for (let count = 0; count < 1000; count++) reader.push(Buffer.from('000004f180000000010a0b0c0d', 'hex'))
    expect(reader.underway).toBe(false)
    expect(() => reader.push(Buffer.from('004001020000000001', 'hex'))).toThrow(/16385 bytes/)
    reader.push(Buffer.alloc(1_000_000))
    expect(reader.underway).toBe(false)
  })

  it('reads metadata of as many pairs as there can be, and stops at the bound', () => {
    const pairs = 5000
    const parts = [Buffer.from([pairs >>> 8, pairs & 0xff])]
    for (let pair = 0; pair < pairs; pair++)
      parts.push(Buffer.from(`\x04${pair.toString(36).padStart(4, '0')}\0\0`, 'latin1'))
    const bytes = Buffer.concat(parts)
    const place = { bytes, start: 0, end: bytes.length }
    expect(Object.keys(readMetadata({ ...place, bytesMax: bytes.length }).metadata)).toHaveLength(pairs)
    expect(() => readMetadata({ ...place, bytesMax: 16_384 })).toThrow(/larger than the receiver takes/)
  })

  it('is not overturned by JSON that is nested as deep as it fits', () => {
    const deep = Buffer.from(`{"versions":[1],"x":${'['.repeat(8000)}${']'.repeat(8000)}}`)
    expect(readClientHello(deep).versions).toEqual([1])
    const half = Buffer.from(`{"versions":${'['.repeat(16_000)}`)
    expect(() => readClientHello(half)).toThrow(/not JSON/)
    const failure = Buffer.from(
      `{"code":"INTERNAL","message":"x","details":{"x":${'['.repeat(30_000)}${']'.repeat(30_000)}}}`,
    )
    const error = readFailure(failure, 0, failure.length)
    expect(encodeFailure(error, 16_384).length).toBeLessThan(16_384)
  })
})
