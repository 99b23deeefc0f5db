import {
  type EngineCapabilities,
  type EngineHost,
  type Headers,
  PosthasteError,
  type Timer,
} from '@posthaste/contracts'
import { dial, type LinkDialer, type LinkStream, type StreamSink } from '@posthaste/link/connection'
import { notOpen, sessionLost, unavailable } from './errors.ts'
import type { CheckedOptions } from './options.ts'
import { packParcel, readParcel } from './protocol/calls.ts'
import { streams } from './protocol/methods.ts'
import { patient } from './protocol/patient-clock.ts'
import { receivedCapabilities, type SessionBeginning, type SessionBegun, type SessionNews } from './protocol/session.ts'
import { commonVersion, incompatible, protocolVersions } from './protocol/version.ts'
import type { ServerTime } from './server-time.ts'

/** What lives on a session. */
export interface PresenceListener {
  /** There is a connection: the session goes on, or begins. */
  attached(resumed: boolean): void
  /** There is none for now. */
  detached(): void
  /** The session has ended without our doing: what was in hand is somebody else's. Called while there is no connection. */
  lost(reason: PosthasteError): void
  /** The broker is about to go, and would have back what has not begun. */
  draining(): void
}

/** Wait between two attempts to begin where there is a connection, in milliseconds. */
const againMs = 50
/** Longest wait between two attempts to connect: thousands who lost their broker at once must not keep it from coming back. */
const backoffMsMax = 5_000
/** A broker that thousands come back to takes them one after the other: who waits costs it less than who comes anew. */
const handshakeMsMax = 15_000
const handshakeMsMin = 100
/** How long an orderly end may take. */
const farewellMs = 2_000

const octets = 'application/octet-stream'

/**
 * This process as the broker sees it: one connection, which comes back by itself, and a session that outlives a connection
 * that is lost. The session is given up here before the broker gives it up: the broker counts from when it missed us, and we
 * count from when we last may have heard of it.
 */
export class Presence {
  readonly host: EngineHost
  readonly time: ServerTime
  readonly #options: CheckedOptions
  readonly #dialer: LinkDialer
  readonly #listeners = new Set<PresenceListener>()
  readonly #waiting = new Set<() => void>()
  #session: string
  /** Whether the broker may have the session. */
  #isKnown = false
  #abandoned: string | undefined
  #sessionMs: number
  #control: LinkStream | undefined
  #isAttached = false
  #state: 'opening' | 'open' | 'closed' = 'opening'
  #giveUp: Timer | undefined
  #cause: PosthasteError | undefined
  #capabilities: EngineCapabilities | undefined
  #ended: () => void = () => {}

  constructor(options: CheckedOptions, host: EngineHost, time: ServerTime) {
    this.time = time
    this.#options = options
    this.host = host
    this.#session = newSession()
    this.#sessionMs = options.sessionMs
    const { url, token, tls } = options
    this.#dialer = dial(
      {
        ...{ url, token, tls, agent: host.instance },
        // Within the time that the broker holds a session, it is tried more than once.
        backoffMsMax: Math.min(backoffMsMax, quarterOf(options.sessionMs)),
        handshakeMs: Math.max(handshakeMsMin, Math.min(handshakeMsMax, options.timeoutMs)),
        keepaliveMs: quarterOf(options.sessionMs),
        keepaliveTimeoutMs: quarterOf(options.sessionMs),
        messageBytesMax,
        unfinishedBytesMax: messageBytesMax,
        unsentBytesMax: messageBytesMax,
        streamWindow: windowBytes,
        connectionWindow: 4 * windowBytes,
      },
      { clock: patient(host.clock), log: host.log, random: host.random },
    )
  }

  get isAttached(): boolean {
    return this.#isAttached
  }

  get session(): string {
    return this.#session
  }

  /** What the broker said it can do; undefined before the first answer. */
  get capabilities(): EngineCapabilities | undefined {
    return this.#capabilities
  }

  /** Why there is no connection. */
  get cause(): PosthasteError | undefined {
    return this.#cause
  }

  listen(listener: PresenceListener): () => void {
    this.#listeners.add(listener)
    return () => void this.#listeners.delete(listener)
  }

  /** @throws UNAVAILABLE UNAUTHENTICATED FAILED_PRECONDITION when no broker takes us within the time limit */
  async open(): Promise<void> {
    const deadlineMs = this.host.clock.monotonicMs() + this.#options.timeoutMs
    for (;;) {
      try {
        await this.#begin()
        this.#state = 'open'
        return
      } catch (thrown) {
        const error = PosthasteError.from(thrown, 'UNAVAILABLE', 'broker: connecting')
        if (error.verdict !== 'retryable' || this.host.clock.monotonicMs() > deadlineMs) {
          await this.#dialer.close()
          throw error
        }
      }
      await this.#rest(deadlineMs - this.host.clock.monotonicMs())
    }
  }

  /** Does something a little later: after what a lost connection brings with it. */
  soon(work: () => void): void {
    if (this.#state !== 'closed') this.host.clock.setTimer(againMs, work)
  }

  /** Opens a stream of the session, with its first message. */
  stream(
    method: string,
    body: Uint8Array,
    { sink, metadata = {} }: { sink: StreamSink; metadata?: Headers },
  ): LinkStream {
    return this.#dialer.open({ method, metadata, codec: octets, body }, sink)
  }

  /** Asks one thing, which is one message. */
  unary(
    method: string,
    body: Uint8Array,
    { sink, metadata, timeoutMs }: { sink: StreamSink; metadata: Headers; timeoutMs: number },
  ): LinkStream {
    return this.#dialer.open(
      { method, metadata, codec: octets, body, flags: lastFlag, timeoutMs: Math.ceil(timeoutMs) },
      sink,
    )
  }

  /**
   * Waits for the session, for so long.
   * @throws UNAVAILABLE ENGINE_CLOSED
   */
  async ready(withinMs: number): Promise<void> {
    if (this.#isAttached) return
    if (this.#state === 'closed') throw notOpen()
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#waiting.add(resolve)
    const timer = this.host.clock.setTimer(withinMs, resolve)
    await promise
    timer.cancel()
    this.#waiting.delete(resolve)
    if (this.#isAttached) return
    throw this.#isOver ? notOpen() : unavailable('there is no connection', this.#cause)
  }

  get #isOver(): boolean {
    return this.#state === 'closed'
  }

  /** Leaves in order, so that what is in hand counts as no attempt; at once where there is no connection. */
  async close(): Promise<void> {
    if (this.#state === 'closed') return
    this.#state = 'closed'
    this.#giveUp?.cancel()
    this.#tellWaiting()
    if (this.#isAttached) {
      const { promise, resolve } = Promise.withResolvers<void>()
      this.#ended = resolve
      const timer = this.host.clock.setTimer(farewellMs, resolve)
      this.#control?.end()
      await promise
      timer.cancel()
    }
    this.#isAttached = false
    await this.#dialer.close()
  }

  // ── The session ───────────────────────────────────────────────────────────────────────────────────────────────────

  async #begin(): Promise<void> {
    await this.#dialer.ready()
    const session = this.#session
    const { clock, instance } = this.host
    const [askedMs, askedAtMs] = [clock.monotonicMs(), clock.nowMs()]
    const beginning: SessionBeginning = {
      ...{ version: protocolVersions[0]!, versions: protocolVersions, session, resume: this.#isKnown, instance },
      ...(this.#abandoned === undefined ? {} : { abandoned: this.#abandoned }),
      sessionMs: this.#options.sessionMs,
    }
    const begun = await this.#ask(beginning)
    this.#checkVersion(begun)
    const tookMs = clock.monotonicMs() - askedMs
    const [aheadMs, errorMs] = [begun.nowMs - (askedAtMs + tookMs / 2), tookMs / 2 + 1]
    this.time.measured(aheadMs, errorMs)
    this.host.onClockSkew?.(aheadMs, errorMs)
    this.#capabilities ??= receivedCapabilities(begun.capabilities)
    this.#sessionMs = begun.sessionMs
    this.#attach(session, begun.resumed)
  }

  /** A broker that goes on in another version than it was asked for would be misread. */
  #checkVersion({ version = 1 }: SessionBegun): void {
    if (commonVersion([version]) !== undefined) return
    const error = incompatible(protocolVersions, [version])
    this.#control?.fail(error)
    throw error
  }

  #ask(beginning: SessionBeginning): Promise<SessionBegun> {
    const { promise, resolve, reject } = Promise.withResolvers<SessionBegun>()
    let isBegun = false
    const over = (error: PosthasteError): void => {
      reject(error)
      if (this.#control === stream) this.#detach(error)
    }
    const stream = this.stream(streams.session, packParcel(beginning), {
      sink: {
        message: (body) => {
          const { head } = readParcel(body)
          if (isBegun) this.#told(head as SessionNews)
          else resolve(head as SessionBegun)
          isBegun = true
        },
        ended: () => {
          // A broker that stops waits for it.
          stream.end()
          this.#ended()
          over(unavailable('the broker has ended the session'))
        },
        failed: (error) => {
          this.#ended()
          over(error)
        },
        writable: () => {},
      },
    })
    this.#control = stream
    return promise
  }

  #told(_news: SessionNews): void {
    for (const listener of this.#listeners) listener.draining()
  }

  #attach(session: string, resumed: boolean): void {
    if (this.#state === 'closed') return
    // It was given up while it was being asked for.
    if (session !== this.#session) {
      this.#control?.fail(unavailable('the session was given up'))
      throw unavailable('the session was given up meanwhile')
    }
    this.#giveUp?.cancel()
    this.#giveUp = undefined
    if (this.#isKnown && !resumed) this.#tellLost(sessionLost('the broker does not know it any more'))
    this.#abandoned = undefined
    this.#isKnown = true
    this.#isAttached = true
    this.#cause = undefined
    this.#tellWaiting()
    for (const listener of [...this.#listeners]) listener.attached(resumed)
    this.host.onState('connected')
  }

  #detach(cause: PosthasteError): void {
    this.#control = undefined
    if (!this.#isAttached) return
    this.#isAttached = false
    this.#cause = cause
    for (const listener of [...this.#listeners]) listener.detached()
    if (this.#state === 'closed') return
    this.host.onState('lost', cause)
    // The last sign of life may be as old as the silence that it takes to miss a connection.
    const silenceMs = 2 * quarterOf(this.#options.sessionMs)
    this.#giveUp = this.host.clock.setTimer(Math.max(0, this.#sessionMs - silenceMs), () => this.#lose())
    void this.#return()
  }

  /** Nobody may take it for ours any longer. */
  #lose(): void {
    this.#abandoned = this.#session
    this.#session = newSession()
    this.#isKnown = false
    this.#tellLost(sessionLost('there was no connection for too long'))
  }

  #tellLost(reason: PosthasteError): void {
    for (const listener of [...this.#listeners]) listener.lost(reason)
  }

  async #return(): Promise<void> {
    while (this.#state === 'open' && !this.#isAttached) {
      try {
        await this.#begin()
      } catch (thrown) {
        this.#notTakenBack(PosthasteError.from(thrown, 'UNAVAILABLE', 'broker: connecting'))
        await this.#rest(backoffMsMax)
      }
    }
  }

  /** What does not pass by itself is told once: another release in its place, a token that counts no more. */
  #notTakenBack(cause: PosthasteError): void {
    const isNews = cause.verdict !== 'retryable' && cause.message !== this.#cause?.message
    if (isNews) this.host.log.error('the broker does not take this process back', { cause, remedy: cause.remedy })
    this.#cause = cause
  }

  /** Waits a little; without a connection, until the next attempt to make one begins, but not longer than `mostMs`. */
  async #rest(mostMs: number): Promise<void> {
    const { clock, random } = this.host
    const { promise, resolve } = Promise.withResolvers<void>()
    const waitsForDialer = this.#dialer.state === 'lost'
    const unlisten = waitsForDialer ? this.#dialer.onState(() => resolve()) : () => {}
    const timer = clock.setTimer(waitsForDialer ? Math.max(0, mostMs) : againMs * (0.5 + random()), resolve)
    await promise
    timer.cancel()
    unlisten()
  }

  #tellWaiting(): void {
    for (const resolve of [...this.#waiting]) resolve()
  }
}

const mib = 1024 * 1024
/** Largest message that the broker may send: pages and batches are smaller, a record is as large as it is. */
const messageBytesMax = 160 * mib
const windowBytes = 4 * mib
const lastFlag = 0x01

/** A client that hears nothing for a quarter of its session asks, and for another one waits for the answer. */
function quarterOf(sessionMs: number): number {
  return Math.max(100, Math.floor(sessionMs / 4))
}

function newSession(): string {
  return crypto.randomUUID().replaceAll('-', '')
}
