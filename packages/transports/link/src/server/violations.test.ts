import { PosthasteError } from '@posthaste/contracts'
import { expect, it } from 'vitest'
import { Recorder } from '../../test/connection-rig.ts'
import { settled } from '../../test/pipes.ts'
import { RawPair } from '../../test/raw-pair.ts'
import { frameFlag } from '../wire/constants.ts'

/*
 * What clients must not do, and what becomes of them: each is told why, the streams it had fail as for any connection that
 * is lost, and nothing of the server's is held any more.
 */

const small = { streamWindow: 16 * 1024, frameBytesMax: 16 * 1024, connectionWindow: 16 * 1024 }

async function greeted(shape: ConstructorParameters<typeof RawPair>[0] = {}): Promise<RawPair> {
  const pair = new RawPair(shape)
  pair.client.greet()
  await settled()
  expect(pair.client.told).toEqual(['hello'])
  return pair
}

async function expectSentAway(pair: RawPair, goaway: string): Promise<void> {
  pair.client.flush()
  await settled()
  expect(pair.client.told.at(-1)).toBe(goaway)
  pair.pipes.client.end()
  await settled()
  expect(pair.serverGone).toBe(true)
  expect(pair.server.state).toBe('closed')
  for (const told of pair.told()) expect(told.at(-1)).toMatch(/failed UNAVAILABLE/)
}

it('A client that speaks something else is told that its preface is another', async () => {
  const pair = new RawPair()
  pair.pipes.client.write([Buffer.from('GET / HTTP/1.1\r\nHost: x\r\n\r\n')])
  await expectSentAway(pair, 'goaway 0 BODY_MALFORMED')
})

it('A client of a version of the future that speaks this one too is let in, another is told which version there is', async () => {
  const later = new RawPair()
  later.client.greet({ versions: [7, 1] })
  await settled()
  expect(later.client.told).toEqual(['hello'])
  const latest = new RawPair()
  latest.client.greet({ versions: [7, 8] })
  await expectSentAway(latest, 'goaway 0 UNIMPLEMENTED')
})

it('A client that sends on before it is answered is sent away', async () => {
  let letIn: (identity: { user: string }) => void = () => {}
  const pair = new RawPair({ authenticate: () => new Promise((resolve) => (letIn = resolve)) })
  pair.client.greet()
  pair.client.open(1)
  await expectSentAway(pair, 'goaway 0 FAILED_PRECONDITION')
  letIn({ user: 'late' })
  await settled()
  expect(pair.server.state).toBe('closed')
})

it('A client whom the server does not know is told so, whether the server had to think or not', async () => {
  const refusal = new PosthasteError('UNAUTHENTICATED', 'no such token')
  const once = new RawPair({
    authenticate: () => {
      throw refusal
    },
  })
  once.client.greet({ token: 'x' })
  await expectSentAway(once, 'goaway 0 UNAUTHENTICATED')
  const later = new RawPair({ authenticate: () => Promise.reject(refusal) })
  later.client.greet({ token: 'x' })
  await expectSentAway(later, 'goaway 0 UNAUTHENTICATED')
})

it('A stream that is opened out of order, or twice, ends the connection', async () => {
  const pair = await greeted()
  pair.client.open(5)
  pair.client.open(5)
  await expectSentAway(pair, 'goaway 5 FAILED_PRECONDITION')
})

it('A frame of a stream that was never opened ends the connection; of one that has ended it is passed over', async () => {
  const pair = await greeted()
  pair.client.open(1)
  pair.client.flush()
  await settled()
  pair.accepted[0]?.stream.send(Buffer.from('y'), frameFlag.last)
  await settled()
  pair.client.writer.message(1, 0, Buffer.from('late'))
  pair.client.writer.cancel(1, 0)
  pair.client.writer.credit(1, 5)
  pair.client.flush()
  await settled()
  expect(pair.server.state).toBe('open')
  pair.accepted.length = 0
  pair.client.writer.cancel(2, 0)
  await expectSentAway(pair, 'goaway 1 FAILED_PRECONDITION')
})

it('More than the credit of a stream ends the connection', async () => {
  const pair = await greeted({
    limits: { ...small, connectionWindow: 64 * 1024 },
    sink: () => new Recorder(true),
  })
  pair.client.open(1, undefined, 0)
  for (let message = 0; message < 17; message++) pair.client.writer.message(1, 0, Buffer.alloc(1_024))
  await expectSentAway(pair, 'goaway 1 FAILED_PRECONDITION')
})

it('More than the credit of the connection ends it, though it is spread over streams, or sent to none', async () => {
  const spread = await greeted({ limits: { ...small, unconsumedBytesMax: 64 * 1024 }, sink: () => new Recorder(true) })
  for (let id = 1; id <= 100; id++) spread.client.open(id, Buffer.alloc(1_000), 0)
  await expectSentAway(spread, 'goaway 79 FAILED_PRECONDITION')
  const dead = await greeted({ limits: small })
  dead.client.open(1)
  dead.client.flush()
  await settled()
  dead.accepted[0]?.stream.fail(new PosthasteError('NOT_FOUND', 'x'))
  await settled()
  for (let message = 0; message < 100; message++) dead.client.writer.message(1, 0, Buffer.alloc(1_000))
  dead.client.flush()
  await settled()
  // Of a stream that is over nothing is held, so that the connection's credit comes back at once.
  expect(dead.server.state).toBe('open')
  expect(dead.client.told).toContain('credit')
})

it('Credit above what a window can be, or of nothing, ends the connection', async () => {
  const much = await greeted()
  much.client.writer.credit(0, 0x7fff_ffff)
  await expectSentAway(much, 'goaway 0 FAILED_PRECONDITION')
  const nothing = await greeted()
  nothing.client.writer.credit(0, 0)
  await expectSentAway(nothing, 'goaway 0 BODY_MALFORMED')
})

it('A frame larger than the server takes ends the connection, before its payload has come', async () => {
  const pair = await greeted({ limits: small })
  pair.client.bytes(0x00, 0x40, 0x01, 0x02, 0x00, 0, 0, 0, 1)
  await expectSentAway(pair, 'goaway 0 BODY_TOO_LARGE')
})

it('A number of a method that has no name, a number beyond the table, and a codec that was not offered, each end the connection', async () => {
  const opening = { timeoutMs: undefined, metadata: {}, body: undefined }
  const unnamed = await greeted()
  unnamed.client.writer.open(1, 0, { ...opening, method: 1, name: undefined, codec: 0 })
  await expectSentAway(unnamed, 'goaway 0 FAILED_PRECONDITION')
  const many = await greeted()
  many.client.writer.open(1, 0, { ...opening, method: 2, name: 'third', codec: 0 })
  await expectSentAway(many, 'goaway 0 FAILED_PRECONDITION')
  const codec = await greeted()
  codec.client.writer.open(1, 0, { ...opening, method: 0, name: 'a', codec: 9 })
  await expectSentAway(codec, 'goaway 0 BODY_MALFORMED')
})

it('A stream that goes on after its end, or ends within a message, ends the connection', async () => {
  const after = await greeted()
  after.client.open(1)
  after.client.writer.message(1, 0, Buffer.from('more'))
  await expectSentAway(after, 'goaway 1 FAILED_PRECONDITION')
  const twice = await greeted()
  twice.client.open(1)
  twice.client.writer.end(1)
  await expectSentAway(twice, 'goaway 1 FAILED_PRECONDITION')
  const within = await greeted()
  within.client.open(1, Buffer.from('piece'), frameFlag.more)
  within.client.writer.end(1)
  await expectSentAway(within, 'goaway 1 FAILED_PRECONDITION')
})

it('A client that compresses though that was not agreed on is sent away before anything is decompressed', async () => {
  const pair = await greeted()
  pair.client.open(1, Buffer.from('x'), frameFlag.last | frameFlag.compressed)
  await expectSentAway(pair, 'goaway 1 FAILED_PRECONDITION')
  expect(pair.told()).toEqual([['failed UNAVAILABLE']])
})
