import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import type { Credentials } from '../recipe.ts'

/** How long a server may take for one answer. */
const timeoutMs = 3_000

/** A conversation over a connection of its own: what is sent, and what is waited for. */
export interface Exchange {
  send(data: Uint8Array | string): void
  /**
   * Waits for more until `read` makes something of all that has come and was not read yet.
   * @throws Error when the server closes, or says nothing for some seconds
   */
  receive<T>(read: (received: Buffer) => Reading<T> | undefined): Promise<T>
}

/** What was made of the beginning of the bytes, and how many they were. */
export interface Reading<T> {
  readonly value: T
  readonly bytes: number
}

/** Connects to a server, talks with it and hangs up. */
export async function exchange<T>(url: URL, talk: (exchange: Exchange) => Promise<T>): Promise<T> {
  const socket = connect({ host: url.hostname, port: Number(url.port) })
  socket.setTimeout(timeoutMs, () => socket.destroy(new Error(`no answer for ${timeoutMs} ms`)))
  try {
    await once(socket, 'connect')
    return await talk(over(socket))
  } finally {
    socket.destroy()
  }
}

function over(socket: Socket): Exchange {
  let received: Buffer = Buffer.alloc(0)
  return {
    send: (data) => void socket.write(data),
    async receive(read) {
      for (;;) {
        const reading = read(received)
        if (reading) {
          received = received.subarray(reading.bytes)
          return reading.value
        }
        received = Buffer.concat([received, await nextChunk(socket)])
      }
    },
  }
}

async function nextChunk(socket: Socket): Promise<Buffer> {
  const chunk = socket.read() as Buffer | null
  if (chunk) return chunk
  if (socket.readableEnded || socket.destroyed) throw new Error('the server closed the connection')
  const waiting = new AbortController()
  try {
    await Promise.race(['readable', 'end', 'close'].map((event) => once(socket, event, { signal: waiting.signal })))
  } finally {
    waiting.abort()
  }
  return nextChunk(socket)
}

/** Who the URL says is asking. */
export function userOf(url: URL): Credentials | undefined {
  if (url.username === '') return undefined
  return { username: decodeURIComponent(url.username), password: decodeURIComponent(url.password) }
}

/** Reads up to the end of a line. */
export function line(received: Buffer): Reading<string> | undefined {
  const end = received.indexOf('\r\n')
  return end < 0 ? undefined : { value: received.toString('utf8', 0, end), bytes: end + 2 }
}
