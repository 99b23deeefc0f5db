import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { cutAt, cuts } from '../../test/arbitrary-frames.ts'
import { bytesOf, type PlainFrame } from '../../test/plain-frames.ts'
import { creditCost, frameType } from './constants.ts'
import { FrameReader } from './frame-reader.ts'

const pieceBytes = 20_000
const piece = Buffer.alloc(pieceBytes, 'abcdefghijk')
const hello: PlainFrame = { type: 'HELLO', payload: { version: 1, codecs: [] } }
const frames: readonly PlainFrame[] = [
  { type: 'MESSAGE', stream: 1, flags: ['MORE'], body: piece.toString('hex') },
  { type: 'MESSAGE', stream: 1, flags: ['LAST'], body: 'ff' },
]

interface Part {
  readonly flags: number
  readonly stream: number
  readonly bytes: Buffer
  readonly cost: number
}

/** A client's reader, and the parts of messages that it has handed on. */
function reading() {
  const parts: Part[] = []
  const reader = new FrameReader('client', {
    frame({ type, flags, stream, bytes, start, end, continued }) {
      if (type === frameType.hello) reader.accept(65_536)
      else {
        const cost = continued ? end - start : creditCost(end - start)
        parts.push({ flags, stream, bytes: Buffer.from(bytes.subarray(start, end)), cost })
      }
    },
  })
  reader.push(bytesOf([hello]))
  return { reader, parts }
}

const bytes = bytesOf([...frames])

describe('A large piece of a message', () => {
  it('comes whole, at the cost of its frame, whatever the chunks', () => {
    fc.assert(
      fc.property(cuts(bytes.length), (at) => {
        const { reader, parts } = reading()
        for (const chunk of cutAt(bytes, at)) reader.push(Buffer.from(chunk))
        const last = parts.pop()
        expect(last?.bytes).toEqual(Buffer.of(0xff))
        expect(Buffer.concat(parts.map((part) => part.bytes)).equals(piece)).toBe(true)
        expect(new Set(parts.map(({ flags }) => flags))).toEqual(new Set([0x10]))
        expect(new Set(parts.map(({ stream }) => stream))).toEqual(new Set([1]))
        expect(parts.reduce((sum, { cost }) => sum + cost, 0)).toBe(pieceBytes)
        expect(reader.underway).toBe(false)
        expect(reader.frames).toBe(3)
      }),
    )
  })

  it('is handed on as it comes, and is underway until all of it has come', () => {
    const { reader, parts } = reading()
    const seen = [5_000, 5_010, 19_000].map((to, at, all) => {
      reader.push(Buffer.from(bytes.subarray(all[at - 1] ?? 0, to)))
      return { parts: parts.length, underway: reader.underway, frames: reader.frames }
    })
    expect(seen).toEqual([1, 2, 3].map((count) => ({ parts: count, underway: true, frames: 1 })))
    expect(parts.map((part) => part.bytes.length)).toEqual([4_991, 10, 13_990])
  })

  it('is not handed on any further once the reader has stopped', () => {
    const { reader, parts } = reading()
    reader.push(Buffer.from(bytes.subarray(0, 5_000)))
    reader.stop()
    reader.push(Buffer.from(bytes.subarray(5_000)))
    expect(parts.length).toBe(1)
    expect(reader.underway).toBe(false)
  })
})
