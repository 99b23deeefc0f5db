import { once } from 'node:events'
import { type ManualClock, manualClock, silentLog } from 'posthaste/testing'
import { expect, it } from 'vitest'
import { RawClient } from '../../test/raw-client.ts'
import { call, client, echo, rawSocket, serve, until } from '../../test/sockets.ts'
import type { LinkListener, ListenOptions } from '../connection/options.ts'
import { cancelReason, frameFlag } from '../wire/constants.ts'

/*
 * Attacks over real sockets: in each, the attacker is gone in the end, and a client that keeps to the rules is served all
 * the while.
 */

interface Siege {
  readonly listener: LinkListener
  readonly clock: ManualClock
  /** A call of the client that keeps to the rules. */
  readonly served: (text: string) => Promise<void>
}

async function siege(options: Partial<ListenOptions> = {}): Promise<Siege> {
  const clock = manualClock()
  const listener = await serve({ keepaliveMs: 3_600_000, ...options }, echo, { clock, log: silentLog })
  const dialer = client({ url: listener.url })
  const served = async (text: string): Promise<void> => {
    expect(await call(dialer, text)).toBe(text)
  }
  await served('before')
  return { listener, clock, served }
}

async function attacker(
  url: string,
  greets = true,
): Promise<{ raw: RawClient; closed: () => boolean; gone: Promise<unknown> }> {
  const socket = await rawSocket(url)
  let closed = false
  const gone = once(socket, 'close').then(() => {
    closed = true
  })
  const raw = new RawClient((bytes) => socket.write(bytes))
  socket.on('data', (chunk) => raw.received(chunk))
  if (greets) {
    raw.greet()
    await until(() => raw.told.length === 1)
  }
  return { raw, closed: () => closed, gone }
}

it('Slow loris: a frame that comes byte by byte, and a HELLO that does, are given up', async () => {
  const { listener, clock, served } = await siege({ stallMs: 30_000, handshakeMs: 5_000 })
  const slow = await attacker(listener.url)
  const mute = await attacker(listener.url, false)
  mute.raw.bytes(80, 72)
  slow.raw.bytes(0, 16, 0, 2, 0, 0)
  for (let second = 0; second < 40 && !slow.closed(); second++) {
    slow.raw.bytes(0)
    await clock.advance(1_000)
    if (second === 10) {
      await mute.gone
      await served('meanwhile')
    }
  }
  await slow.gone
  expect(slow.raw.told.at(-1)).toBe('goaway 0 UNAVAILABLE')
  await served('after')
})

it('Rapid reset: streams that are opened to be cancelled end the connection', async () => {
  const { listener, served } = await siege()
  const { raw, gone } = await attacker(listener.url)
  for (let id = 1; id <= 1_100; id++) {
    raw.open(id, Buffer.from('work'), 0)
    raw.writer.cancel(id, cancelReason.givenUp)
  }
  raw.flush()
  await gone
  expect(raw.told.at(-1)).toMatch(/^goaway \d+ RATE_LIMITED$/)
  await served('after')
})

it('Window exhaustion: a client that asks for much and never reads is dropped, and the server keeps within bounds', async () => {
  const { listener, clock, served } = await siege({
    stallMs: 10_000,
    messageBytesMax: 1 << 20,
    unsentBytesMax: 4 << 20,
  })
  const socket = await rawSocket(listener.url)
  const gone = once(socket, 'close')
  const raw = new RawClient((bytes) => socket.write(bytes))
  // All the credit there is, so that only the socket itself holds the server back.
  raw.greet({ connectionWindow: 2 ** 31 - 1, streamWindow: 2 ** 31 - 1 })
  await once(socket, 'readable')
  for (let id = 1; id <= 200; id++) raw.open(id, Buffer.alloc(60_000), frameFlag.last)
  raw.flush()
  await until(() => listener.connections === 2)
  await served('meanwhile')
  for (let second = 0; second < 60 && listener.connections === 2; second++) {
    await clock.advance(1_000)
    await served(`second ${second}`)
  }
  expect(listener.connections).toBe(1)
  socket.resume()
  await gone
})

it('Stream flood: no more streams than the bound, whoever keeps opening them', async () => {
  const { listener, served } = await siege({ streamsMax: 10 })
  const { raw } = await attacker(listener.url)
  for (let id = 1; id <= 500; id++) raw.open(id, Buffer.from('wait'), 0)
  raw.flush()
  await until(() => raw.told.length === 501)
  expect(raw.told.filter((frame) => /^error \d+ OVERLOADED untouched$/.test(frame))).toHaveLength(490)
  await served('after')
})

it('Oversize: a frame that says it is large ends the connection before it has come', async () => {
  const { listener, served } = await siege()
  const { raw, gone } = await attacker(listener.url)
  raw.bytes(255, 255, 255, 2, 0, 0, 0, 0, 1)
  await gone
  expect(raw.told.at(-1)).toBe('goaway 0 BODY_TOO_LARGE')
  await served('after')
})

it('Flood before authentication: hundreds of sockets that say nothing keep nobody out', async () => {
  const { listener, served } = await siege({ handshakesMax: 20 })
  const crowd = await Promise.all(Array.from({ length: 200 }, () => attacker(listener.url, false)))
  await served('meanwhile')
  const newcomer = client({ url: listener.url })
  expect(await call(newcomer, 'let me in')).toBe('let me in')
  await until(() => crowd.filter(({ closed }) => closed()).length >= 180)
  expect(listener.connections).toBe(2)
})
