import { type Msg, nanos, headers as noHeaders, type Subscription } from '@nats-io/nats-core'
import { PosthasteError, type Timer } from '@posthaste/contracts'
import type { Link } from './link.ts'

/** Which consumer to read. */
export interface FeedSpec {
  readonly stream: string
  readonly consumer: string
  /** How long a pull waits at the server, in milliseconds: afterwards nothing comes for it any more. */
  readonly pullMs: number
}

/** Who reads. */
export interface FeedSink {
  onMessage(message: Msg): void
  /** Less is on its way than was asked for: ask again. */
  onIdle(): void
  /** The consumer does not exist any more. */
  onGone(cause: PosthasteError): void
}

/** How long a server may be late with the end of a pull, in milliseconds. */
const graceMs = 1_000

/** Before a consumer that nobody answers for is asked again, in milliseconds. */
const retryMs = 200

const status = { noResponders: 503, timeout: 408, conflict: 409, notFound: 404 } as const

/** Pulls messages of one consumer. */
export class Feed {
  readonly #link: Link
  readonly #spec: FeedSpec
  readonly #sink: FeedSink
  readonly #subject: string
  readonly #inbox: string
  readonly #expires: number
  #subscription: Subscription | undefined
  #asked = 0
  #pulls = 0
  /** When the last pull was sent, on the monotonic clock. */
  #pulledAtMs = Number.NEGATIVE_INFINITY
  #timer: Timer | undefined
  #stopped = false

  constructor(link: Link, spec: FeedSpec, sink: FeedSink) {
    this.#link = link
    this.#spec = spec
    this.#sink = sink
    this.#subject = `$JS.API.CONSUMER.MSG.NEXT.${spec.stream}.${spec.consumer}`
    this.#inbox = link.inbox()
    this.#expires = nanos(spec.pullMs)
    this.#subscription = link.connection.subscribe(`${this.#inbox}.*`, {
      callback: (_error, message) => this.#receive(message),
    })
  }

  /** How many messages may still come for what was asked. */
  get asked(): number {
    return this.#asked
  }

  /** When nothing can come any more for pulls sent so far, on the monotonic clock. */
  get quietAtMs(): number {
    return this.#pulledAtMs + this.#spec.pullMs
  }

  /** Asks for this many more. Does nothing without a connection: `onIdle` comes with it. */
  pull(count: number): void {
    if (this.#stopped || !this.#link.connected) return
    this.#asked += count
    this.#pulls += 1
    this.#pulledAtMs = this.#link.host.clock.monotonicMs()
    const reply = `${this.#inbox}.${this.#pulls.toString(36)}`
    try {
      this.#link.connection.publish(this.#subject, `{"batch":${count},"expires":${this.#expires}}`, { reply })
    } catch {
      // The connection is being closed.
    }
    this.#watch()
  }

  /** The connection was lost: what was asked for on it will not come. */
  reset(): void {
    this.#asked = 0
  }

  /** Reads nothing more. Resolves when everything that was on its way is there. */
  async stop(): Promise<void> {
    if (this.#stopped) return
    this.#stopped = true
    this.#timer?.cancel()
    const subscription = this.#subscription
    this.#subscription = undefined
    if (subscription === undefined || subscription.isClosed()) return
    // The server takes back what finds nobody listening, so that draining loses nothing and counts nothing.
    if (this.#link.connected) await subscription.drain().catch(() => {})
    else subscription.unsubscribe()
  }

  #receive(message: Msg): void {
    if (message.subject.startsWith(this.#inbox)) {
      this.#hearStatus(message)
      return
    }
    if (this.#asked > 0) this.#asked -= 1
    this.#sink.onMessage(message)
  }

  #hearStatus(message: Msg): void {
    if (this.#stopped) return
    const { code, description } = message.headers ?? noHeaders()
    const gone = code === status.conflict && /(consumer|stream) deleted/i.test(description)
    if (gone) {
      this.#sink.onGone(
        new PosthasteError('UNAVAILABLE', `${this.#spec.consumer} of ${this.#spec.stream}: ${description}`),
      )
      return
    }
    const pending = Number(message.headers?.get('Nats-Pending-Messages') || Number.NaN)
    if (code === status.timeout && !Number.isNaN(pending)) {
      this.#asked = Math.max(0, this.#asked - pending)
      this.#sink.onIdle()
      return
    }
    this.#asked = 0
    if (code === status.timeout) this.#sink.onIdle()
    else this.#retry()
  }

  /** Nobody answers, or the server changes: in a moment it may, or the consumer turns out to be gone. */
  #retry(): void {
    this.#timer?.cancel()
    this.#timer = this.#link.host.clock.setTimer(retryMs, () => {
      this.#timer = undefined
      void this.#verify()
    })
  }

  async #verify(): Promise<void> {
    const { stream, consumer } = this.#spec
    try {
      const info = await this.#link.find(`consumer ${consumer}`, (manager) => manager.consumers.info(stream, consumer))
      if (this.#stopped) return
      if (info !== undefined) this.#sink.onIdle()
      else this.#sink.onGone(new PosthasteError('NOT_FOUND', `consumer ${consumer} of ${stream} is gone`))
    } catch {
      if (!this.#stopped && !this.#link.closed) this.#retry()
    }
  }

  /** A pull whose end was never told is over all the same. */
  #watch(): void {
    if (this.#timer !== undefined) return
    const { clock } = this.#link.host
    const endMs = this.quietAtMs + graceMs
    this.#timer = clock.setTimer(Math.max(1, endMs - clock.monotonicMs()), () => {
      this.#timer = undefined
      if (this.#stopped || this.#asked === 0) return
      if (clock.monotonicMs() < this.quietAtMs + graceMs) {
        this.#watch()
        return
      }
      this.#asked = 0
      this.#sink.onIdle()
    })
  }
}

/** How long pulls wait: short enough that a process that is cut off is not given records for long. */
export function pullMsFor(leaseMs: number): number {
  return Math.max(250, Math.min(5_000, Math.floor(leaseMs / 3)))
}
