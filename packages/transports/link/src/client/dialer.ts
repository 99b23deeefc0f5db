import { PosthasteError, type Timer } from '@posthaste/contracts'
import type { DialerState, LinkDialer, LinkHost, ServerTerms } from '../connection/options.ts'
import type { Pipe } from '../connection/pipe.ts'
import { Sweeper } from '../connection/sweeper.ts'
import type { LinkStream, OutgoingStream, StreamSink } from '../connection/types.ts'
import { ChunkPool } from '../wire/batch.ts'
import { Attempt } from './attempt.ts'
import { ClientConnection, type ClientOwner, type ClientShare } from './client-connection.ts'
import { ClientStream } from './client-stream.ts'
import type { DialSettings } from './dial-options.ts'
import { asNotSent } from './not-sent.ts'
import { refuse, Waiting } from './waiting.ts'

/** A connection that lives so long has come about for good: the next loss is answered as quickly as the first. */
const settledMs = 1_000

/** How long a server may take to close its side once there is nothing more to wait for. */
const farewellMs = 250

/** A server may ask for a pause, and not for a client to stay away for good. */
const retryAfterMsMost = 3_600_000

/** More would overflow, and the longest wait is reached long before. */
const doublingsMax = 30

const lost = new PosthasteError('UNAVAILABLE', 'no connection has been made yet')

/** A {@link LinkDialer}: one connection to open streams on, and any number that only end what runs on them. */
export class Dialer implements LinkDialer, ClientOwner {
  state: DialerState = 'idle'
  terms: ServerTerms | undefined
  readonly #settings: DialSettings
  readonly #host: LinkHost
  readonly #share: ClientShare
  readonly #waiting = new Waiting()
  readonly #sweeper: Sweeper<ClientConnection>
  readonly #listeners = new Set<(state: DialerState, cause: Error | undefined) => void>()
  #waiters: PromiseWithResolvers<void>[] = []
  #current: ClientConnection | undefined
  #connectedAtMs = 0
  #attempt: Attempt | undefined
  #timer: Timer | undefined
  #failures = 0
  /** Until when streams wait for the next connection, though attempts fail. */
  #patientUntilMs = 0
  #lastError: PosthasteError = lost
  #closed: PromiseWithResolvers<void> | undefined

  constructor(settings: DialSettings, host: LinkHost) {
    this.#settings = settings
    this.#host = host
    const { clock, log } = host
    const { limits, agent, compression } = settings
    this.#share = { clock, log, limits, agent, compression, pool: new ChunkPool(), owner: this }
    this.#sweeper = new Sweeper(clock, limits)
  }

  open(opening: OutgoingStream, sink: StreamSink): LinkStream {
    const stream = new ClientStream(opening, sink, this.#waiting)
    const current = this.#current
    if (current?.hasRoom === true && this.#waiting.size === 0) this.#place(stream, current)
    else this.#wait(stream)
    return stream
  }

  onState(listener: (state: DialerState, cause: Error | undefined) => void): () => void {
    // Wrapped, so that the same function may listen twice.
    const own: typeof listener = (state, cause) => listener(state, cause)
    this.#listeners.add(own)
    return () => this.#listeners.delete(own)
  }

  ready(): Promise<void> {
    if (this.state === 'connected') return Promise.resolve()
    if (this.state === 'lost' || this.state === 'closed') return Promise.reject(this.#lastError)
    const waiter = Promise.withResolvers<void>()
    this.#waiters.push(waiter)
    if (this.state === 'idle') this.#connect()
    return waiter.promise
  }

  close(graceMs = 0): Promise<void> {
    this.#closed ??= this.#close()
    if (graceMs <= 0) this.#stop()
    else if (this.#sweeper.size > 0) this.#host.clock.setTimer(graceMs, () => this.#stop())
    return this.#closed.promise
  }

  connected(connection: ClientConnection, terms: ServerTerms): void {
    if (this.state === 'closed') {
      connection.drain()
      return
    }
    this.#current = connection
    this.#connectedAtMs = this.#host.clock.monotonicMs()
    this.#patientUntilMs = 0
    this.terms = terms
    this.#enter('connected', undefined)
    this.#settleWaiters(undefined)
    this.room(connection)
  }

  leaving(connection: ClientConnection, error: PosthasteError | undefined): void {
    if (connection !== this.#current) return
    this.#current = undefined
    if (this.state === 'closed') return
    if (error !== undefined) {
      this.#lose(error)
      return
    }
    const nowMs = this.#host.clock.monotonicMs()
    // A server that goes as soon as it has come is approached as slowly as one that does not come.
    this.#failures = this.#isSettled(nowMs) ? 0 : Math.min(this.#failures + 1, doublingsMax)
    this.#patientUntilMs = nowMs + this.#settings.handoverMs
    this.#timer = this.#host.clock.setTimer(this.#backoffMs(), () => this.#connect())
    this.#enter('connecting', undefined)
  }

  moved(stream: ClientStream): void {
    this.#wait(stream)
  }

  room(connection: ClientConnection): void {
    while (this.#waiting.size > 0 && connection === this.#current && connection.hasRoom) {
      const stream = this.#waiting.take() as ClientStream
      this.#place(stream, connection)
    }
  }

  gone(connection: ClientConnection, cause: PosthasteError): void {
    this.#sweeper.remove(connection)
    if (this.state === 'closed') {
      if (this.#sweeper.size === 0) this.#closed?.resolve()
    } else if (connection === this.#current || connection.terms === undefined) {
      this.#current = undefined
      this.#lose(cause)
    }
  }

  #place(stream: ClientStream, connection: ClientConnection): void {
    try {
      connection.open(stream, this.#host.clock.monotonicMs())
    } catch (thrown) {
      const error = asNotSent(PosthasteError.from(thrown, 'INVALID_ARGUMENT', 'the stream cannot be opened'))
      queueMicrotask(() => refuse(stream, error))
    }
  }

  #wait(stream: ClientStream): void {
    const { state } = this
    if (state === 'lost' || state === 'closed') {
      refuseSoon(stream, asNotSent(this.#lastError))
      return
    }
    if (this.#waiting.size >= this.#settings.waitingMax) {
      refuseSoon(stream, tooManyWait(this.#settings))
      return
    }
    this.#waiting.add(stream, this.#host.clock.monotonicMs())
    if (state === 'idle') this.#connect()
  }

  #connect(): void {
    this.#timer = undefined
    if (this.state !== 'connecting') this.#enter('connecting', undefined)
    this.#attempt = new Attempt(this.#settings, this.#host, {
      connected: (pipe, token) => this.#greet(pipe, token),
      failed: (error) => this.#lose(error),
    })
  }

  #greet(pipe: Pipe, token: string | undefined): void {
    this.#attempt = undefined
    try {
      this.#sweeper.add(new ClientConnection(pipe, token, this.#share))
    } catch (thrown) {
      pipe.destroy()
      this.#lose(PosthasteError.from(thrown, 'CONFIG_INVALID', 'the client cannot greet the server'))
    }
  }

  /** An attempt failed, or the connection is gone. */
  #lose(error: PosthasteError): void {
    const { clock } = this.#host
    const nowMs = clock.monotonicMs()
    this.#attempt = undefined
    this.#lastError = error
    if (this.state === 'connected' && this.#isSettled(nowMs)) this.#failures = 0
    const waitMs = Math.max(Math.min(error.retryAfterMs ?? 0, retryAfterMsMost), this.#backoffMs())
    const patientMs = this.#patientUntilMs - nowMs
    this.#failures = Math.min(this.#failures + 1, doublingsMax)
    // While streams wait, one attempt is made at the end of their patience at the latest.
    this.#timer = clock.setTimer(patientMs > 0 ? Math.min(waitMs, patientMs) : waitMs, () => this.#connect())
    if (patientMs > 0) return
    this.#enter('lost', error)
    this.#settleWaiters(error)
    this.#waiting.failAll(asNotSent(error))
  }

  #close(): PromiseWithResolvers<void> {
    const closing = Promise.withResolvers<void>()
    this.#timer?.cancel()
    this.#attempt?.cancel()
    this.#current = undefined
    this.#lastError = new PosthasteError('UNAVAILABLE', 'the client is closed', { remedy: 'Make a new client.' })
    this.#enter('closed', undefined)
    this.#settleWaiters(this.#lastError)
    this.#waiting.failAll(asNotSent(this.#lastError))
    for (const connection of this.#sweeper.members()) connection.drain()
    if (this.#sweeper.size === 0) closing.resolve()
    return closing
  }

  /** Cancels what runs. A server that is there closes its side at once, and one that is not is not waited for. */
  #stop(): void {
    for (const connection of this.#sweeper.members()) connection.stop()
    if (this.#sweeper.size === 0) return
    this.#host.clock.setTimer(farewellMs, () => {
      for (const connection of this.#sweeper.members()) connection.destroy()
    })
  }

  #enter(state: DialerState, cause: PosthasteError | undefined): void {
    if (state === this.state) return
    this.state = state
    for (const listener of [...this.#listeners]) {
      try {
        listener(state, cause)
      } catch (thrown) {
        this.#host.log.error('a listener to the state of a link client failed', { error: thrown })
      }
    }
  }

  #settleWaiters(error: PosthasteError | undefined): void {
    const waiters = this.#waiters
    this.#waiters = []
    for (const waiter of waiters) {
      if (error === undefined) waiter.resolve()
      else waiter.reject(error)
    }
  }

  #isSettled(nowMs: number): boolean {
    return nowMs - this.#connectedAtMs >= settledMs
  }

  /** The wait before the next attempt: anything up to a bound that doubles with each failure (full jitter). */
  #backoffMs(): number {
    const { backoffMs, backoffMsMax } = this.#settings
    return (this.#host.random?.() ?? 0.5) * Math.min(backoffMsMax, backoffMs * 2 ** this.#failures)
  }
}

function refuseSoon(stream: ClientStream, error: PosthasteError): void {
  queueMicrotask(() => refuse(stream, error))
}

function tooManyWait({ waitingMax }: DialSettings): PosthasteError {
  const what = `${waitingMax} streams wait for a connection already`
  return new PosthasteError('OVERLOADED', what, { notSent: true })
}
