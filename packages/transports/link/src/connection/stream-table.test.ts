import type { PosthasteError } from '@posthaste/contracts'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type Carrier, Stream } from './stream.ts'
import { StreamTable } from './stream-table.ts'

const carrier: Carrier = {
  send: () => true,
  end() {},
  fail() {},
  consumed() {},
}

function streamOf(id: number): Stream {
  const sink = { message() {}, ended() {}, failed: (error: PosthasteError) => void error, writable() {} }
  const stream = new Stream(sink, carrier)
  stream.id = id
  return stream
}

test('a table holds the streams that were added and not deleted, in the order of their ids', () => {
  const step = fc.oneof({ weight: 3, arbitrary: fc.constant('add' as const) }, { weight: 2, arbitrary: fc.nat() })
  fc.assert(
    fc.property(fc.nat({ max: 2 ** 31 - 5_000 }), fc.array(step, { maxLength: 400 }), (first, steps) => {
      const table = new StreamTable()
      const model = new Map<number, Stream>()
      let last = first
      for (const step of steps) {
        if (step === 'add') {
          last++
          const stream = streamOf(last)
          table.add(stream)
          model.set(last, stream)
        } else {
          const stream = [...model.values()][step % Math.max(model.size, 1)] ?? streamOf(last + 1)
          table.delete(stream)
          model.delete(stream.id)
        }
        expect(table.size).toBe(model.size)
      }
      expect(table.all()).toEqual([...model.values()])
      for (let id = first; id <= last + 1; id++) expect(table.get(id)).toBe(model.get(id))
    }),
  )
})

test('a stream that outlives thousands of others is still found', () => {
  const table = new StreamTable()
  const old = streamOf(1)
  table.add(old)
  for (let id = 2; id <= 10_000; id++) {
    const stream = streamOf(id)
    table.add(stream)
    expect(table.get(id)).toBe(stream)
    table.delete(stream)
    expect(table.get(id)).toBeUndefined()
  }
  expect(table.get(1)).toBe(old)
  expect(table.all()).toEqual([old])
  table.delete(old)
  expect(table.size).toBe(0)
  expect(table.get(1)).toBeUndefined()
})

test('a stream that has the place of another does not take it when it is deleted', () => {
  const table = new StreamTable()
  const streams = Array.from({ length: 3 }, (_, n) => streamOf(1 + n * 1024))
  for (const stream of streams) table.add(stream)
  table.delete(streams[0]!)
  table.delete(streams[0]!)
  expect(table.all()).toEqual(streams.slice(1))
  table.delete(streams[2]!)
  expect(table.get(streams[1]!.id)).toBe(streams[1])
  expect(table.size).toBe(1)
})

test('a table that is empty again after a burst goes on', () => {
  const table = new StreamTable()
  const burst = Array.from({ length: 5_000 }, (_, n) => streamOf(n + 1))
  for (const stream of burst) table.add(stream)
  expect(table.all()).toEqual(burst)
  for (const stream of burst) table.delete(stream)
  expect(table.all()).toEqual([])
  const next = streamOf(5_001)
  table.add(next)
  expect(table.get(5_001)).toBe(next)
})
