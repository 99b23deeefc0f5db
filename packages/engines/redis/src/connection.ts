import { type EngineHost, PosthasteError, type Timer } from '@posthaste/contracts'
import { connectError, notOpen, serverError, silent, unavailable } from './errors.ts'
import { Link } from './link.ts'
import type { CheckedOptions } from './options.ts'
import { Unpacker } from './wire.ts'

/** What the engine does when its connection comes and goes. */
export interface ConnectionEvents {
  message(channel: string, text: string): void
  /** There is a link again; calls of `resume` alone are let through until this resolves. */
  resume(link: Link): Promise<void>
  lost(cause: PosthasteError): void
  resumed(): void
}

/** How a call is made. */
export interface CallHow {
  /** On the monotonic clock; after the engine's time limit if absent. */
  readonly deadlineMs?: number
  /** Whether it may be made again when the connection is lost with it under way. */
  readonly repeatable?: boolean
}

interface TimedCall {
  readonly operation: string
  readonly packed: Buffer
  readonly deadlineMs: number
}

/** An answer of the script. */
export interface Answer {
  readonly reply: Unpacker
  /** It was made before, and nobody knows what became of that. */
  readonly repeated: boolean
}

/** Time to read what has arrived while the process was busy. */
const graceMs = 50

const backoffMs = { first: 50, max: 2_000 } as const

/** The engine's connection: it is kept up, and calls wait for it within their time. */
export class Connection {
  readonly #options: CheckedOptions
  readonly #host: EngineHost
  readonly #events: ConnectionEvents
  readonly #channels = new Set<string>()
  /** Who waits for a link, told at the next one or at their deadline. */
  readonly #waiting = new Set<() => void>()
  #link: Link | undefined
  #attempts = 0
  #retry: Timer | undefined
  #closed = false
  #cause: PosthasteError | undefined

  constructor(options: CheckedOptions, host: EngineHost, events: ConnectionEvents) {
    this.#options = options
    this.#host = host
    this.#events = events
  }

  get isUp(): boolean {
    return this.#link !== undefined
  }

  /** The one in use, if there is one. */
  get link(): Link | undefined {
    return this.#link
  }

  /** The first link. @throws UNAVAILABLE UNAUTHENTICATED */
  async open(channels: readonly string[]): Promise<void> {
    for (const channel of channels) this.#channels.add(channel)
    await this.#connect()
  }

  close(): void {
    this.#closed = true
    this.#retry?.cancel()
    this.#link?.close()
    this.#link = undefined
    this.#tellWaiting()
  }

  // ── Links ─────────────────────────────────────────────────────────────────────────────────────────────────────────

  async #connect(): Promise<void> {
    const name = `posthaste-${this.#host.instance}`
    const link = new Link(this.#options, name, {
      message: (channel, text) => this.#events.message(channel, text),
      lost: (cause) => this.#lost(link, cause),
    })
    // A server that takes connections and says nothing must not be waited for.
    const patienceMs = Math.min(this.#options.timeoutMs, 10_000)
    let isSilent = false
    const patience = this.#host.clock.setTimer(patienceMs, () => {
      isSilent = true
      link.close()
    })
    try {
      await link.open([...this.#channels])
      await this.#events.resume(link)
      if (!link.isOpen) throw new Error('the connection was lost again')
    } catch (thrown) {
      link.close()
      const where = `${this.#options.host}:${this.#options.port}`
      throw isSilent ? silent(where, patienceMs) : connectError(where, thrown)
    } finally {
      patience.cancel()
    }
    if (this.#closed) {
      link.close()
      throw notOpen()
    }
    this.#link = link
    this.#attempts = 0
    this.#cause = undefined
    this.#tellWaiting()
    this.#events.resumed()
  }

  #lost(link: Link, thrown: Error): void {
    if (this.#link !== link) return
    this.#link = undefined
    const { host, port } = this.#options
    this.#cause = unavailable(`the connection to ${host}:${port} is lost: ${thrown.message}`, thrown)
    this.#events.lost(this.#cause)
    this.#later()
  }

  /** Tries again, later each time, and not all processes at once. */
  #later(): void {
    if (this.#closed) return
    // Often enough to be back in time.
    const maxMs = Math.min(backoffMs.max, this.#options.reconnectMs / 5)
    const longestMs = Math.min(maxMs, backoffMs.first * 2 ** this.#attempts)
    this.#attempts += 1
    const delayMs = longestMs * (0.5 + this.#host.random() / 2)
    this.#retry = this.#host.clock.setTimer(delayMs, () => {
      if (this.#closed) return
      this.#connect().catch((thrown: unknown) => {
        this.#cause = PosthasteError.from(thrown, 'UNAVAILABLE', 'redis')
        this.#host.log.debug('redis cannot be reached', { attempts: this.#attempts, cause: this.#cause })
        this.#later()
      })
    })
  }

  /** Gives up a link that does not answer any more. */
  reset(why: string): void {
    const link = this.#link
    if (link === undefined) return
    link.close()
    this.#lost(link, new Error(why))
  }

  #tellWaiting(): void {
    const waiting = [...this.#waiting]
    this.#waiting.clear()
    for (const tell of waiting) tell()
  }

  /** The link, now or before the deadline. */
  async #linkBefore(deadlineMs: number, what: string): Promise<Link> {
    while (this.#link === undefined) {
      if (this.#closed) throw notOpen()
      const leftMs = deadlineMs - this.#host.clock.monotonicMs()
      if (leftMs <= 0) throw this.#unreached(what)
      await new Promise<void>((resolve) => {
        const timer = this.#host.clock.setTimer(leftMs, () => {
          this.#waiting.delete(tell)
          resolve()
        })
        const tell = () => {
          timer.cancel()
          resolve()
        }
        this.#waiting.add(tell)
      })
    }
    return this.#link
  }

  #unreached(what: string): PosthasteError {
    const text = `redis: ${what}: not sent within ${this.#options.timeoutMs} ms, there is no connection`
    return new PosthasteError('UNAVAILABLE', text, { cause: this.#cause, notSent: true })
  }

  // ── Calls ─────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Calls the script. @throws UNAVAILABLE and what the server says */
  async call(operation: string, packed: Buffer, how: CallHow = {}): Promise<Answer> {
    const { clock } = this.#host
    const { deadlineMs = clock.monotonicMs() + this.#options.timeoutMs, repeatable = false } = how
    for (let repeated = false; ; repeated = true) {
      const link = this.#link ?? (await this.#linkBefore(deadlineMs, operation))
      try {
        return { reply: await this.#callOn(link, { operation, packed, deadlineMs }), repeated }
      } catch (thrown) {
        const isLost = this.#link !== link
        if (isLost && repeatable && !this.#closed && clock.monotonicMs() < deadlineMs) continue
        throw isLost ? unavailable(`${operation}: the connection was lost before the answer`, thrown) : thrown
      }
    }
  }

  /** Calls the script on a link that need not be in use yet. */
  async callOn(link: Link, operation: string, packed: Buffer): Promise<Unpacker> {
    return this.#callOn(link, {
      operation,
      packed,
      deadlineMs: this.#host.clock.monotonicMs() + this.#options.timeoutMs,
    })
  }

  async #callOn(link: Link, { operation, packed, deadlineMs }: TimedCall): Promise<Unpacker> {
    const { clock } = this.#host
    const giveUp = () => {
      if (this.#link === link) this.reset(`${operation} was not answered in time`)
      else link.close()
    }
    let timer = clock.setTimer(Math.max(1, deadlineMs - clock.monotonicMs()), () => {
      // If it was this process that was busy, the answer is here and only has to be read.
      timer = clock.setTimer(graceMs, giveUp)
    })
    try {
      return new Unpacker(await link.run(operation, packed))
    } catch (thrown) {
      throw serverError(operation, thrown)
    } finally {
      timer.cancel()
    }
  }

  // ── What others tell ──────────────────────────────────────────────────────────────────────────────────────────────

  /** Listens to a channel from here on, over reconnects. What is told while there is no link is missed. */
  async listen(channel: string): Promise<void> {
    this.#channels.add(channel)
    await this.#link?.subscribe(channel).catch(() => {})
  }

  unlisten(channel: string): void {
    this.#channels.delete(channel)
    this.#link?.unsubscribe(channel).catch(() => {})
  }
}
