import { describe, expect, it } from 'vitest'
import { bytesOf } from '../../test/plain-frames.ts'
import { Batch, ChunkPool } from './batch.ts'
import { creditCost } from './constants.ts'
import { FrameWriter } from './frame-writer.ts'

const hexOf = (pieces: readonly Uint8Array[]) => Buffer.concat(pieces).toString('hex')

describe('what is written in a turn', () => {
  it('is one piece where it is small', () => {
    const writer = new FrameWriter(new ChunkPool())
    writer.credit(0, 1)
    writer.message(1, 0, Buffer.alloc(100))
    writer.end(1)
    const { bytes } = writer
    const pieces = writer.take()
    expect(pieces).toHaveLength(1)
    expect(pieces[0]).toHaveLength(bytes)
    expect(bytes).toBe(13 + 109 + 11)
  })

  it('refers to large bodies, and copies small ones', () => {
    const writer = new FrameWriter(new ChunkPool())
    const large = Buffer.alloc(4096, 1)
    const small = Buffer.alloc(4095, 2)
    writer.message(1, 0, large)
    writer.message(1, 0, small)
    const pieces = writer.take()
    expect(pieces.map(({ length }) => length)).toEqual([9, 4096, 9 + 4095])
    expect(pieces[1]).toBe(large)
    small.fill(3)
    expect(pieces[2]?.at(-1)).toBe(2)
  })

  it('is nothing where nothing was written', () => {
    const writer = new FrameWriter(new ChunkPool())
    writer.cancel(1, 0)
    writer.take()
    expect(writer.take()).toEqual([])
    expect(writer.bytes).toBe(0)
  })

  it('is not touched by what is written later, by this connection or another', () => {
    const pool = new ChunkPool(2048)
    const writers = [new FrameWriter(pool), new FrameWriter(pool)]
    const taken: Uint8Array[][] = []
    const expected: string[] = []
    for (let turn = 1; turn <= 200; turn++) {
      for (const writer of writers) {
        const body = Buffer.alloc((turn * 7) % 90, turn)
        writer.message(turn, 0, body)
        writer.credit(turn, turn)
        taken.push(writer.take())
        expected.push(
          bytesOf([
            { type: 'MESSAGE', stream: turn, flags: [], body: body.toString('hex') },
            { type: 'CREDIT', stream: turn, bytes: turn },
          ]).toString('hex'),
        )
      }
    }
    expect(taken.map(hexOf)).toEqual(expected)
  })

  it('has no byte of an opening, or an end, whose metadata cannot be sent', () => {
    const writer = new FrameWriter(new ChunkPool())
    writer.metadataBytesMax = 10
    const opening = { method: 0, name: undefined, timeoutMs: undefined, codec: 0, body: undefined }
    expect(() => writer.open(1, 0, { ...opening, metadata: { long: '1234567' } })).toThrow(/cannot send this metadata/)
    expect(() => writer.end(1, { long: '1234567' })).toThrow(/cannot send this metadata/)
    expect(writer.take()).toEqual([])
  })

  it('begins with the preface', () => {
    const writer = new FrameWriter(new ChunkPool())
    writer.preface()
    expect(hexOf(writer.take())).toBe(Buffer.from('PHLINK\r\n').toString('hex'))
  })
})

describe('a batch', () => {
  it('goes on in another chunk where one is full, and in one of its own where a part is larger', () => {
    const batch = new Batch(new ChunkPool(10))
    for (const [bytes, value] of [
      [6, 1],
      [6, 2],
      [25, 3],
    ] as const) {
      const at = batch.reserve(bytes)
      batch.memory.fill(value, at, at + bytes)
    }
    expect(batch.bytes).toBe(37)
    expect(batch.take().map((piece) => [piece.length, piece[0]])).toEqual([
      [6, 1],
      [6, 2],
      [25, 3],
    ])
  })

  it('leaves the rest of its chunk to the next one', () => {
    const pool = new ChunkPool(8192)
    const batches = [new Batch(pool), new Batch(pool)]
    const [first, second] = batches.map((batch) => {
      batch.reserve(100)
      return batch.take()[0]
    })
    expect(second?.buffer).toBe(first?.buffer)
    expect(second?.byteOffset).toBe(100)
  })

  it('holds no memory once it is taken', () => {
    const batch = new Batch(new ChunkPool())
    batch.reserve(10)
    batch.take()
    expect(batch.memory).toHaveLength(0)
  })
})

describe('the pool', () => {
  it('keeps no more than a few rests, and none that is small', () => {
    const pool = new ChunkPool(4096)
    for (let count = 0; count < 100; count++) pool.give(Buffer.alloc(2000))
    pool.give(Buffer.alloc(1023))
    const lengths = Array.from({ length: 18 }, () => pool.take(1).length)
    expect(lengths).toEqual([...Array<number>(16).fill(2000), 4096, 4096])
  })

  it('lets a rest go that is too small for what comes', () => {
    const pool = new ChunkPool(4096)
    pool.give(Buffer.alloc(2000))
    expect(pool.take(3000)).toHaveLength(4096)
    expect(pool.take(1)).toHaveLength(4096)
  })
})

describe('the cost of a message', () => {
  it('is its bytes, and at least 64', () => {
    expect([0, 1, 63, 64, 65, 70_000].map(creditCost)).toEqual([64, 64, 64, 64, 65, 70_000])
  })
})
