import { PosthasteError } from '@posthaste/contracts'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { ClientStream } from './client-stream.ts'
import { Waiting } from './waiting.ts'

const gone = new PosthasteError('UNAVAILABLE', 'the server is gone')

function streamOf(waiting: Waiting, told: unknown[] = []): ClientStream {
  const sink = { message() {}, ended() {}, failed: (error: unknown) => void told.push(error), writable() {} }
  const opening = {
    method: 'shop/echo',
    metadata: {},
    timeoutMs: undefined,
    codec: 'application/json',
    body: undefined,
  }
  return new ClientStream(opening, sink, waiting)
}

test('streams come out in the order in which they came, without those that were given up', () => {
  const step = fc.constantFrom('add', 'add', 'add', 'take', 'giveUp')
  fc.assert(
    fc.property(fc.array(fc.tuple(step, fc.nat()), { maxLength: 500 }), (steps) => {
      const waiting = new Waiting()
      const model: ClientStream[] = []
      for (const [step, which] of steps) {
        if (step === 'add') {
          const stream = streamOf(waiting)
          waiting.add(stream, 0)
          model.push(stream)
        } else if (step === 'take') expect(waiting.take()).toBe(model.shift())
        else for (const stream of model.splice(which % (model.length + 1), 1)) stream.fail(gone)
        expect(waiting.size).toBe(model.length)
      }
      for (const stream of model) expect(waiting.take()).toBe(stream)
      expect(waiting.take()).toBeUndefined()
    }),
  )
})

test('a stream is given up once, however often that is said', () => {
  const waiting = new Waiting()
  const stream = streamOf(waiting)
  waiting.add(stream, 0)
  stream.fail(gone)
  stream.fail(gone)
  expect(waiting.size).toBe(0)
})

test('a stream that comes back while the others are told that they wait for nothing waits on', () => {
  const waiting = new Waiting()
  const told: unknown[] = []
  const again = streamOf(waiting)
  const first = new ClientStream(
    streamOf(waiting).opening,
    { message() {}, ended() {}, failed: () => waiting.add(again, 0), writable() {} },
    waiting,
  )
  waiting.add(first, 0)
  waiting.add(streamOf(waiting, told), 0)
  waiting.failAll(gone)
  expect(told).toEqual([gone])
  expect(waiting.take()).toBe(again)
})

test('streams that come and are given up while nobody takes any hold no more than a few places', () => {
  const waiting = new Waiting()
  const stay = streamOf(waiting)
  waiting.add(stay, 0)
  for (let n = 0; n < 10_000; n++) {
    const stream = streamOf(waiting)
    waiting.add(stream, 0)
    stream.fail(gone)
  }
  expect(waiting.size).toBe(1)
  expect(waiting.places).toBeLessThan(200)
  expect(waiting.take()).toBe(stay)
})

test('a stream that waits no longer, or never did, is given up without a trace', () => {
  const waiting = new Waiting()
  streamOf(waiting).fail(gone)
  const taken = streamOf(waiting)
  waiting.add(taken, 0)
  expect(waiting.take()).toBe(taken)
  taken.fail(gone)
  expect(taken.over).toBe(true)
  expect(waiting.size).toBe(0)
  const next = streamOf(waiting)
  waiting.add(next, 0)
  expect(waiting.size).toBe(1)
  expect(waiting.take()).toBe(next)
})

test('one that is told gives up another, which is told nothing, and what comes meanwhile waits on', () => {
  const waiting = new Waiting()
  const told: unknown[] = []
  const [other, again] = [streamOf(waiting, told), streamOf(waiting)]
  const { opening } = other
  const failed = (): void => {
    other.fail(gone)
    waiting.add(again, 0)
  }
  waiting.add(new ClientStream(opening, { message() {}, ended() {}, failed, writable() {} }, waiting), 0)
  waiting.add(other, 0)
  waiting.failAll(gone)
  expect(told).toEqual([])
  expect(again.over).toBe(false)
  expect(waiting.size).toBe(1)
  expect(waiting.take()).toBe(again)
})
