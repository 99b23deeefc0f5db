import { once } from 'node:events'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { PosthasteError } from '@posthaste/contracts'
import { ProxiedConnection, type Weather } from './proxied-connection.ts'

/** Where bytes of one direction come from. */
export type ProxySide = 'client' | 'server'

/** The server behind a proxy. */
export interface ProxyTarget {
  /** Default: 127.0.0.1. */
  readonly host?: string | undefined
  readonly port: number
}

/**
 * A network between clients and one server that can be broken on purpose. What is not broken is passed on byte for byte, in
 * order and with back-pressure. No method throws for what happens on a connection, and nothing is left unhandled.
 */
export class TcpProxy {
  readonly #target: { readonly host: string; readonly port: number }
  readonly #connections = new Set<ProxiedConnection>()
  /** Shared by all connections, those that come later included. */
  readonly #weather: Weather = { delayMs: 0, swallows: { client: false, server: false } }
  #server: Server | undefined
  #port = 0
  #accepts = true

  constructor({ host = '127.0.0.1', port }: ProxyTarget) {
    this.#target = { host, port }
  }

  /**
   * Takes connections on loopback; on any free port for 0.
   * @throws UNAVAILABLE when it listens already or was destroyed; rejects with the system's error when the port is taken
   */
  async listen(port = 0): Promise<void> {
    if (this.#server !== undefined) throw new PosthasteError('UNAVAILABLE', 'the proxy was started before')
    // Half-closed connections are the proxy's business: it passes on the end of one direction and keeps the other.
    const server = createServer({ allowHalfOpen: true, noDelay: true }, (client) => this.#connected(client))
    this.#server = server
    server.listen(port, '127.0.0.1')
    await once(server, 'listening')
    this.#port = (server.address() as AddressInfo).port
  }

  /** The port to connect to; 0 before `listen`. */
  get port(): number {
    return this.#port
  }

  /** Connections that are open. */
  get connections(): number {
    return this.#connections.size
  }

  /** The URL of the server with this proxy's address instead of the server's own: `amqp://127.0.0.1:5672/v` → `…:port/v`. */
  url(serverUrl: string): string {
    const [, scheme, credentials = '', rest = ''] = /^([a-z0-9+.-]+:\/\/)([^@/]*@)?[^/?]*(.*)$/i.exec(serverUrl) ?? []
    if (scheme === undefined) return `127.0.0.1:${this.#port}`
    return `${scheme}${credentials}127.0.0.1:${this.#port}${rest}`
  }

  /** Sends later connections to another server: one that was started again elsewhere. */
  retarget({ host = '127.0.0.1', port }: ProxyTarget): void {
    Object.assign(this.#target, { host, port })
  }

  // ── Faults ────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Resets all connections, on both sides, and goes on taking new ones. */
  cut(): void {
    for (const connection of this.#connections) connection.reset()
  }

  /** Resets every new connection at once, as long as `accept` is not called. Those that are open stay. */
  refuse(): void {
    this.#accepts = false
  }

  /** Takes connections again. */
  accept(): void {
    this.#accepts = true
  }

  /** Passes everything on this much later, in milliseconds, in both directions; 0 ends it. Order is kept. */
  delay(ms: number): void {
    this.#weather.delayMs = ms
  }

  /** Ends the direction from one side on all connections: who is opposite sees the end, and may still be heard. */
  halfClose(from: ProxySide = 'server'): void {
    for (const connection of this.#connections) connection.endFrom(from)
  }

  /**
   * Takes bytes and loses them: of both sides, or of one. Connections stay, and new ones are taken. What is lost is lost for
   * good, so `heal` resets the connections that have lost something.
   */
  blackHole(from: ProxySide | 'both' = 'both'): void {
    const { swallows } = this.#weather
    if (from !== 'server') swallows.client = true
    if (from !== 'client') swallows.server = true
  }

  /** Ends every fault: delays, black holes, refusals. */
  heal(): void {
    this.#weather.delayMs = 0
    this.#weather.swallows.client = false
    this.#weather.swallows.server = false
    this.#accepts = true
    for (const connection of this.#connections) if (connection.hasLostBytes) connection.reset()
  }

  /** Resets everything and takes no connection any more, for good: what a killed process' network looks like. */
  async destroy(): Promise<void> {
    this.#accepts = false
    const { promise, resolve } = Promise.withResolvers<void>()
    if (this.#server?.listening) this.#server.close(() => resolve())
    else resolve()
    this.cut()
    await promise
  }

  #connected(client: Socket): void {
    if (!this.#accepts) {
      client.on('error', () => {})
      client.resetAndDestroy()
      return
    }
    const connection = new ProxiedConnection(client, this.#target, this.#weather)
    this.#connections.add(connection)
    connection.onEnd(() => this.#connections.delete(connection))
  }
}
