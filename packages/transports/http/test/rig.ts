import { connect, type Socket } from 'node:net'
import {
  type HttpRoute,
  type IncomingCall,
  PosthasteError,
  type Schema,
  type ServedMethod,
  type ServerTransport,
  service,
} from '@posthaste/contracts'
import { silentLog, systemClock } from 'posthaste/pipeline'
import { onTestFinished } from 'vitest'
import { http } from '../src/http.ts'
import type { HttpOptions } from '../src/options.ts'

/** What a method of the rig does with a call; `gone` rejects when the call is cancelled. */
export type Answer = (incoming: IncomingCall, gone: Promise<never>) => unknown

const anything: Schema = { '~standard': { version: 1, vendor: 'rig', validate: (value) => ({ value }) } }

let methods = 0

/** A served method behind a route, without the core: what it throws is its failure. */
export function served(route: string | HttpRoute, answer: Answer): ServedMethod {
  const method = `method${methods++}`
  const contract = service('rig.Rig', { [method]: { input: anything, output: anything, http: route } }).methods[method]!
  return {
    service: 'rig.Rig',
    method,
    contract,
    dispatch(incoming) {
      const gone = Promise.withResolvers<never>()
      gone.promise.catch(() => undefined)
      const work = Promise.resolve().then(() => answer(incoming, gone.promise))
      const result = Promise.race([gone.promise, work])
      result.catch(() => undefined)
      let left: Promise<void> | undefined
      const ended = (): void => {
        left = undefined
      }
      left = work.then(ended, ended)
      return { result, cancel: gone.reject, unfinished: () => left }
    },
  }
}

/** A listening transport; stopped when the test ends. */
export async function listening(
  options: HttpOptions,
  ...served: readonly ServedMethod[]
): Promise<{ readonly url: string; readonly port: number; readonly transport: ServerTransport }> {
  const transport = http({ port: 0, ...options })
  const [url = ''] = await transport.start(served, { clock: systemClock, log: silentLog })
  onTestFinished(() => transport.stop(0))
  return { url, port: Number(new URL(url).port), transport }
}

/** A connection that sends and keeps exactly the bytes it is told to. */
export interface RawClient {
  readonly socket: Socket
  send(text: string): void
  /** Everything received so far. */
  received(): string
  /** Resolves when what was received matches; rejects when the connection ends before. */
  until(pattern: RegExp): Promise<string>
  /** Resolves with everything received once the server has closed the connection. */
  closed(): Promise<string>
}

/** Opens a connection; destroyed when the test ends. */
export function raw(port: number): RawClient {
  const socket = connect({ port, host: '127.0.0.1' })
  let text = ''
  let ended = false
  const watchers = new Set<() => void>()
  const tell = (): void => {
    for (const watcher of watchers) watcher()
  }
  socket.setEncoding('latin1')
  socket.on('data', (chunk) => {
    text += chunk
    tell()
  })
  socket.on('error', () => undefined)
  socket.on('close', () => {
    ended = true
    tell()
  })
  onTestFinished(() => void socket.destroy())
  const when = (what: string, done: () => boolean): Promise<string> =>
    new Promise((resolve, reject) => {
      const look = (): void => {
        if (done()) resolve(text)
        else if (ended) reject(new Error(`the connection ended before ${what}; received: ${text}`))
        else return
        watchers.delete(look)
      }
      watchers.add(look)
      look()
    })
  return {
    socket,
    send: (bytes) => void socket.write(bytes, 'latin1'),
    received: () => text,
    until: (pattern) => when(String(pattern), () => pattern.test(text)),
    closed: () => when('its end', () => ended),
  }
}

/** A failure as a handler throws it. */
export function failure(...args: ConstructorParameters<typeof PosthasteError>): Answer {
  return () => {
    throw new PosthasteError(...args)
  }
}

/** A promise that a test resolves when it wants an answer to go out. */
export function gate(): { readonly open: () => void; readonly opened: Promise<void> } {
  const { promise, resolve } = Promise.withResolvers<void>()
  return { open: resolve, opened: promise }
}
