import { describe, expect, it } from 'vitest'
import { bodyOf, Pair, problem, Recorder } from '../../test/connection-rig.ts'
import { settled } from '../../test/pipes.ts'
import { RawPair } from '../../test/raw-pair.ts'
import { frameFlag } from '../wire/constants.ts'
import { lastMessage } from './types.ts'

async function connected(shape: ConstructorParameters<typeof Pair>[0] = {}): Promise<Pair> {
  const pair = new Pair(shape)
  await settled()
  return pair
}

/** Lets time pass as sweepers do. */
async function pass(pair: Pair, ms: number, stepMs = 500): Promise<void> {
  for (let passed = 0; passed < ms; passed += stepMs) {
    await pair.clock.advance(stepMs)
    pair.client.sweep(pair.clock.monotonicMs())
    pair.server.sweep(pair.clock.monotonicMs())
    await settled(5)
  }
}

describe('HELLO', () => {
  it('tells each side what the other takes, and who it is', async () => {
    const pair = await connected({
      limits: { streamsMax: 7, messageBytesMax: 9_999 },
      token: 'secret',
      compressAboveBytes: 10,
      authenticate: ({ token, address }) => ({ user: `${token} at ${address}`, grants: ['a'] }),
    })
    expect(pair.terms).toEqual({
      agent: 'test',
      codecs: ['application/json', 'application/protobuf'],
      compression: 'gzip',
      compressAboveBytes: 10,
      messageBytesMax: 9_999,
      metadataBytesMax: 16_384,
      streamsMax: 7,
    })
    pair.open({ flags: lastMessage })
    await settled()
    expect(pair.accepted[0]?.opening.peer).toMatchObject({
      user: 'secret at 127.0.0.1',
      grants: ['a'],
      compressAboveBytes: 10,
    })
  })

  it('that the server refuses tells the client why', async () => {
    const pair = await connected({ authenticate: () => Promise.reject(problem('NOT_FOUND')) })
    expect(pair.told).toEqual(['gone NOT_FOUND'])
    expect(pair.serverGone).toBe(true)
  })

  it('that does not come in time ends the connection', async () => {
    const raw = new RawPair({ limits: { handshakeMs: 5_000 } })
    raw.pipes.client.write([Buffer.from('PHLI')])
    await raw.pass(5_000)
    expect(raw.client.closed).toBe(false)
    await raw.pass(200)
    expect(raw.client.closed).toBe(true)
    expect(raw.serverGone).toBe(true)
  })
})

describe('Keepalive', () => {
  it('asks after silence, and is content with an answer', async () => {
    const pair = await connected({ limits: { keepaliveMs: 10_000 } })
    await pass(pair, 120_000)
    expect(pair.told).toEqual(['connected'])
    expect(pair.server.state).toBe('open')
  })

  it('follows the server where it wants to be asked more often', async () => {
    const pair = await connected({ limits: { keepaliveMs: 1_000 }, clientLimits: { keepaliveMs: 60_000 } })
    pair.pipes.server.held = true
    await pass(pair, 7_000)
    expect(pair.told).toEqual(['connected', 'gone UNAVAILABLE'])
  })

  it('gives up a side that does not answer, and fails its streams once', async () => {
    const pair = await connected({ limits: { keepaliveMs: 10_000, keepaliveTimeoutMs: 5_000 } })
    const { sink } = pair.open({ body: bodyOf('x'), flags: lastMessage })
    await settled()
    pair.pipes.client.held = true
    pair.pipes.server.held = true
    await pass(pair, 14_500)
    expect(sink.told).toEqual([])
    await pass(pair, 1_500)
    expect(sink.told).toEqual(['failed UNAVAILABLE'])
    expect(pair.accepted[0]?.sink.told.at(-1)).toBe('failed UNAVAILABLE')
    expect([pair.told.at(-1), pair.serverGone]).toEqual(['gone UNAVAILABLE', true])
  })
})

describe('A peer that stalls', () => {
  it('in the middle of a frame is sent away (slow loris), however it dribbles', async () => {
    const raw = new RawPair({ limits: { stallMs: 30_000 } })
    raw.client.greet()
    await settled()
    raw.client.bytes(0, 4, 0, 2, 0, 0, 0, 0, 1)
    for (let second = 0; second < 29; second++) {
      raw.client.bytes(65)
      await raw.pass(1_000)
    }
    expect(raw.server.state).toBe('open')
    raw.client.bytes(65)
    await raw.pass(3_000)
    await settled()
    expect(raw.client.told.at(-1)).toBe('goaway 0 UNAVAILABLE')
    expect(raw.server.state).not.toBe('open')
  })

  it('with a frame now and then is not', async () => {
    const raw = new RawPair({ limits: { stallMs: 30_000 } })
    raw.client.greet()
    await settled()
    for (let second = 0; second < 60; second++) {
      const frame = [0, 0, 8, 7, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8]
      const half = second % 2 === 0 ? frame.slice(0, 5) : frame.slice(5)
      raw.client.bytes(...half)
      await raw.pass(1_000)
    }
    expect(raw.server.state).toBe('open')
  })

  it('and reads nothing of what waits for it is dropped, and its streams fail', async () => {
    const raw = new RawPair({ capacity: 10_000, limits: { stallMs: 30_000, keepaliveMs: 3_600_000 } })
    raw.client.greet()
    await settled()
    raw.client.open(1)
    raw.client.flush()
    await settled()
    raw.pipes.server.held = true
    expect(raw.accepted[0]?.stream.send(Buffer.alloc(20_000))).toBe(true)
    await settled()
    expect(raw.accepted[0]?.stream.send(Buffer.alloc(20_000))).toBe(false)
    await raw.pass(29_000)
    expect(raw.server.state).toBe('open')
    await raw.pass(2_000)
    expect(raw.pipes.server.destroyed).toBe(true)
    expect(raw.told()[0]).toEqual(['message 1 last', 'failed UNAVAILABLE'])
  })
})

describe('GOAWAY', () => {
  it('of the server lets the streams that run end, then both sides close', async () => {
    const pair = await connected()
    const { sink } = pair.open({ body: bodyOf('x'), flags: lastMessage })
    await settled()
    pair.server.drain()
    await settled()
    expect(pair.told).toEqual(['connected', 'leaving orderly'])
    expect(pair.client.hasRoom).toBe(false)
    pair.accepted[0]?.stream.send(bodyOf('y'), lastMessage)
    await settled()
    expect(sink.told).toEqual(['message 1 last'])
    expect([pair.told.at(-1), pair.serverGone]).toEqual(['gone UNAVAILABLE', true])
  })

  it('gives back the streams that crossed it, with all that they had said, and the server has not seen them', async () => {
    const pair = await connected()
    pair.open({ body: bodyOf('x'), flags: lastMessage })
    await settled()
    pair.server.drain()
    const unary = pair.open({ body: bodyOf('call'), flags: lastMessage })
    const chat = pair.open({ body: bodyOf('one') })
    chat.stream.send(bodyOf('two'))
    chat.stream.end({ three: '3' })
    await settled()
    expect(pair.accepted).toHaveLength(1)
    expect(pair.movedStreams).toEqual([unary.stream, chat.stream])
    const next = await connected()
    for (const stream of pair.movedStreams) next.client.open(stream, next.clock.monotonicMs())
    await settled()
    expect(next.accepted.map(({ sink }) => sink.messages)).toEqual([['call'], ['one', 'two']])
    expect(next.accepted[1]?.sink.metadata).toEqual({ three: '3' })
    next.accepted[0]?.stream.send(bodyOf('answer'), lastMessage)
    await settled()
    expect(unary.sink.told).toEqual(['message 6 last'])
    expect(chat.sink.told).toEqual([])
  })

  it('takes from the time of a stream that moves what it has waited already', async () => {
    const pair = await connected()
    pair.server.drain()
    const { stream } = pair.open({ flags: lastMessage, timeoutMs: 1_000 })
    await settled()
    expect(pair.movedStreams).toEqual([stream])
    const next = await connected()
    next.client.open(stream, pair.clock.monotonicMs() + 900)
    await settled()
    expect(next.accepted[0]?.opening.timeoutMs).toBe(100)
  })

  it('lets go, wherever it is by then, of a stream that moves while it fails for having sent too much', async () => {
    const pair = await connected({ clientLimits: { unsentBytesMax: 64 * 1024, messageBytesMax: 1024 } })
    const next = await connected()
    pair.moved = (stream) => next.client.open(stream, 0)
    pair.server.drain()
    const { stream, sink } = pair.open()
    stream.send(bodyOf('x'.repeat(300_000)))
    await settled()
    expect(sink.told).toEqual(['failed OVERLOADED'])
    expect(next.accepted.map((each) => each.sink.told.at(-1))).toEqual(['failed CANCELLED'])
    expect([next.client.busy, next.server.running]).toEqual([false, 1])
  })

  it('gives back a stream whose large message was half sent, whole', async () => {
    const limits = { streamWindow: 16 * 1024, frameBytesMax: 16 * 1024 }
    const pair = await connected({ limits })
    pair.server.drain()
    const { stream } = pair.open()
    stream.send(bodyOf('x'.repeat(100_000)), lastMessage)
    await settled()
    expect(pair.movedStreams).toEqual([stream])
    const next = await connected({ limits })
    next.client.open(stream, next.clock.monotonicMs())
    await settled(100)
    expect(next.accepted[0]?.sink.told).toEqual(['message 100000 last'])
  })

  it('leaves the streams that stay to go on, though others waited with them for credit', async () => {
    const limits = { streamWindow: 16 * 1024, frameBytesMax: 16 * 1024, connectionWindow: 16 * 1024 }
    const pair = await connected({ limits })
    const [first, second] = [pair.open(), pair.open()]
    await settled()
    pair.server.drain()
    second.stream.send(bodyOf('x'.repeat(16_384)))
    first.stream.send(bodyOf('x'.repeat(20_000)), lastMessage)
    const goes = pair.open()
    goes.stream.send(bodyOf('x'.repeat(20_000)), lastMessage)
    await settled(2)
    expect(pair.movedStreams).toEqual([goes.stream])
    second.stream.send(bodyOf('x'.repeat(20_000)), lastMessage)
    await settled(50)
    expect(pair.accepted.map(({ sink }) => sink.told)).toEqual([
      ['message 20000 last'],
      ['message 16384', 'message 20000 last'],
    ])
  })

  it('is followed by failure for what still runs when the grace is over', async () => {
    const pair = await connected()
    const { sink } = pair.open({ body: bodyOf('x') })
    await settled()
    pair.server.drain()
    await settled()
    pair.server.stop()
    await settled()
    expect(sink.told).toEqual(['failed UNAVAILABLE'])
    expect(sink.error?.message).toMatch(/shutting down/)
    expect(pair.accepted[0]?.sink.told.at(-1)).toBe('failed UNAVAILABLE')
    expect([pair.told.at(-1), pair.serverGone]).toEqual(['gone UNAVAILABLE', true])
  })

  it('of the client lets its streams end, and cancels those that do not when it stops', async () => {
    const pair = await connected()
    const ends = pair.open({ body: bodyOf('x'), flags: lastMessage })
    const stays = pair.open({ body: bodyOf('x') })
    await settled()
    pair.client.drain()
    pair.accepted[0]?.stream.send(bodyOf('y'), lastMessage)
    await settled()
    expect(ends.sink.told).toEqual(['message 1 last'])
    expect(pair.serverGone).toBe(false)
    pair.client.stop()
    await settled()
    expect(stays.sink.told).toEqual(['failed UNAVAILABLE'])
    expect(pair.accepted[1]?.sink.told.at(-1)).toBe('failed CANCELLED')
    expect([pair.told.at(-1), pair.serverGone]).toEqual(['gone UNAVAILABLE', true])
  })
})

describe('A server that drains', () => {
  /** Has answered a client that reads nothing, and waits to close. */
  async function closing(): Promise<RawPair> {
    const raw = new RawPair({ limits: { stallMs: 30_000 } })
    raw.client.greet()
    await settled()
    raw.client.open(1)
    raw.client.flush()
    await settled()
    raw.pipes.server.held = true
    raw.accepted[0]?.stream.send(Buffer.alloc(60_000), lastMessage)
    raw.server.drain()
    await settled()
    expect(raw.server.state).toBe('closing')
    return raw
  }

  it('waits with its end for a client that reads its last answer slowly', async () => {
    const raw = await closing()
    for (let second = 0; second < 60; second += 20) {
      raw.pipes.server.trickle(1_000)
      await raw.pass(20_000)
    }
    expect(raw.pipes.server.destroyed).toBe(false)
    raw.pipes.server.release()
    await settled()
    expect(raw.client.told).toContain('message 1')
    expect([raw.client.closed, raw.pipes.server.destroyed]).toEqual([true, false])
  })

  it('waits no longer than its patience is, however the client reads', async () => {
    const raw = await closing()
    raw.pipes.server.trickle(1_000)
    await raw.pass(10_000)
    raw.server.stop()
    raw.pipes.server.trickle(1_000)
    await raw.pass(200)
    expect([raw.pipes.server.destroyed, raw.serverGone]).toEqual([true, true])
  })

  it('drops a client that reads nothing of it', async () => {
    const raw = await closing()
    await raw.pass(29_000)
    expect(raw.pipes.server.destroyed).toBe(false)
    await raw.pass(2_000)
    expect(raw.pipes.server.destroyed).toBe(true)
  })

  it('drops a client that was sent everything, does not close, and is silent', async () => {
    const raw = await closing()
    raw.pipes.server.trickle(100_000)
    await raw.pass(14_000)
    raw.client.bytes(0)
    await raw.pass(14_000)
    expect(raw.pipes.server.destroyed).toBe(false)
    await raw.pass(2_000)
    expect(raw.pipes.server.destroyed).toBe(true)
  })
})

describe('A connection that is lost', () => {
  it('fails every stream once, and says so of those that never left that they did not', async () => {
    const pair = await connected()
    const sent = pair.open({ body: bodyOf('x'), flags: lastMessage })
    await settled()
    const unsent = pair.open({ body: bodyOf('y'), flags: lastMessage })
    pair.client.closed(new Error('ECONNRESET'))
    await settled()
    expect(sent.sink.told).toEqual(['failed UNAVAILABLE'])
    expect(unsent.sink.told).toEqual(['failed UNAVAILABLE not sent'])
    expect(sent.sink.error?.message).toContain('ECONNRESET')
    sent.stream.fail(problem('CANCELLED'))
    sent.stream.send(bodyOf('z'))
    expect(sent.sink.told).toHaveLength(1)
  })

  it('does not say that a stream was not sent which leaves with the farewell', async () => {
    const pair = await connected()
    const { sink } = pair.open({ body: bodyOf('x'), flags: lastMessage })
    pair.client.broken(new TypeError('a bug'))
    expect(sink.told).toEqual(['failed UNAVAILABLE'])
    await settled()
    expect(pair.accepted).toHaveLength(1)
  })

  it('is what becomes of one whose sink throws, and the others are told', async () => {
    const bad = new Recorder()
    bad.onMessage = () => {
      throw new TypeError('a bug')
    }
    const pair = await connected({ sink: ({ method }) => (method === 'bad' ? bad : new Recorder()) })
    const good = pair.open({ method: 'good', body: bodyOf('x'), flags: lastMessage })
    pair.open({ method: 'bad', body: bodyOf('x'), flags: lastMessage })
    await settled()
    expect(good.sink.told).toEqual(['failed UNAVAILABLE'])
    expect(pair.told).toContain('leaving INTERNAL')
    expect(pair.log.entries.some(({ level }) => level === 'warn')).toBe(true)
  })

  it('by a server that sends what is not allowed is ended by the client', async () => {
    const pair = await connected()
    const { sink } = pair.open({ body: bodyOf('x'), flags: lastMessage })
    await settled()
    // MESSAGE on stream 99, which was never opened.
    pair.pipes.server.write([Uint8Array.from([0, 0, 1, 2, frameFlag.last, 0, 0, 0, 99, 65])])
    await settled()
    expect(sink.told).toEqual(['failed UNAVAILABLE'])
    expect(pair.told.at(-1)).toBe('gone UNAVAILABLE')
    expect(pair.serverGone).toBe(true)
  })
})
