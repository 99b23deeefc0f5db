import { PosthasteError } from '@posthaste/contracts'
import { expect, it } from 'vitest'
import { Recorder } from '../../test/connection-rig.ts'
import { settled } from '../../test/pipes.ts'
import { RawPair } from '../../test/raw-pair.ts'
import { cancelReason, frameFlag } from '../wire/constants.ts'

async function greeted(shape: ConstructorParameters<typeof RawPair>[0] = {}): Promise<RawPair> {
  const pair = new RawPair(shape)
  pair.client.greet()
  await settled()
  return pair
}

it('A client that opens streams to cancel them is sent away (rapid reset)', async () => {
  const pair = await greeted({ limits: { cancelsMax: 50 } })
  for (let id = 1; id <= 60; id++) {
    pair.client.open(id)
    pair.client.writer.cancel(id, cancelReason.givenUp)
  }
  pair.client.flush()
  await settled()
  expect(pair.client.told.at(-1)).toBe('goaway 51 RATE_LIMITED')
  expect(pair.accepted).toHaveLength(51)
})

it('A client that cancels less than half of its streams, or now and then, stays', async () => {
  const pair = await greeted({ limits: { cancelsMax: 10 }, sink: (_, stream) => answering(stream) })
  let id = 0
  for (let round = 0; round < 40; round++) {
    for (let stream = 0; stream < 3; stream++) pair.client.open(++id)
    pair.client.open(++id, Buffer.from('wait'), 0)
    pair.client.writer.cancel(id, cancelReason.givenUp)
    pair.client.flush()
    await settled(3)
  }
  for (let burst = 0; burst < 5; burst++) {
    for (let stream = 0; stream < 10; stream++) {
      pair.client.open(++id, Buffer.from('wait'), 0)
      pair.client.writer.cancel(id, cancelReason.givenUp)
    }
    pair.client.flush()
    await settled(3)
    await pair.clock.advance(10_001)
  }
  expect(pair.client.told.filter((frame) => frame.startsWith('goaway'))).toEqual([])
})

it('A client that cancels a few of many streams stays, whenever the count begins anew', async () => {
  const pair = await greeted({ limits: { cancelsMax: 10 } })
  for (let id = 1; id <= 100; id++) pair.client.open(id)
  pair.client.flush()
  await settled()
  await pair.clock.advance(9_999)
  pair.client.open(101)
  pair.client.flush()
  await settled()
  await pair.clock.advance(2)
  // Within 10 s of being opened, all but those of the beginning.
  for (let id = 102; id <= 120; id++) pair.client.open(id)
  for (let id = 101; id <= 120; id++) pair.client.writer.cancel(id, cancelReason.givenUp)
  pair.client.flush()
  await settled()
  expect(pair.server.state).toBe('open')
})

it('A client that opened many streams long ago may not cancel as many now', async () => {
  const pair = await greeted({ limits: { cancelsMax: 10 }, sink: (_, stream) => answering(stream) })
  for (let id = 1; id <= 100; id++) pair.client.open(id)
  pair.client.flush()
  await settled()
  await pair.clock.advance(20_000)
  for (let id = 101; id <= 111; id++) {
    pair.client.open(id, Buffer.from('wait'), 0)
    pair.client.writer.cancel(id, cancelReason.givenUp)
  }
  pair.client.flush()
  await settled()
  expect(pair.client.told.at(-1)).toBe('goaway 111 RATE_LIMITED')
})

it('A client whose deadlines have passed may cancel as many streams as it likes', async () => {
  const pair = await greeted({ limits: { cancelsMax: 10 } })
  const opening = { method: 0xffff, name: 'slow', timeoutMs: 300, codec: 0, metadata: {}, body: Buffer.from('x') }
  for (let id = 1; id <= 100; id++) pair.client.writer.open(id, frameFlag.last, opening)
  pair.client.flush()
  await settled()
  await pair.clock.advance(300)
  for (let id = 1; id <= 100; id++) pair.client.writer.cancel(id, cancelReason.deadline)
  pair.client.flush()
  await settled()
  expect(pair.server.state).toBe('open')
  expect(pair.told().at(-1)?.at(-1)).toBe('failed DEADLINE_EXCEEDED')
})

it('A cancelled stream counts until the work for it has ended, so that no client has more of it than its streams', async () => {
  const pair = await greeted({ limits: { streamsMax: 2 } })
  for (let id = 1; id <= 2; id++) {
    pair.client.open(id)
    pair.client.writer.cancel(id, cancelReason.givenUp)
  }
  pair.client.open(3)
  pair.client.flush()
  await settled()
  expect(pair.accepted).toHaveLength(2)
  expect(pair.client.told.at(-1)).toBe('error 3 OVERLOADED untouched')
  pair.accepted[0]?.stream.fail(new PosthasteError('CANCELLED', 'the handler has seen it'))
  pair.accepted[0]?.stream.fail(new PosthasteError('CANCELLED', 'the handler says it twice'))
  pair.accepted[1]?.stream.send(Buffer.from('done in spite of it'), frameFlag.last)
  expect(pair.server.running).toBe(0)
  for (let id = 4; id <= 6; id++) pair.client.open(id)
  pair.client.flush()
  await settled()
  expect(pair.accepted).toHaveLength(4)
  expect(pair.client.told.at(-1)).toBe('error 6 OVERLOADED untouched')
})

it('A stream that fails counts until the work for it has ended, too', async () => {
  const pair = await greeted({ limits: { streamsMax: 1 } })
  pair.client.open(1)
  pair.client.flush()
  await settled()
  const { stream } = pair.accepted[0]!
  stream.fail(new PosthasteError('DEADLINE_EXCEEDED', 'the handler goes on'), true)
  pair.client.open(2)
  pair.client.flush()
  await settled()
  expect(pair.client.told.slice(-2)).toEqual(['error 1 DEADLINE_EXCEEDED', 'error 2 OVERLOADED untouched'])
  stream.end()
  stream.end()
  expect(pair.server.running).toBe(0)
  pair.client.open(3)
  pair.client.flush()
  await settled()
  expect(pair.accepted).toHaveLength(2)
})

it('A client that sends PINGs and nothing else is sent away; between streams they do no harm', async () => {
  const pair = await greeted({ limits: { pingsMax: 20 }, sink: (_, stream) => answering(stream) })
  const ping = Buffer.from('12345678')
  for (let id = 1; id <= 5; id++) {
    pair.client.open(id)
    for (let count = 0; count < 20; count++) pair.client.writer.ping(0, ping)
  }
  pair.client.flush()
  await settled()
  expect(pair.server.state).toBe('open')
  expect(pair.client.told.filter((frame) => frame === 'ping')).toHaveLength(100)
  pair.client.writer.ping(0, ping)
  pair.client.flush()
  await settled()
  expect(pair.client.told.at(-1)).toBe('goaway 5 RATE_LIMITED')
})

it('A client that does not read what it asks for is dropped once too much of it waits', async () => {
  const pair = await greeted({
    capacity: 1_000,
    limits: { unsentBytesMax: 64 * 1024, messageBytesMax: 1024, streamsMax: 1 },
  })
  pair.pipes.server.held = true
  pair.client.open(1)
  for (let id = 2; id < 1_000; id++) {
    pair.client.open(id)
    if (id % 100 > 0) continue
    pair.client.flush()
    await settled()
  }
  expect(pair.server.state).toBe('closed')
  expect(pair.pipes.server.destroyed).toBe(true)
  expect(pair.told()[0]?.at(-1)).toBe('failed UNAVAILABLE')
})

it('The same holds where all that it asks for is answered with nothing', async () => {
  const pair = await greeted({
    capacity: 1_000,
    limits: { unsentBytesMax: 64 * 1024, messageBytesMax: 1024 },
    sink: (_, stream) => {
      const sink = new Recorder()
      sink.onMessage = () => stream.end()
      return sink
    },
  })
  pair.pipes.server.held = true
  for (let id = 1; id < 8_000; id++) {
    pair.client.open(id)
    if (id % 1_000 > 0) continue
    pair.client.flush()
    await settled()
  }
  expect(pair.server.state).toBe('closed')
  expect(pair.accepted.length).toBeLessThan(7_000)
})

it('Messages that are never finished take no more than their bound; the newest of them fails', async () => {
  const limits = { messageBytesMax: 32 * 1024, unfinishedBytesMax: 40 * 1024, streamWindow: 64 * 1024 }
  const pair = await greeted({ limits })
  for (let id = 1; id <= 3; id++) pair.client.open(id, Buffer.alloc(16 * 1024), frameFlag.more)
  pair.client.flush()
  await settled()
  expect(pair.client.told).toEqual(['hello', 'error 3 OVERLOADED'])
  for (let id = 1; id <= 2; id++) pair.client.writer.message(id, frameFlag.last, Buffer.alloc(1))
  pair.client.flush()
  await settled()
  expect(pair.told()).toEqual([['message 16385 last'], ['message 16385 last'], ['failed OVERLOADED']])
})

/** A sink that answers each message at once, as a handler without waiting does. */
function answering(stream: { send(body: Uint8Array, flags?: number): boolean }): Recorder {
  const sink = new Recorder()
  sink.onMessage = (body, flags) => {
    if ((flags & frameFlag.last) !== 0) stream.send(body, frameFlag.last)
  }
  return sink
}
