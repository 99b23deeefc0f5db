import { describe, expect, it } from 'vitest'
import { bodyOf, Pair, problem, Recorder } from '../../test/connection-rig.ts'
import { settled } from '../../test/pipes.ts'
import { compressedMessage, lastMessage } from './types.ts'

async function connectedPair(shape: ConstructorParameters<typeof Pair>[0] = {}): Promise<Pair> {
  const pair = new Pair(shape)
  await settled()
  expect(pair.told).toEqual(['connected'])
  return pair
}

describe('A unary call over a connection', () => {
  it('is one frame each way, and leaves nothing behind', async () => {
    const pair = await connectedPair()
    const { sink } = pair.open({ body: bodyOf('ping'), flags: lastMessage, metadata: { a: 'b' }, timeoutMs: 250 })
    await settled()
    const [{ opening, stream, sink: serverSink }] = pair.accepted as [(typeof pair.accepted)[0]]
    expect(opening).toMatchObject({ method: 'shop.Inventory/check', codec: 'application/json', timeoutMs: 250 })
    expect(opening.metadata).toEqual({ a: 'b' })
    expect(serverSink.told).toEqual(['message 4 last'])
    expect(stream.send(bodyOf('pong'), lastMessage)).toBe(true)
    await settled()
    expect(sink.told).toEqual(['message 4 last'])
    expect(sink.messages).toEqual(['pong'])
    expect(pair.client.busy).toBe(false)
    expect(pair.server.running).toBe(0)
  })

  it('fails once with the error that the server gives, and with its facts', async () => {
    const pair = await connectedPair()
    const { sink, stream } = pair.open({ body: bodyOf('ping'), flags: lastMessage })
    await settled()
    pair.accepted[0]?.stream.fail(problem('NOT_FOUND'))
    pair.accepted[0]?.stream.fail(problem('NOT_FOUND'))
    pair.accepted[0]?.stream.send(bodyOf('late'), lastMessage)
    await settled()
    expect(sink.told).toEqual(['failed NOT_FOUND'])
    expect(sink.error?.message).toBe('[NOT_FOUND] as the test wants it')
    stream.fail(problem('CANCELLED'))
    await settled()
    expect(sink.told).toHaveLength(1)
    expect(pair.server.running).toBe(0)
  })

  it('is cancelled on the server when the client gives up, which tells why', async () => {
    const pair = await connectedPair()
    const first = pair.open({ body: bodyOf('1'), flags: lastMessage })
    const second = pair.open({ body: bodyOf('2'), flags: lastMessage })
    await settled()
    first.stream.fail(problem('CANCELLED'))
    second.stream.fail(problem('DEADLINE_EXCEEDED'))
    await settled()
    expect(pair.accepted[0]?.sink.told.at(-1)).toBe('failed CANCELLED')
    expect(pair.accepted[1]?.sink.told.at(-1)).toBe('failed DEADLINE_EXCEEDED')
    expect(first.sink.told).toEqual([])
  })

  it('is refused with what the acceptor throws', async () => {
    const pair = await connectedPair({
      sink: ({ method }) => {
        throw method === 'a/b' ? problem('NOT_FOUND') : new TypeError('a bug')
      },
    })
    const known = pair.open({ method: 'a/b', body: bodyOf('x'), flags: lastMessage })
    const bug = pair.open({ method: 'c/d', body: bodyOf('x'), flags: lastMessage })
    await settled()
    expect(known.sink.told).toEqual(['failed NOT_FOUND'])
    expect(bug.sink.told).toEqual(['failed INTERNAL'])
    expect(pair.told).toEqual(['connected'])
  })

  it('leaves at the end of its turn, with the others of it; of many, the first leave before the last is made', async () => {
    const pair = await connectedPair()
    const { client: way } = pair.pipes
    for (let call = 0; call < 10; call++) pair.open({ body: bodyOf('x'), flags: lastMessage })
    expect(way.unsentBytes).toBe(0)
    await settled()
    for (let call = 0; call < 100; call++) pair.open({ body: bodyOf('x'), flags: lastMessage })
    expect(way.unsentBytes).toBeGreaterThan(0)
    await settled()
    expect(pair.accepted).toHaveLength(110)
  })

  it('may name more methods than the server remembers', async () => {
    const pair = await connectedPair()
    for (const method of ['a', 'b', 'c', 'd', 'c', 'a', 'd', 'b']) pair.open({ method })
    await settled()
    expect(pair.accepted.map(({ opening }) => opening.method).join('')).toBe('abcdcadb')
  })

  it('has a deadline that fits the wire, whatever its caller says', async () => {
    const pair = await connectedPair()
    for (const timeoutMs of [-5, 0.2, 2 ** 40, Number.POSITIVE_INFINITY]) pair.open({ timeoutMs })
    await settled()
    expect(pair.accepted.map(({ opening }) => opening.timeoutMs)).toEqual([0, 1, 2 ** 32 - 2, 2 ** 32 - 2])
  })

  it('is not sent where the server does not take its content type, or its metadata', async () => {
    const pair = await connectedPair()
    expect(() => pair.open({ codec: 'text/x' })).toThrow(/CAPABILITY_UNSUPPORTED/)
    expect(() => pair.open({ method: 'x'.repeat(256) })).toThrow(/INVALID_ARGUMENT/)
    expect(() => pair.open({ method: '' })).toThrow(/INVALID_ARGUMENT/)
    expect(() => pair.open({ metadata: { Upper: 'case' } })).toThrow(/INVALID_ARGUMENT/)
    expect(() => pair.open({ body: bodyOf('zip'), flags: lastMessage | compressedMessage })).toThrow(
      /CAPABILITY_UNSUPPORTED/,
    )
    pair.open({ codec: 'application/octet-stream' })
    await settled()
    expect(pair.accepted.map(({ opening, stream }) => [opening.codec, stream.id])).toEqual([
      ['application/octet-stream', 1],
    ])
  })
})

describe('A stream over a connection', () => {
  it('carries messages both ways and ends half by half', async () => {
    const pair = await connectedPair()
    const { stream, sink } = pair.open({ body: bodyOf('one') })
    await settled()
    const [accepted] = pair.accepted as [(typeof pair.accepted)[0]]
    stream.send(bodyOf('two'))
    accepted.stream.send(bodyOf('uno'))
    await settled()
    stream.end()
    stream.send(bodyOf('too late'))
    await settled()
    expect(accepted.sink.told).toEqual(['message 3', 'message 3', 'ended'])
    accepted.stream.send(bodyOf('due'))
    accepted.stream.end({ trailer: 'yes' })
    await settled()
    expect(sink.messages).toEqual(['uno', 'due'])
    expect(sink.told.at(-1)).toBe('ended')
    expect(sink.metadata).toEqual({ trailer: 'yes' })
    expect([pair.client.busy, pair.server.running]).toEqual([false, 0])
  })

  it('tells the server at once when it is opened without any message to come', async () => {
    const pair = await connectedPair()
    pair.open({ flags: lastMessage })
    await settled()
    expect(pair.accepted[0]?.sink.told).toEqual(['ended'])
  })

  it('takes a message larger than its window in pieces, with its flags', async () => {
    const pair = await connectedPair({ limits: small, compressAboveBytes: 0 })
    const large = 'x'.repeat(200_000)
    const { stream, sink } = pair.open()
    expect(stream.send(bodyOf(large), lastMessage | compressedMessage)).toBe(false)
    await settled(200)
    expect(pair.accepted[0]?.sink.told).toEqual(['message 200000 last compressed'])
    expect(pair.accepted[0]?.sink.messages[0]).toBe(large)
    pair.accepted[0]?.stream.send(bodyOf(large))
    pair.accepted[0]?.stream.end()
    await settled(200)
    expect(sink.told).toEqual(['message 200000', 'ended'])
  })

  it('does not hold up small calls while a large message is on its way', async () => {
    const pair = await connectedPair({ limits: { ...small, connectionWindow: 64 * 1024 } })
    const large = pair.open()
    large.stream.send(bodyOf('x'.repeat(500_000)), lastMessage)
    await settled(3)
    const call = pair.open({ body: bodyOf('quick'), flags: lastMessage })
    await settled(20)
    expect(pair.accepted[1]?.sink.messages).toEqual(['quick'])
    expect(pair.accepted[0]?.sink.messages).toEqual([])
    await settled(300)
    expect(pair.accepted[0]?.sink.messages[0]).toHaveLength(500_000)
    expect(call.sink.told).toEqual([])
  })

  it('stops the sender until the sink has consumed, and says when it may go on', async () => {
    const serverSink = new Recorder(true)
    const pair = await connectedPair({ limits: small, sink: () => serverSink })
    const { stream, sink } = pair.open()
    let sent = 0
    while (stream.send(bodyOf('x'.repeat(1_000)))) sent++
    await settled(50)
    expect(sent).toBe(16)
    expect(serverSink.messages).toHaveLength(16)
    expect(sink.told).toEqual([])
    for (let message = 0; message < 16; message++) pair.accepted[0]?.stream.consumed(1_000)
    await settled(50)
    expect(sink.told).toEqual(['writable'])
    expect(serverSink.messages).toHaveLength(17)
  })

  it('counts empty messages too, so that nobody can fill a slow sink with them', async () => {
    const serverSink = new Recorder(true)
    const pair = await connectedPair({ limits: small, sink: () => serverSink })
    const { stream } = pair.open()
    for (let message = 0; message < 1_000; message++) stream.send(bodyOf(''))
    await settled(50)
    expect(serverSink.messages).toHaveLength((16 * 1024) / 64)
    for (let message = 0; message < 1_000; message++) {
      pair.accepted[0]?.stream.consumed(0)
      await settled(1)
    }
    await settled(50)
    expect(serverSink.messages).toHaveLength(1_000)
  })

  it('does not hold up other streams with what its own sink has not consumed', async () => {
    const slow = new Recorder(true)
    const pair = await connectedPair({
      limits: { ...small, connectionWindow: 16 * 1024 },
      sink: ({ method }) => (method === 'slow' ? slow : new Recorder()),
    })
    const { stream } = pair.open({ method: 'slow' })
    while (stream.send(bodyOf('x'.repeat(1_000))));
    await settled(50)
    expect(slow.messages).toHaveLength(16)
    pair.open({ method: 'quick', body: bodyOf('x'.repeat(10_000)), flags: lastMessage })
    await settled(50)
    expect(pair.accepted[1]?.sink.told).toEqual(['message 10000 last'])
  })

  it('holds the whole connection up once too much has not been consumed, until it has', async () => {
    const slow: Recorder[] = []
    const pair = await connectedPair({
      limits: { ...small, connectionWindow: 16 * 1024, unconsumedBytesMax: 64 * 1024 },
      sink: () => {
        const sink = new Recorder(true)
        slow.push(sink)
        return sink
      },
    })
    for (let index = 0; index < 8; index++) {
      const { stream, sink } = pair.open()
      sink.onWritable = () => {
        while (stream.send(bodyOf('x'.repeat(1_024))));
      }
      sink.onWritable()
    }
    await settled(100)
    const taken = (): number => slow.reduce((sum, { messages }) => sum + messages.length, 0)
    expect(taken()).toBeLessThanOrEqual(64 + 16)
    for (const [index, { stream }] of pair.accepted.entries()) {
      for (let message = slow[index]?.messages.length ?? 0; message > 0; message--) stream.consumed(1_024)
    }
    await settled(100)
    expect(taken()).toBeGreaterThan(120)
  })

  it('fails with OVERLOADED when it goes on sending though it was told to wait', async () => {
    const pair = await connectedPair({
      limits: { ...small, messageBytesMax: 64 * 1024, unsentBytesMax: 64 * 1024 },
      sink: () => new Recorder(true),
    })
    const { stream, sink } = pair.open()
    const other = pair.open()
    for (let message = 0; message < 100; message++) stream.send(bodyOf('x'.repeat(1_000)))
    expect(sink.told).toEqual([])
    await settled()
    expect(sink.told).toEqual(['failed OVERLOADED'])
    expect(pair.accepted[0]?.sink.told.at(-1)).toBe('failed CANCELLED')
    other.stream.send(bodyOf('fine'), lastMessage)
    await settled()
    expect(pair.accepted[1]?.sink.messages).toEqual(['fine'])
  })

  it('fails with BODY_TOO_LARGE, alone, for a message that the server does not take', async () => {
    const pair = await connectedPair({ limits: { ...small, messageBytesMax: 20_000 } })
    expect(() => pair.open({ body: bodyOf('x'.repeat(20_001)) })).toThrow(/BODY_TOO_LARGE/)
    const { stream, sink } = pair.open()
    stream.send(bodyOf('x'.repeat(20_001)))
    await settled(50)
    expect(sink.told).toEqual(['failed BODY_TOO_LARGE'])
    expect(pair.accepted[0]?.sink.told).toEqual(['failed CANCELLED'])
  })

  it('fails with BODY_TOO_LARGE, alone, for a message that the client does not take', async () => {
    const clientLimits = { ...small, messageBytesMax: 20_000 }
    const pair = await connectedPair({ limits: small, clientLimits })
    const { sink } = pair.open({ flags: lastMessage })
    const other = pair.open({ flags: lastMessage })
    await settled()
    pair.accepted[0]?.stream.send(bodyOf('x'.repeat(20_001)), lastMessage)
    pair.accepted[1]?.stream.send(bodyOf('x'.repeat(20_000)), lastMessage)
    await settled(100)
    expect(sink.told).toEqual(['failed BODY_TOO_LARGE'])
    expect(other.sink.told).toEqual(['message 20000 last'])
    expect(pair.client.busy).toBe(false)
  })

  it('takes turns with others that wait, piece by piece, so that a shorter message is through first', async () => {
    const order: string[] = []
    const pair = await connectedPair({
      limits: { frameBytesMax: 16 * 1024, streamWindow: 512 * 1024 },
      sink: ({ method }) => {
        const sink = new Recorder()
        sink.onMessage = () => order.push(method)
        return sink
      },
    })
    for (const [method, bytes] of [['long', 400_000] as const, ['short', 40_000] as const]) {
      const { stream } = pair.open({ method })
      stream.send(bodyOf('x'.repeat(bytes)), lastMessage)
    }
    await settled(400)
    expect(order).toEqual(['short', 'long'])
  })

  it('may carry any number of large messages, one after the other, within the bound on unfinished ones', async () => {
    const bound = { messageBytesMax: 32 * 1024, unfinishedBytesMax: 32 * 1024, unsentBytesMax: 1 << 20 }
    const pair = await connectedPair({ limits: { ...small, ...bound } })
    const { stream, sink } = pair.open()
    for (let message = 0; message < 5; message++) stream.send(bodyOf('x'.repeat(30_000)))
    await settled(100)
    expect(pair.accepted[0]?.sink.told).toEqual(Array.from({ length: 5 }, () => 'message 30000'))
    expect(sink.error).toBeUndefined()
  })

  it('that ends gives back what its sink had not consumed', async () => {
    const limits = { ...small, connectionWindow: 16 * 1024, unconsumedBytesMax: 64 * 1024 }
    const pair = await connectedPair({ limits, sink: () => new Recorder(true) })
    for (let index = 0; index < 5; index++) {
      const { stream } = pair.open()
      stream.send(bodyOf('x'.repeat(16_000)), lastMessage)
      await settled()
    }
    const blocked = pair.open()
    blocked.stream.send(bodyOf('y'.repeat(16_000)), lastMessage)
    await settled()
    expect(pair.accepted.filter(({ sink }) => sink.messages.length === 1)).toHaveLength(5)
    for (const { stream } of pair.accepted.slice(0, 5)) stream.end()
    await settled()
    expect(pair.accepted[5]?.sink.told).toEqual(['message 16000 last'])
  })

  it('that is refused gives back what its message cost', async () => {
    const pair = await connectedPair({
      limits: { ...small, connectionWindow: 16 * 1024 },
      sink: () => {
        throw problem('NOT_FOUND')
      },
    })
    for (let index = 0; index < 20; index++) {
      const { sink } = pair.open({ body: bodyOf('x'.repeat(4_000)), flags: lastMessage })
      await settled()
      expect(sink.told).toEqual(['failed NOT_FOUND'])
    }
  })

  it('fails alone where its last metadata cannot be sent', async () => {
    const pair = await connectedPair()
    const { sink } = pair.open({ flags: lastMessage })
    await settled()
    pair.accepted[0]?.stream.end({ Wrong: 'case' })
    await settled()
    expect(sink.told).toEqual(['failed INVALID_ARGUMENT'])
    expect(pair.accepted[0]?.sink.told).toEqual(['ended', 'failed INVALID_ARGUMENT'])
  })
})

const small = { streamWindow: 16 * 1024, frameBytesMax: 16 * 1024 }
