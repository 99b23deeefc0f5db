import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { silentLog, systemClock } from 'posthaste/pipeline'
import { onTestFinished } from 'vitest'
import { dial } from '../src/client/dial.ts'
import type {
  DialerState,
  DialOptions,
  LinkDialer,
  LinkHost,
  LinkListener,
  ListenOptions,
} from '../src/connection/options.ts'
import { type LinkStream, lastMessage, type OutgoingStream, type StreamAcceptor } from '../src/connection/types.ts'
import { listen } from '../src/server/listen.ts'
import { Recorder } from './connection-rig.ts'

export const realHost: LinkHost = { clock: systemClock, log: silentLog }

/** Answers each call with its own message; `who` is answered with the user. */
export const echo: StreamAcceptor = ({ method, peer }, stream) => {
  const sink = new Recorder()
  sink.onMessage = (body, flags) => {
    const answer = method === 'who' ? Buffer.from(JSON.stringify(peer)) : body
    stream.send(answer, flags & lastMessage)
  }
  return sink
}

/** A server for one test, on a free port where nothing else is said. */
export async function serve(
  options: Partial<ListenOptions> = {},
  accept: StreamAcceptor = echo,
  host: LinkHost = realHost,
): Promise<LinkListener> {
  const place = options.url === undefined && options.path === undefined && options.port === undefined ? { port: 0 } : {}
  const listener = await listen({ ...place, codecs: ['application/json'], ...options }, accept, host)
  onTestFinished(() => listener.drain(0))
  return listener
}

/** A client for one test. */
export function client(options: DialOptions, host: LinkHost = realHost): LinkDialer {
  const dialer = dial(options, host)
  onTestFinished(() => dialer.close())
  return dialer
}

/** One unary call; resolves with the answer, rejects with what the sink is told. */
export function call(dialer: LinkDialer, text: string, opening: Partial<OutgoingStream> = {}): Promise<string> {
  return new Promise((resolve, reject) => {
    dialer.open(
      {
        method: 'echo',
        metadata: {},
        codec: 'application/json',
        body: Buffer.from(text),
        flags: lastMessage,
        ...opening,
      },
      {
        message: (body) => resolve(Buffer.from(body).toString()),
        ended: () => reject(new Error('ended without an answer')),
        failed: reject,
        writable: () => {},
      },
    )
  })
}

/** A stream that stays open, and what its sink is told. */
export function stay(dialer: LinkDialer): { readonly stream: LinkStream; readonly sink: Recorder } {
  const sink = new Recorder()
  const opening = { method: 'echo', metadata: {}, codec: 'application/json', body: Buffer.from('hello') }
  return { stream: dialer.open(opening, sink), sink }
}

/** Resolves when a dialer is in a state; at once if it is. */
export function stateOf(dialer: LinkDialer, wanted: DialerState): Promise<void> {
  if (dialer.state === wanted) return Promise.resolve()
  return new Promise((resolve) => {
    const off = dialer.onState((state) => {
      if (state !== wanted) return
      off()
      resolve()
    })
  })
}

/** A socket that speaks whatever a test writes to it. */
export async function rawSocket(url: string): Promise<Socket> {
  const { port, hostname } = new URL(url)
  const socket = connect({ port: Number(port), host: hostname })
  socket.on('error', () => {})
  onTestFinished(() => {
    socket.destroy()
  })
  await once(socket, 'connect')
  return socket
}

/** Resolves when a condition holds, which is looked at each turn. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve))
}
