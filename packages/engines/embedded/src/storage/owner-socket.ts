import { randomUUID } from 'node:crypto'
import { rmSync } from 'node:fs'
import { connect, createServer, type Server } from 'node:net'
import { join } from 'node:path'

/** Longest path that a socket may have on every system. @see unix(7) */
const pathBytesMax = 100
const answerMsMax = 2_000

/**
 * A socket in the data directory that this process listens on while it lives. The kernel closes it with the process, and
 * answers for it in whatever container another process asks from: a pid says nothing there.
 */
export class OwnerSocket {
  readonly name: string
  readonly #server: Server

  private constructor(name: string, server: Server) {
    this.name = name
    this.#server = server
  }

  /** Undefined where there cannot be one: on Windows, in a file system without sockets, under a path that is too long. */
  static listen(dir: string): Promise<OwnerSocket | undefined> {
    const name = `owner-${randomUUID().slice(0, 8)}.sock`
    const path = join(dir, name)
    if (process.platform === 'win32' || Buffer.byteLength(path) > pathBytesMax) return Promise.resolve(undefined)
    return new Promise((resolve) => {
      const server = createServer((socket) => socket.destroy())
      server.once('error', () => resolve(undefined))
      // In a cluster it would otherwise be the primary that listens, and goes on when this process is dead.
      server.listen({ path, exclusive: true }, () => resolve(new OwnerSocket(name, server)))
      server.unref()
    })
  }

  close(): void {
    this.#server.close()
  }
}

/** Whether somebody listens on an owner's socket. */
export function isListening(dir: string, name: string): Promise<boolean> {
  if (!isName(name)) return Promise.resolve(false)
  return new Promise((resolve) => {
    const socket = connect({ path: join(dir, name) })
    const end = (answer: boolean): void => {
      socket.destroy()
      resolve(answer)
    }
    // Somebody who is too busy to answer lives.
    socket.setTimeout(answerMsMax, () => end(true))
    socket.once('connect', () => end(true))
    socket.once('error', ({ code }: NodeJS.ErrnoException) => end(code !== 'ECONNREFUSED' && code !== 'ENOENT'))
  })
}

/** Removes what a dead owner left behind. */
export function removeSocket(dir: string, name: string): void {
  if (isName(name)) rmSync(join(dir, name), { force: true })
}

/** A row could say anything. */
const isName = (name: string): boolean => /^owner-[0-9a-f]+\.sock$/.test(name)
