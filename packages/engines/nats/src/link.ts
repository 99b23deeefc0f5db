import { type JetStreamManager, jetstreamManager } from '@nats-io/jetstream'
import {
  type ConnectionOptions,
  createInbox,
  credsAuthenticator,
  errors,
  type NatsConnection,
  nkeyAuthenticator,
} from '@nats-io/nats-core'
import { connect } from '@nats-io/transport-node'
import { certificateRemedy, type EngineHost, PosthasteError } from '@posthaste/contracts'
import { apiCodes, errorFrom, isApiError, textOf } from './errors.ts'
import { featuresOf, type ServerFeatures } from './features.ts'
import type { NatsSettings } from './options.ts'
import { Pipeline } from './pipeline.ts'

/** Told when the connection comes and goes. */
export interface LinkListener {
  onLost(): void
  onConnected(): void
}

/** Commands under way at once: within what a server buffers for one stream. */
const windowMax = 4_096

/** A request to JetStream's API that got no answer is made again after this long. */
const apiTimeoutMs = 5_000

const firstBackoffMs = 50
const lastBackoffMs = 2_000

/** A server that does not answer two pings in a row is gone. */
const pingMs = 10_000

/** The connection to the server: one, which comes back by itself, and what travels on it. */
export class Link {
  readonly host: EngineHost
  readonly settings: NatsSettings
  /** Publications. */
  readonly pipeline: Pipeline
  /** What consumers are told: it must not wait behind publications. */
  readonly acks: Pipeline
  /** What the server that answered first can do. */
  features: ServerFeatures = featuresOf({ major: 2, minor: 0 })
  #connection: NatsConnection | undefined
  #manager: JetStreamManager | undefined
  #connected = false
  #closed = false
  readonly #listeners = new Set<LinkListener>()
  /** Woken when the connection is back or the link is closed. */
  readonly #waiters = new Set<() => void>()
  #dials = 0

  constructor(settings: NatsSettings, host: EngineHost) {
    this.settings = settings
    this.host = host
    const pipelineSettings = { clock: host.clock, timeoutMs: settings.timeoutMs, windowMax }
    this.pipeline = new Pipeline(pipelineSettings)
    this.acks = new Pipeline(pipelineSettings)
  }

  get connected(): boolean {
    return this.#connected
  }

  /** @throws ENGINE_CLOSED */
  get connection(): NatsConnection {
    if (this.#connection === undefined || this.#closed) throw closedError()
    return this.#connection
  }

  /** @throws UNAVAILABLE UNAUTHENTICATED when no server takes us within the time limit, or none is to be trusted */
  async open(): Promise<void> {
    const { clock } = this.host
    const deadlineMs = clock.monotonicMs() + this.settings.timeoutMs
    for (;;) {
      try {
        this.#connection = await connect(this.#connectionOptions())
        break
      } catch (thrown) {
        this.#dials += 1
        const error = errorFrom(thrown, 'NATS does not take the connection')
        const leftMs = deadlineMs - clock.monotonicMs()
        // Another server of a cluster may be one to trust, once it is up.
        const isUntrusted = this.settings.servers.length === 1 && certificateRemedy(thrown) !== undefined
        if (this.#closed || error.code !== 'UNAVAILABLE' || isUntrusted || leftMs <= 0) throw error
        await this.sleep(Math.min(this.#backoffMs(this.#dials), leftMs))
      }
    }
    const connection = this.#connection
    if (this.#closed) {
      await connection.close()
      throw closedError()
    }
    this.#dials = 0
    this.#connected = true
    this.features = featuresOf(versionOf(connection))
    this.pipeline.attach(connection, createInbox())
    this.acks.attach(connection, createInbox())
    this.#manager = await this.#connectManager(connection)
    void this.#follow(connection)
  }

  /** Inboxes of its own for somebody's answers. */
  inbox(): string {
    return createInbox()
  }

  listen(listener: LinkListener): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /**
   * Works with JetStream's API; waits for the connection, and tries again what got no answer, until the time limit.
   * @throws UNAVAILABLE ENGINE_CLOSED, and what the server answers as the client's own error
   */
  async admin<T>(what: string, work: (manager: JetStreamManager) => Promise<T>): Promise<T> {
    const { clock } = this.host
    const deadlineMs = clock.monotonicMs() + this.settings.timeoutMs
    for (let tries = 1; ; tries += 1) {
      await this.#connectedBy(deadlineMs, what)
      try {
        return await this.#unlessLost(work(this.#manager as JetStreamManager))
      } catch (thrown) {
        if (this.#closed) throw closedError()
        if (!isPassing(thrown)) throw thrown
        if (clock.monotonicMs() + lastBackoffMs > deadlineMs) throw errorFrom(thrown, what)
        await this.sleep(this.#backoffMs(tries))
      }
    }
  }

  /** The same, with `undefined` for what does not exist. */
  async find<T>(what: string, work: (manager: JetStreamManager) => Promise<T>): Promise<T | undefined> {
    try {
      return await this.admin(what, work)
    } catch (thrown) {
      if (isApiError(thrown, apiCodes.streamNotFound, apiCodes.consumerNotFound, apiCodes.noMessage)) return undefined
      throw errorFrom(thrown, what)
    }
  }

  async sleep(ms: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const wake = (): void => {
        timer.cancel()
        this.#waiters.delete(closed)
        resolve()
      }
      const closed = (): void => {
        if (this.#closed) wake()
      }
      const timer = this.host.clock.setTimer(ms, wake)
      this.#waiters.add(closed)
    })
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    this.#connected = false
    this.pipeline.close(closedError())
    this.acks.close(closedError())
    this.#wake()
    await this.#connection?.close().catch(() => {})
  }

  get closed(): boolean {
    return this.#closed
  }

  /** What is asked on a connection that is lost is never answered, and the client would wait for it all the same. */
  async #unlessLost<T>(asked: Promise<T>): Promise<T> {
    let unlisten = (): void => {}
    const loss = new Promise<never>((_resolve, reject) => {
      const onLost = (): void => reject(new errors.ConnectionError('the connection to NATS is lost'))
      unlisten = this.listen({ onLost, onConnected: () => {} })
    })
    try {
      return await Promise.race([asked, loss])
    } finally {
      unlisten()
    }
  }

  #wake(): void {
    for (const wake of [...this.#waiters]) wake()
  }

  async #connectedBy(deadlineMs: number, what: string): Promise<void> {
    while (!this.#connected) {
      if (this.#closed) throw closedError()
      const leftMs = deadlineMs - this.host.clock.monotonicMs()
      if (leftMs <= 0) throw new PosthasteError('UNAVAILABLE', `${what}: NATS cannot be reached`)
      await new Promise<void>((resolve) => {
        const wake = (): void => {
          timer.cancel()
          this.#waiters.delete(wake)
          resolve()
        }
        const timer = this.host.clock.setTimer(leftMs, wake)
        this.#waiters.add(wake)
      })
    }
    if (this.#closed) throw closedError()
  }

  async #connectManager(connection: NatsConnection): Promise<JetStreamManager> {
    try {
      const manager = await jetstreamManager(connection, { timeout: apiTimeoutMs, checkAPI: false })
      await manager.getAccountInfo()
      return manager
    } catch (thrown) {
      throw errorFrom(thrown, 'NATS has no JetStream for this account')
    }
  }

  async #follow(connection: NatsConnection): Promise<void> {
    for await (const status of connection.status()) {
      if (status.type === 'disconnect') this.#lose()
      else if (status.type === 'reconnecting') this.#dials += 1
      else if (status.type === 'reconnect') this.#return(connection)
      else if (status.type === 'error') this.host.log.warn('NATS reports an error', { error: textOf(status.error) })
    }
  }

  #lose(): void {
    if (!this.#connected || this.#closed) return
    this.#connected = false
    this.pipeline.suspend()
    this.acks.suspend()
    this.host.onState('lost', new PosthasteError('UNAVAILABLE', 'the connection to NATS is lost'))
    for (const listener of [...this.#listeners]) listener.onLost()
  }

  #return(connection: NatsConnection): void {
    if (this.#closed) return
    this.#connected = true
    this.#dials = 0
    this.pipeline.resume(connection)
    this.acks.resume(connection)
    this.host.onState('connected')
    this.#wake()
    for (const listener of [...this.#listeners]) listener.onConnected()
  }

  #backoffMs(tries: number): number {
    const ceilingMs = Math.min(lastBackoffMs, firstBackoffMs * 2 ** Math.min(tries, 10))
    return ceilingMs / 2 + (this.host.random() * ceilingMs) / 2
  }

  #connectionOptions(): ConnectionOptions {
    const { servers, tls, credentials, timeoutMs } = this.settings
    const encrypted = tls !== undefined || servers.some((server) => server.startsWith('tls:'))
    const { user, password, token, nkeySeed, creds } = credentials
    const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
    return {
      servers: servers.map((server) => new URL(server).host),
      name: this.host.instance,
      maxReconnectAttempts: -1,
      ignoreAuthErrorAbort: true,
      // The client asks again each time it looks whether it is time to dial.
      reconnectDelayHandler: () => this.#backoffMs(this.#dials),
      timeout: Math.min(timeoutMs, apiTimeoutMs),
      pingInterval: pingMs,
      ...(user === undefined ? {} : { user, pass: password ?? '' }),
      ...(token === undefined ? {} : { token }),
      ...(nkeySeed === undefined ? {} : { authenticator: nkeyAuthenticator(bytes(nkeySeed)) }),
      ...(creds === undefined ? {} : { authenticator: credsAuthenticator(bytes(creds)) }),
      ...(encrypted ? { tls: tlsOptions(tls) } : {}),
    }
  }
}

function tlsOptions(tls: NatsSettings['tls']): Record<string, string> {
  const { ca, cert, key, serverName } = tls ?? {}
  const options = { ca, cert, key, servername: serverName }
  return Object.fromEntries(
    Object.entries(options).filter((entry): entry is [string, string] => entry[1] !== undefined),
  )
}

function versionOf(connection: NatsConnection): { major: number; minor: number } {
  const [major = 0, minor = 0] = (connection.info?.version ?? '').split('.').map(Number)
  return { major, minor }
}

/** Whether the same request may succeed in a moment. */
function isPassing(thrown: unknown): boolean {
  if (isApiError(thrown, 10008, 10009, 10023)) return true
  return (
    thrown instanceof errors.TimeoutError ||
    thrown instanceof errors.RequestError ||
    thrown instanceof errors.NoRespondersError ||
    thrown instanceof errors.ConnectionError
  )
}

export function closedError(): PosthasteError {
  return new PosthasteError('ENGINE_CLOSED', 'nats engine: it is closed')
}
