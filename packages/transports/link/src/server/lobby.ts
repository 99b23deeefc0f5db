import type { Socket } from 'node:net'

/** Names a client while it is in the lobby: the same for a socket and the TLS socket over it. */
export type LobbyKey = string | Socket

/** Where a socket comes from. */
export function lobbyKey(socket: Socket): LobbyKey {
  const { remoteAddress, remotePort } = socket
  return remotePort === undefined ? socket : `${remoteAddress} ${remotePort}`
}

/**
 * The clients that nobody has been made out for yet. When there are too many, the oldest has to go: whoever wants to keep
 * others out has to connect faster than they say HELLO, where a lobby that turns newcomers away is full for as long as
 * it takes to fill it once.
 */
export class Lobby {
  readonly #most: number
  /** Oldest first. */
  readonly #sockets = new Map<LobbyKey, Socket>()

  constructor(most: number) {
    this.#most = most
  }

  get size(): number {
    return this.#sockets.size
  }

  enter(socket: Socket): void {
    const key = lobbyKey(socket)
    // Before there is a connection or a TLS socket, nobody else listens for errors; they say nothing of interest.
    socket.on('error', () => {})
    socket.on('close', () => {
      if (this.#sockets.get(key) === socket) this.#sockets.delete(key)
    })
    this.#sockets.set(key, socket)
    if (this.#sockets.size <= this.#most) return
    for (const [oldest, waiting] of this.#sockets) {
      this.#sockets.delete(oldest)
      waiting.destroy()
      return
    }
  }

  /** The client has been let in. */
  leave(key: LobbyKey): void {
    this.#sockets.delete(key)
  }

  /** Sends everybody away. */
  clear(): void {
    for (const socket of [...this.#sockets.values()]) socket.destroy()
    this.#sockets.clear()
  }
}
