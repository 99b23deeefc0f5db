import type { Server, Socket } from 'node:net'
import { type TLSSocket, Server as TlsServer } from 'node:tls'
import { type MaybePromise, PosthasteError, type Timer } from '@posthaste/contracts'
import type { LinkCredentials, LinkHost, LinkIdentity, LinkListener, ListenOptions } from '../connection/options.ts'
import { socketPipe } from '../connection/socket-pipe.ts'
import { Sweeper } from '../connection/sweeper.ts'
import type { PeerCertificateInfo, StreamAcceptor } from '../connection/types.ts'
import { ChunkPool } from '../wire/batch.ts'
import { alpnProtocol, helloDefaults } from '../wire/constants.ts'
import { certificateOf } from './certificate.ts'
import type { ListenSettings } from './listen-options.ts'
import { Lobby, lobbyKey } from './lobby.ts'
import { ServerConnection, type ServerShare } from './server-connection.ts'

/** What a listener is made of. */
export interface ListenerParts {
  readonly settings: ListenSettings
  readonly accept: StreamAcceptor
  readonly host: LinkHost
  readonly server: Server
}

/** A {@link LinkListener} over a server of sockets, which it owns. */
export class Listener implements LinkListener {
  url = ''
  readonly #host: LinkHost
  readonly #server: Server
  readonly #settings: ListenSettings
  readonly #share: ServerShare
  readonly #lobby: Lobby
  readonly #sweeper: Sweeper<ServerConnection>
  readonly #admitted = new Set<ServerConnection>()
  #drained: PromiseWithResolvers<void> | undefined
  #grace: Timer | undefined
  #serverClosed = false

  constructor({ settings, accept, host, server }: ListenerParts) {
    const { limits, codecs, compressAboveBytes, agent, authenticate } = settings
    this.#settings = settings
    this.#host = host
    this.#server = server
    this.#lobby = new Lobby(limits.handshakesMax)
    this.#sweeper = new Sweeper(host.clock, limits)
    this.#share = {
      clock: host.clock,
      log: host.log,
      pool: new ChunkPool(),
      limits,
      accept,
      codecs,
      compressAboveBytes,
      agent,
      methodsMax: helloDefaults.methodsMax,
      authenticate: authenticate === undefined ? () => undefined : makingOut(authenticate),
      admit: (connection) => this.#admit(connection),
      gone: (connection) => this.#gone(connection),
    }
    this.#listen()
  }

  get connections(): number {
    return this.#admitted.size
  }

  drain(graceMs: number): Promise<void> {
    this.#drained ??= this.#beginDrain()
    this.#grace?.cancel()
    const stop = (): void => {
      for (const connection of this.#sweeper.members()) connection.stop()
    }
    if (graceMs <= 0) stop()
    else this.#grace = this.#host.clock.setTimer(graceMs, stop)
    return this.#drained.promise
  }

  #listen(): void {
    const { log } = this.#host
    const server = this.#server
    server.on('error', (error) => log.error('a link listener failed', { url: this.url, error: error.message }))
    // With TLS, a client counts from before its handshake.
    server.on('connection', (socket: Socket) => this.#lobby.enter(socket))
    if (server instanceof TlsServer) {
      server.on('secureConnection', (socket) => this.#beginSecure(socket))
      server.on('tlsClientError', (error) => log.debug('a TLS handshake failed', { error: error.message }))
    } else {
      server.on('connection', (socket: Socket) => this.#begin(socket, undefined))
    }
  }

  #beginSecure(socket: TLSSocket): void {
    if (socket.alpnProtocol === alpnProtocol) this.#begin(socket, certificateOf(socket))
    else socket.destroy()
  }

  #begin(socket: Socket, certificate: PeerCertificateInfo | undefined): void {
    const { remoteAddress, remotePort } = socket
    const name = remotePort === undefined ? 'a client' : `${remoteAddress} ${remotePort}`
    const visitor = { address: remoteAddress ?? '', certificate, key: lobbyKey(socket) }
    this.#sweeper.add(new ServerConnection(socketPipe(socket, name), visitor, this.#share))
  }

  #admit(connection: ServerConnection): void {
    const { connectionsMax } = this.#settings.limits
    if (this.#admitted.size >= connectionsMax) {
      throw new PosthasteError('OVERLOADED', `the server has ${connectionsMax} connections already`)
    }
    this.#lobby.leave(connection.visitor.key)
    this.#admitted.add(connection)
  }

  #gone(connection: ServerConnection): void {
    this.#admitted.delete(connection)
    this.#sweeper.remove(connection)
    this.#settleDrain()
  }

  #beginDrain(): PromiseWithResolvers<void> {
    const drained = Promise.withResolvers<void>()
    this.#server.close(() => {
      this.#serverClosed = true
      this.#settleDrain()
    })
    for (const connection of this.#sweeper.members()) connection.drain()
    this.#lobby.clear()
    return drained
  }

  /** The server knows of sockets that have no connection yet, the connections learn of their end a little later. */
  #settleDrain(): void {
    if (!this.#serverClosed || this.#sweeper.size > 0) return
    this.#grace?.cancel()
    this.#drained?.resolve()
  }
}

/** Nobody is let in because nothing was said of them: a look-up that finds no user returns undefined where it should throw. */
function makingOut(
  authenticate: NonNullable<ListenOptions['authenticate']>,
): (credentials: LinkCredentials) => MaybePromise<LinkIdentity> {
  return (credentials) => {
    const said = authenticate(credentials)
    return 'then' in Object(said) ? (said as PromiseLike<LinkIdentity>).then(known) : known(said as LinkIdentity)
  }
}

function known(identity: LinkIdentity | undefined): LinkIdentity {
  if (typeof identity?.user === 'string') return identity
  throw new PosthasteError('UNAUTHENTICATED', 'the server does not know who the client is')
}
