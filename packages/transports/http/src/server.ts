import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { type Clock, type Log, PosthasteError, type TransportHost } from '@posthaste/contracts'
import { type Connection, Exchange, type ExchangeHost } from './exchange.ts'
import type { HttpSettings } from './options.ts'
import { type Problem, problemOf } from './problem.ts'
import type { Routes } from './routes.ts'

/** Milliseconds that cancelled calls get to be answered before their connections are cut. */
const lastWordsMs = 500

/** A listening server: its connections, and the exchanges on each. */
export class HttpServer implements ExchangeHost {
  readonly settings: HttpSettings
  readonly routes: Routes
  readonly clock: Clock
  readonly log: Log
  readonly health: NonNullable<TransportHost['health']>
  readonly #server: Server
  readonly #connections = new Map<Duplex, Connection>()
  #requests = 0
  #stopping: Promise<void> | undefined

  constructor(settings: HttpSettings, routes: Routes, host: TransportHost) {
    this.settings = settings
    this.routes = routes
    this.clock = host.clock
    this.log = host.log
    this.health = host.health ?? (() => 'ok')
    this.#server = createServer({
      maxHeaderSize: settings.headerBytesMax,
      headersTimeout: settings.headersTimeoutMs,
      requestTimeout: settings.requestTimeoutMs,
      keepAliveTimeout: settings.keepAliveTimeoutMs,
      // How late a timeout may strike: often enough to mean something, seldom enough to cost nothing.
      connectionsCheckingInterval: Math.max(50, Math.min(2_000, settings.headersTimeoutMs / 4)),
      requireHostHeader: true,
      insecureHTTPParser: false,
      noDelay: true,
    })
    this.#server.maxConnections = settings.connectionsMax
    this.#listenToServer()
  }

  get draining(): boolean {
    return this.#stopping !== undefined
  }

  get full(): boolean {
    return this.#requests > this.settings.requestsMax
  }

  /**
   * Binds the address.
   * @returns the URL it listens on
   * @throws UNAVAILABLE when the address cannot be bound
   */
  listen(): Promise<string> {
    const { host, port } = this.settings
    return new Promise((resolve, reject) => {
      const refuse = (cause: Error): void => {
        reject(
          new PosthasteError('UNAVAILABLE', `http cannot listen on ${host}:${port}: ${cause.message}`, {
            cause,
            remedy: 'Choose another port or host, or stop whoever holds this one.',
          }),
        )
      }
      this.#server.once('error', refuse)
      this.#server.listen({ host, port }, () => {
        this.#server.off('error', refuse)
        this.#server.on('error', (error) => this.log.error('the http server reports an error', { error }))
        resolve(urlOf(this.#server.address() as AddressInfo))
      })
    })
  }

  /** Takes nothing new, lets what runs finish until `graceMs`, then cancels it and cuts what is left. Idempotent. */
  stop(graceMs: number): Promise<void> {
    this.#stopping ??= this.#drain(graceMs)
    return this.#stopping
  }

  #drain(graceMs: number): Promise<void> {
    return new Promise((resolve) => {
      const cut = (): void => this.#server.closeAllConnections()
      const cancel = (): void => {
        timer = this.clock.setTimer(lastWordsMs, cut)
        const reason = new PosthasteError('UNAVAILABLE', 'the server is shutting down')
        for (const { exchanges } of this.#connections.values())
          for (const exchange of exchanges) exchange.cancel(reason)
      }
      let timer = this.clock.setTimer(graceMs, cancel)
      this.#server.close(() => {
        timer.cancel()
        resolve()
      })
      this.#closeUnused()
    })
  }

  /** Idle connections, and those on which nothing was ever sent: not every version of node counts the latter as idle. */
  #closeUnused(): void {
    this.#server.closeIdleConnections()
    for (const connection of this.#connections.keys()) {
      if ((connection as Socket).bytesRead === 0) connection.destroy()
    }
  }

  #listenToServer(): void {
    this.#server.on('connection', (socket) => {
      const connection: Connection = { exchanges: new Set(), closing: false, newest: undefined }
      this.#connections.set(socket, connection)
      // One listener per connection, not per request: a pipelining client must not collect them.
      socket.once('close', () => {
        this.#connections.delete(socket)
        // Responses that wait behind another of their connection are not told that it is gone.
        for (const exchange of connection.exchanges) {
          exchange.abandon()
          this.#leave(exchange)
        }
        connection.exchanges.clear()
      })
    })
    const take = (request: IncomingMessage, response: ServerResponse<IncomingMessage>): void => {
      const connection = this.#connections.get(request.socket)
      if (connection !== undefined && !connection.closing) this.#take(response, connection)
    }
    this.#server.on('request', take)
    this.#server.on('checkContinue', take)
    this.#server.on('clientError', (error: NodeJS.ErrnoException, socket) => this.#clientError(error, socket))
    this.#server.on('drop', (info) =>
      this.log.warn('connectionsMax is reached: a connection was closed', { from: info?.remoteAddress }),
    )
  }

  #take(response: ServerResponse<IncomingMessage>, connection: Connection): void {
    const exchange = new Exchange(response, connection, this)
    connection.exchanges.add(exchange)
    connection.newest = exchange
    this.#requests++
    response.once('close', () => {
      if (connection.exchanges.delete(exchange)) this.#leave(exchange)
    })
    void exchange.run()
  }

  /** A request counts until the work for it has ended, so that nobody can begin work without bound and leave. */
  #leave(exchange: Exchange): void {
    const work = exchange.unfinished()
    if (work === undefined) this.#requests--
    else void work.then(() => this.#requests--)
  }

  /** Bytes that are no HTTP, or come too slowly. Answered only where the answer cannot be taken for another request's. */
  #clientError(error: NodeJS.ErrnoException, socket: Duplex): void {
    const waiting = [...(this.#connections.get(socket)?.exchanges ?? [])]
    const answerable = waiting.length === 0 || (waiting.length === 1 && waiting[0]?.reading === true)
    if (!socket.writable || !answerable || error.code === 'ECONNRESET') {
      socket.destroy()
      return
    }
    for (const exchange of waiting) exchange.abandon()
    socket.end(rawResponse(problemOfClientError(error)))
    // What still comes is read and dropped for a moment, so that the client sees the answer before the end.
    const timer = this.clock.setTimer(lastWordsMs, () => socket.destroy())
    socket.once('close', () => timer.cancel())
    socket.resume()
  }
}

function problemOfClientError(error: NodeJS.ErrnoException): Problem {
  if (error.code === 'HPE_HEADER_OVERFLOW') {
    return problemOf(
      new PosthasteError('INVALID_ARGUMENT', 'the headers are over the limit', {
        remedy: 'Send fewer or shorter headers.',
      }),
      { status: 431 },
    )
  }
  if (error.code === 'ERR_HTTP_REQUEST_TIMEOUT') {
    return problemOf(
      new PosthasteError('DEADLINE_EXCEEDED', 'the request did not arrive in time', {
        remedy: 'Send the request faster.',
      }),
      { status: 408 },
    )
  }
  return problemOf(
    new PosthasteError('INVALID_ARGUMENT', 'the bytes are not a valid HTTP request', { remedy: 'Send HTTP/1.1.' }),
  )
}

const reasons: Readonly<Record<number, string>> = {
  400: 'Bad Request',
  408: 'Request Timeout',
  431: 'Request Header Fields Too Large',
}

function rawResponse(problem: Problem): string {
  const headers = { ...problem.headers, 'content-length': Buffer.byteLength(problem.body), connection: 'close' }
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`)
  return `HTTP/1.1 ${problem.status} ${reasons[problem.status]}\r\n${lines.join('\r\n')}\r\n\r\n${problem.body}`
}

function urlOf(address: AddressInfo): string {
  return `http://${address.family === 'IPv6' ? `[${address.address}]` : address.address}:${address.port}`
}
