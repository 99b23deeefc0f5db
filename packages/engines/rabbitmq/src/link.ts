import { isIP } from 'node:net'
import { certificateRemedy, type EngineHost, PosthasteError, type Timer } from '@posthaste/contracts'
import type { Channel } from 'rabbitmq-client'
import { publishable } from './confirms.ts'
import { connectionError, fail, isHopeless } from './errors.ts'
import type { Settings } from './options.ts'
import { keepBodiesRaw } from './raw-bodies.ts'
import { VersionedConnection } from './server-version.ts'
import { type Patience, timely, within } from './timely.ts'

/** Who is told what becomes of a connection. */
export interface LinkEvents {
  onUp(): void
  onDown(cause: PosthasteError): void
  /** The server takes no publishes for now: it says why, and nothing once it does again. */
  onBlocked(reason: string | undefined): void
}

/**
 * One connection that comes back by itself. There are two per engine, since a server that is short of memory or disk stops
 * reading from whoever publishes: acknowledgements must not wait behind that.
 */
export class Link {
  readonly #connection: VersionedConnection
  readonly #host: EngineHost
  readonly #what: string
  readonly #patience: Patience
  readonly #hasOneHost: boolean
  readonly #onBlocked: LinkEvents['onBlocked']
  readonly #waiting = new Set<Waiting>()
  /** How many connections there were, this one included. */
  generation = 0
  /** The server takes no publishes for now. */
  isBlocked = false
  #isUp = false
  #isLeaving = false
  #isClosed = false
  #cause: PosthasteError

  constructor(settings: Settings, host: EngineHost, options: { readonly what: string; readonly events: LinkEvents }) {
    const { what, events } = options
    this.#onBlocked = (reason) => events.onBlocked(reason)
    this.#host = host
    this.#what = what
    this.#hasOneHost = settings.hosts.length === 0
    this.#patience = { clock: host.clock, timeoutMs: settings.timeoutMs }
    this.#cause = fail('UNAVAILABLE', `the server has not answered yet (${what})`)
    this.#connection = new VersionedConnection(connectionOptions(settings, `${host.instance} ${what}`))
    this.#connection.on('connection', () => {
      this.#isUp = true
      this.isBlocked = false
      this.generation += 1
      for (const each of this.#waiting) this.#end(each, undefined)
      events.onUp()
    })
    this.#connection.on('error', (thrown) => {
      this.#cause = connectionError(
        thrown,
        this.#isUp ? `the connection for ${what} was lost` : `connecting for ${what}`,
      )
      if (isHopeless(thrown) || this.#isUntrusted(thrown) || this.#isLeaving)
        for (const each of this.#waiting) this.#end(each, this.#cause)
      if (!this.#isUp) return
      this.#isUp = false
      if (!this.#isClosed) events.onDown(this.#cause)
    })
    this.#connection.on('connection.blocked', (reason) => this.#blocked(reason))
    this.#connection.on('connection.unblocked', () => this.#blocked(undefined))
  }

  get isUp(): boolean {
    return this.#isUp && !this.#isClosed
  }

  /** Why it is not up, or was not the last time. */
  get cause(): PosthasteError {
    return this.#cause
  }

  get serverVersion(): string | undefined {
    return this.#connection.serverVersion
  }

  /**
   * Resolves once the connection is there.
   * @throws UNAVAILABLE after `timeoutMs`, or at once when the server's certificate is not accepted, UNAUTHENTICATED or
   *   PERMISSION_DENIED when the server refuses us, ENGINE_CLOSED
   */
  up(timeoutMs: number): Promise<void> {
    if (this.isUp) return Promise.resolve()
    if (this.#isLeaving) return Promise.reject(closedError())
    return new Promise((resolve, reject) => {
      const timer = this.#host.clock.setTimer(Math.max(0, timeoutMs), () =>
        this.#end(waiting, this.#timedOut(timeoutMs)),
      )
      const waiting: Waiting = { resolve, reject, timer }
      this.#waiting.add(waiting)
    })
  }

  /**
   * A channel of its own for whoever asks; its errors are its own too. No question that is asked over it waits for longer than
   * the time limit.
   * @throws UNAVAILABLE after `timeoutMs`
   */
  async channel(): Promise<Channel> {
    const acquired = this.#acquire()
    try {
      return await within(this.#patience, 'opening a channel', acquired)
    } catch (thrown) {
      acquired.then(
        (late) => late.close(),
        () => {},
      )
      throw thrown
    }
  }

  async #acquire(): Promise<Channel> {
    const channel = await this.#connection.acquire({ emitErrorsFromChannel: true })
    // What a channel dies of is told to whoever waits for an answer of it; without anybody it must not end the process.
    channel.on('error', (thrown) =>
      this.#host.log.debug('rabbitmq: channel error', { cause: thrown, what: this.#what }),
    )
    try {
      // Whether the client is one that can be published with is to be known when the engine opens.
      return timely(keepBodiesRaw(publishable(channel)), this.#patience)
    } catch (thrown) {
      void channel.close()
      throw thrown
    }
  }

  /** Ends the connection, which comes back: it does not go on. */
  drop(cause: PosthasteError): void {
    if (this.isUp) this.#connection.drop(cause)
  }

  /** Waiting helps no server whose certificate was never accepted; another node of the cluster may have a better one. */
  #isUntrusted(thrown: unknown): boolean {
    return this.generation === 0 && this.#hasOneHost && certificateRemedy(thrown) !== undefined
  }

  #blocked(reason: string | undefined): void {
    this.isBlocked = reason !== undefined
    this.#onBlocked(reason)
  }

  /** It is about to be closed: from here on nobody waits for it to come back. */
  leave(): void {
    this.#isLeaving = true
    if (!this.#isUp) for (const each of this.#waiting) this.#end(each, closedError())
  }

  /** Ends the connection, politely as long as that takes no longer than `patienceMs`. */
  async close(patienceMs: number): Promise<void> {
    if (this.#isClosed) return
    this.leave()
    this.#isClosed = true
    for (const each of this.#waiting) this.#end(each, closedError())
    await new Promise<void>((resolve) => {
      const timer = this.#host.clock.setTimer(patienceMs, resolve)
      const gone = (): void => {
        timer.cancel()
        resolve()
      }
      this.#connection.close().then(gone, gone)
    })
    this.#connection.unsafeDestroy()
  }

  #timedOut(timeoutMs: number): PosthasteError {
    const { message, remedy } = this.#cause
    const last = message.replace(/^\[\w+\] rabbitmq: /, '')
    const text = `rabbitmq: no connection for ${this.#what} within ${timeoutMs} ms; the last cause: ${last}`
    return new PosthasteError('UNAVAILABLE', text, { cause: this.#cause, remedy })
  }

  #end(waiting: Waiting, error: PosthasteError | undefined): void {
    this.#waiting.delete(waiting)
    waiting.timer.cancel()
    if (error === undefined) waiting.resolve()
    else waiting.reject(error)
  }
}

interface Waiting {
  readonly resolve: () => void
  readonly reject: (error: PosthasteError) => void
  readonly timer: Timer
}

/** The engine was closed. */
export function closedError(): PosthasteError {
  return fail('ENGINE_CLOSED', 'the engine is not open')
}

function connectionOptions(settings: Settings, connectionName: string) {
  const { hosts, tls, heartbeatMs, frameBytesMax } = settings
  const url = new URL(settings.url)
  const isSecure = url.protocol === 'amqps:' || tls !== undefined
  const first = `${url.hostname}:${url.port || (isSecure ? 5671 : 5672)}`
  return {
    // The client takes what the url says over anything else, so the parts are passed instead.
    hosts: [first, ...hosts],
    username: settings.username ?? (decodeURIComponent(url.username) || 'guest'),
    password: settings.password ?? (decodeURIComponent(url.password) || 'guest'),
    vhost: settings.vhost ?? decodeURIComponent(url.pathname.split('/')[1] || '/'),
    connectionName,
    heartbeat: Math.ceil(heartbeatMs / 1_000),
    frameMax: frameBytesMax,
    // Back soon after a blip, and gentle with a server that stays away.
    ...{ retryLow: 200, retryHigh: 5_000, noDelay: true },
    ...(isSecure && {
      tls: {
        ...(tls?.ca !== undefined && { ca: tls.ca }),
        ...(tls?.cert !== undefined && { cert: tls.cert }),
        ...(tls?.key !== undefined && { key: tls.key }),
        // An address is no name; what the certificate says of it is compared all the same.
        ...((tls?.serverName !== undefined || isIP(url.hostname) === 0) && {
          servername: tls?.serverName ?? url.hostname,
        }),
      },
    }),
  }
}
