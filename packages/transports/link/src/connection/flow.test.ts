import fc from 'fast-check'
import { expect, it } from 'vitest'
import { Pair, Recorder } from '../../test/connection-rig.ts'
import { settled } from '../../test/pipes.ts'
import { type LinkStream, lastMessage } from './types.ts'

/*
 * Whatever the windows, frames, chunks, sizes and habits of consuming: everything arrives, in order and unchanged, both
 * ways, on all streams; nobody sends more than it has credit for (the receiver would end the connection); nothing stays
 * behind.
 */

const kib = 1024

const shapes = fc.record({
  streamWindow: fc.integer({ min: 16 * kib, max: 64 * kib }),
  connectionWindow: fc.integer({ min: 64 * kib, max: 128 * kib }),
  frameBytesMax: fc.integer({ min: 16 * kib, max: 80 * kib }),
  capacity: fc.constantFrom(1, 100, 10_000, 200_000, 10_000_000),
  chunkBytes: fc.constantFrom(1_000, 4_096, 65_536, 1_000_000),
  holds: fc.boolean(),
  streams: fc.array(
    fc.record({
      up: fc.array(fc.oneof(fc.integer({ min: 0, max: 200 }), fc.integer({ min: 0, max: 150_000 })), { maxLength: 12 }),
      down: fc.array(fc.oneof(fc.integer({ min: 0, max: 200 }), fc.integer({ min: 0, max: 150_000 })), {
        maxLength: 12,
      }),
      bodyAtOpen: fc.boolean(),
      endsWithMessage: fc.boolean(),
      /** Consumes only every so many messages. */
      consumesEvery: fc.integer({ min: 1, max: 3 }),
    }),
    { minLength: 1, maxLength: 5 },
  ),
})

/** A body that tells its place: which stream, which message, how long. */
function body(stream: number, message: number, bytes: number): Uint8Array {
  return Buffer.alloc(bytes, `${stream}.${message} `)
}

class Consumer extends Recorder {
  readonly sums: string[] = []
  #taken: number[] = []

  constructor(holds: boolean, stream: () => LinkStream, every: number) {
    super(holds)
    this.onMessage = (bytes) => {
      this.sums.push(`${bytes.length} ${Buffer.from(bytes.subarray(0, 6)).toString('latin1')}`)
      if (!holds) return
      this.#taken.push(bytes.length)
      if (this.#taken.length < every && this.sums.length > 0) {
        // What is not consumed now is later, so that it waits for other messages meanwhile, but not for ever.
        setImmediate(() => this.#consume(stream()))
        return
      }
      this.#consume(stream())
    }
  }

  #consume(stream: LinkStream): void {
    for (const bytes of this.#taken) stream.consumed(bytes)
    this.#taken = []
  }
}

function sums(stream: number, sizes: readonly number[]): string[] {
  return sizes.map((bytes, message) => `${bytes} ${Buffer.from(body(stream, message, bytes)).toString('latin1', 0, 6)}`)
}

interface Pouring {
  readonly stream: LinkStream
  readonly sink: Recorder
  readonly messages: readonly Uint8Array[]
  readonly endsWithMessage: boolean
}

/** Sends one message after another, as fast as it may. */
function pour({ stream, sink, messages, endsWithMessage }: Pouring): void {
  let next = 0
  const step = (): void => {
    while (next < messages.length) {
      const isLast = next === messages.length - 1
      const room = stream.send(messages[next++] as Uint8Array, isLast && endsWithMessage ? lastMessage : 0)
      if (!room && next < messages.length) return
    }
    if (!endsWithMessage || messages.length === 0) stream.end()
    next = Number.POSITIVE_INFINITY
  }
  sink.onWritable = () => {
    if (next !== Number.POSITIVE_INFINITY) step()
  }
  step()
}

it('Everything arrives, in order, whatever the windows and the sizes', { timeout: 60_000 }, async () => {
  await fc.assert(
    fc.asyncProperty(shapes, async ({ holds, capacity, chunkBytes, streams, ...windows }) => {
      const limits = { ...windows, unconsumedBytesMax: 64 * kib, keepaliveMs: 3_600_000 }
      const consumers: Consumer[] = []
      const pair = new Pair({
        limits,
        capacity,
        chunkBytes: () => chunkBytes,
        sink: ({ method }, stream) => {
          const index = Number(method)
          const plan = streams[index] as (typeof streams)[0]
          const consumer = new Consumer(holds, () => stream, plan.consumesEvery)
          consumers[index] = consumer
          const messages = plan.down.map((bytes, message) => body(index, message, bytes))
          setImmediate(() => pour({ stream, sink: consumer, messages, endsWithMessage: plan.endsWithMessage }))
          return consumer
        },
      })
      await settled()
      const clients = streams.map((plan, index) => {
        let opened: LinkStream | undefined
        const sink = new Consumer(holds, () => opened as LinkStream, plan.consumesEvery)
        const messages = plan.up.map((bytes, message) => body(index, message, bytes))
        const first = plan.bodyAtOpen ? messages.shift() : undefined
        const { stream } = pair.open({ method: String(index), metadata: {}, ...(first && { body: first }) }, sink)
        opened = stream
        pour({ stream, sink, messages, endsWithMessage: plan.endsWithMessage })
        return sink
      })
      for (let turn = 0; turn < 5_000 && (pair.client.busy || pair.server.running > 0); turn++) await settled(1)
      expect(pair.told).toEqual(['connected'])
      for (const [index, plan] of streams.entries()) {
        expect(consumers[index]?.sums).toEqual(sums(index, plan.up))
        expect(clients[index]?.sums).toEqual(sums(index, plan.down))
      }
      expect([pair.client.busy, pair.server.running]).toEqual([false, 0])
    }),
    { numRuns: 40 },
  )
})
