import { createServer } from 'node:net'
import { PosthasteError } from '@posthaste/contracts'
import { manualClock, silentLog } from 'posthaste/testing'
import { describe, expect, it, onTestFinished } from 'vitest'
import { Recorder } from '../../test/connection-rig.ts'
import { call, client, echo, serve, stateOf, stay, until } from '../../test/sockets.ts'
import type { DialerState } from '../connection/options.ts'
import type { StreamAcceptor } from '../connection/types.ts'

function enough(): PosthasteError {
  return new PosthasteError('CANCELLED', 'enough')
}

/** An echo that ends its side of a stream that the client gave up, as whoever accepts streams must. */
const endingWhenFailed: StreamAcceptor = (opening, stream) => {
  const sink = echo(opening, stream) as Recorder
  return {
    message: (body, flags) => sink.message(body, flags),
    ended: () => {},
    failed: (error) => stream.fail(error),
    writable: () => {},
  }
}

/** A port where nobody listens. */
async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  await new Promise((resolve) => server.close(resolve))
  return port
}

describe('A dialer', () => {
  it('connects at first use, and streams that were opened meanwhile wait and go out in order', async () => {
    const seen: string[] = []
    const listener = await serve({}, ({ method }, stream) => {
      seen.push(method)
      return echo({ method, peer: {} } as never, stream)
    })
    const dialer = client({ url: listener.url })
    expect([dialer.state, dialer.terms]).toEqual(['idle', undefined])
    const chat = stay(dialer)
    expect(chat.stream.send(Buffer.from('second'))).toBe(false)
    const answers = [call(dialer, 'a', { method: 'one' }), call(dialer, 'b', { method: 'two' })]
    expect(dialer.state).toBe('connecting')
    expect(await Promise.all(answers)).toEqual(['a', 'b'])
    await until(() => chat.sink.messages.length === 2)
    expect(chat.sink.messages).toEqual(['hello', 'second'])
    expect(seen).toEqual(['echo', 'one', 'two'])
    expect(dialer.state).toBe('connected')
    expect(dialer.terms?.codecs).toEqual(['application/json'])
  })

  it('stays away for an hour at most, however long the server asks it to', async () => {
    let asked = 0
    const listener = await serve({
      authenticate: () => {
        asked++
        throw new PosthasteError('RATE_LIMITED', 'too many', { retryAfterMs: 2 ** 40 })
      },
    })
    const clock = manualClock()
    const dialer = client({ url: listener.url }, { clock, log: silentLog, random: () => 0.5 })
    await expect(dialer.ready()).rejects.toMatchObject({ code: 'RATE_LIMITED' })
    await clock.advance(3_599_999)
    expect(dialer.state).toBe('lost')
    await clock.advance(1)
    await until(() => asked === 2)
  })

  it('fails what waits when the attempt fails, and everything at once until the next, all of it not sent', async () => {
    const clock = manualClock()
    const port = await freePort()
    const dialer = client({ url: `link://127.0.0.1:${port}` }, { clock, log: silentLog, random: () => 0.5 })
    const states: DialerState[] = []
    dialer.onState((state) => states.push(state))
    await expect(call(dialer, 'x')).rejects.toMatchObject({ code: 'UNAVAILABLE', notSent: true })
    expect(dialer.state).toBe('lost')
    await expect(call(dialer, 'x')).rejects.toMatchObject({ code: 'UNAVAILABLE', notSent: true })
    await expect(dialer.ready()).rejects.toThrow(/ECONNREFUSED/)
    // Half of 50 ms, then half of 100 ms, and so on.
    const attempts = (): number => states.filter((state) => state === 'connecting').length
    for (const [index, waitMs] of [25, 50, 100].entries()) {
      await clock.advance(waitMs - 1)
      expect(attempts()).toBe(index + 1)
      await clock.advance(1)
      expect(attempts()).toBe(index + 2)
      await stateOf(dialer, 'lost')
    }
    await serve({ port })
    await clock.advance(200)
    await stateOf(dialer, 'connected')
    expect(await call(dialer, 'back')).toBe('back')
    expect(states.slice(0, 4)).toEqual(['connecting', 'lost', 'connecting', 'lost'])
  })

  it('reports a stream that was running when the server was killed, once, and connects anew', async () => {
    const first = await serve()
    const dialer = client({ url: first.url })
    const { sink } = stay(dialer)
    await until(() => sink.messages.length === 1)
    await first.drain(0)
    await until(() => sink.error !== undefined)
    expect(sink.told).toEqual(['message 5', 'failed UNAVAILABLE'])
    await serve({ port: Number(new URL(first.url).port) })
    await stateOf(dialer, 'connected')
    expect(await call(dialer, 'again')).toBe('again')
  })

  it('has calls wait for the next server after one that said it goes, but not for ever', async () => {
    const clock = manualClock()
    const first = await serve()
    const port = Number(new URL(first.url).port)
    const dialer = client({ url: first.url, handoverMs: 2_000 }, { clock, log: silentLog, random: () => 0.5 })
    const attempts: DialerState[] = []
    dialer.onState((state) => attempts.push(state))
    await dialer.ready()
    await clock.advance(5_000)
    await first.drain(1_000)
    await stateOf(dialer, 'connecting')
    const patient = call(dialer, 'patient')
    // The first attempts fail, for there is no server.
    for (let tick = 0; tick < 5; tick++) await clock.advance(60)
    expect(dialer.state).toBe('connecting')
    const second = await serve({ port })
    for (let tick = 0; dialer.state !== 'connected' && tick < 50; tick++) await clock.advance(40)
    expect(await patient).toBe('patient')
    expect(attempts).toEqual(['connecting', 'connected', 'connecting', 'connected'])
    await second.drain(1_000)
    await stateOf(dialer, 'connecting')
    const impatient = expect(call(dialer, 'x')).rejects.toMatchObject({ code: 'UNAVAILABLE', notSent: true })
    for (let tick = 0; dialer.state !== 'lost' && tick < 60; tick++) {
      await clock.advance(50)
      await until(() => clock.pending() > 0)
    }
    await impatient
  })

  it('asks for its token at each connect', async () => {
    const tokens: (string | undefined)[] = []
    const authenticate = ({ token }: { token: string | undefined }) => {
      tokens.push(token)
      return { user: 'a' }
    }
    const first = await serve({ authenticate })
    let next = 1
    const dialer = client({ url: first.url, token: () => Promise.resolve(`token ${next++}`) })
    await dialer.ready()
    await first.drain(0)
    await serve({ port: Number(new URL(first.url).port), authenticate })
    await until(() => tokens.length === 2)
    expect(tokens).toEqual(['token 1', 'token 2'])
  })

  it('has streams wait for a place on the connection, and refuses those beyond its queue', async () => {
    const listener = await serve({ streamsMax: 2 }, endingWhenFailed)
    const dialer = client({ url: listener.url, waitingMax: 3 })
    await dialer.ready()
    const running = [stay(dialer), stay(dialer)]
    await until(() => running.every(({ sink }) => sink.messages.length === 1))
    const waiting = ['a', 'b', 'c'].map((text) => call(dialer, text))
    await expect(call(dialer, 'd')).rejects.toMatchObject({ code: 'OVERLOADED', notSent: true })
    for (const { stream } of running) stream.fail(enough())
    expect(await Promise.all(waiting)).toEqual(['a', 'b', 'c'])
  })

  it('forgets a stream that gives up while it waits', async () => {
    const listener = await serve()
    const dialer = client({ url: listener.url })
    const { stream, sink } = stay(dialer)
    stream.fail(enough())
    expect(await call(dialer, 'next')).toBe('next')
    expect(sink.told).toEqual([])
  })

  it('refuses a stream that the server does not take, without harm to the others', async () => {
    const listener = await serve({ messageBytesMax: 2_000 })
    const dialer = client({ url: listener.url })
    const wrong = [
      call(dialer, 'x', { codec: 'text/none' }),
      call(dialer, 'x'.repeat(2_001)),
      call(dialer, 'x', { metadata: { Upper: 'case' } }),
    ]
    const codes = await Promise.all(wrong.map((outcome) => outcome.catch((error) => [error.code, error.notSent])))
    expect(codes).toEqual([
      ['CAPABILITY_UNSUPPORTED', true],
      ['BODY_TOO_LARGE', true],
      ['INVALID_ARGUMENT', true],
    ])
    expect(await call(dialer, 'right')).toBe('right')
  })

  it('gives up an attempt that takes too long', async () => {
    const clock = manualClock()
    const silent = createServer((socket) => socket.resume().on('error', () => {}))
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve))
    onTestFinished(() => void silent.close())
    const { port } = silent.address() as { port: number }
    const dialer = client({ url: `link://127.0.0.1:${port}`, handshakeMs: 1_000 }, { clock, log: silentLog })
    const ready = dialer.ready()
    ready.catch(() => {})
    for (let tick = 0; tick < 10 && dialer.state !== 'lost'; tick++) {
      await until(() => clock.pending() > 0)
      await clock.advance(1_000)
    }
    await expect(ready).rejects.toThrow(/UNAVAILABLE/)
  })

  it('does not wait for a server that says nothing when it closes', async () => {
    const clock = manualClock()
    const mute = createServer({ pauseOnConnect: true, allowHalfOpen: true }, (socket) => socket.on('error', () => {}))
    await new Promise<void>((resolve) => mute.listen(0, '127.0.0.1', resolve))
    onTestFinished(() => void mute.close())
    let accepted = false
    mute.on('connection', () => {
      accepted = true
    })
    const { port } = mute.address() as { port: number }
    const dialer = client({ url: `link://127.0.0.1:${port}` }, { clock, log: silentLog })
    const outcome = expect(call(dialer, 'x')).rejects.toMatchObject({ code: 'UNAVAILABLE', notSent: true })
    await until(() => accepted)
    for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve))
    const closing = dialer.close()
    await outcome
    await clock.advance(250)
    await closing
    expect(dialer.state).toBe('closed')
  })

  it('closes for good: what waits and what runs is told, and so is whoever comes later', async () => {
    const listener = await serve()
    const dialer = client({ url: listener.url })
    const { sink } = stay(dialer)
    await until(() => sink.messages.length === 1)
    const closing = dialer.close(60_000)
    expect(dialer.state).toBe('closed')
    await expect(call(dialer, 'late')).rejects.toMatchObject({ code: 'UNAVAILABLE', notSent: true })
    await expect(dialer.ready()).rejects.toThrow(/closed/)
    expect(sink.error).toBeUndefined()
    await dialer.close()
    await closing
    expect(sink.told.at(-1)).toBe('failed UNAVAILABLE')
    await until(() => listener.connections === 0)
    const unused = client({ url: listener.url })
    await unused.close()
    const waiting = client({ url: listener.url })
    const outcome = call(waiting, 'x')
    await waiting.close()
    await expect(outcome).rejects.toMatchObject({ code: 'UNAVAILABLE', notSent: true })
  })

  it('tells the sink of a stream never before open has returned', async () => {
    const dialer = client({ url: `link://127.0.0.1:${await freePort()}` })
    await expect(dialer.ready()).rejects.toThrow()
    const sink = new Recorder()
    dialer.open({ method: 'a', metadata: {}, codec: 'application/json' }, sink)
    expect(sink.told).toEqual([])
    await Promise.resolve()
    expect(sink.told).toEqual(['failed UNAVAILABLE not sent'])
  })
})
