import type { Msg } from '@nats-io/nats-core'
import type { Note, PosthasteError } from '@posthaste/contracts'
import { ackKinds, tell } from './acks.ts'
import type { Channel } from './channel.ts'
import { serverLeaseMs } from './configs.ts'
import { errorFrom } from './errors.ts'
import { Feed, pullMsFor } from './feed.ts'
import { acknowledgeGone } from './gone.ts'
import { groupOf, handOverOf, Incoming } from './incoming.ts'
import type { Link } from './link.ts'
import type { BucketNames } from './names.ts'
import { Notes, type NotesPlace } from './notes.ts'
import type { ServerTime } from './time.ts'

/** Which range, read how. */
export interface RangeSpec extends NotesPlace {
  readonly stream: string
  readonly consumer: string
  readonly of: Channel
  readonly bucket: BucketNames
}

/** What a reader needs of its subscription. */
export interface RangeHost {
  readonly link: Link
  readonly time: ServerTime
  /** Whether a range is certainly this member's. */
  owns(range: number): boolean
  /** The notes are read; deliveries may follow. */
  onAssigned(range: number, notes: readonly Note[]): void
  /** There is something to deliver, as far as credit allows. */
  onReady(): void
  onGone(cause: PosthasteError): void
  nextTag(): number
}

/** Records read ahead of the credit. */
const windowMax = 256

/** How often it is looked whether what was pending has come again, in milliseconds. */
const lookMs = 25

/** A record that waits to be delivered: fresh from the server, or given back by the core. */
interface Waiting {
  readonly seq: number
  readonly message: Msg
  /** Attempts beyond what the message tells. */
  readonly releases: number
}

/**
 * Reads one range for the member that owns it. After a change of owner, and after an outage, a server hands out what is new
 * before what the former reader had; so nothing is delivered before everything that is pending is here, and then in order.
 */
export class RangeReader {
  readonly range: number
  readonly notes: Notes
  isPaused = false
  /** Whether it goes to somebody else. */
  isRecalled = false
  /** Whether the core was told of it. */
  isAssigned = false
  readonly #spec: RangeSpec
  readonly #host: RangeHost
  #feed: Feed | undefined
  #state: 'opening' | 'recovering' | 'reading' | 'ended' = 'opening'
  #waiting: Waiting[] = []
  /** Delivered and not settled, by sequence. */
  readonly #held = new Map<number, { readonly incoming: Incoming; readonly waiting: Waiting }>()
  readonly #waitingSeqs = new Set<number>()
  #received = 0
  #recoveries = 0
  /** Before this moment somebody who had the range may still be sent records of it. */
  #quietAtMs: number
  readonly #unlisten: () => void

  constructor(spec: RangeSpec, quietMs: number, host: RangeHost) {
    this.range = spec.range
    this.#spec = spec
    this.#host = host
    this.notes = new Notes(host.link, { ...spec, isOurs: () => !this.hasEnded && host.owns(spec.range) })
    this.#quietAtMs = host.link.host.clock.monotonicMs() + quietMs
    this.#unlisten = host.link.listen({ onLost: () => this.#suspend(), onConnected: () => this.#resume() })
    void this.#open()
  }

  get hasEnded(): boolean {
    return this.#state === 'ended'
  }

  /** How many records wait here to be delivered. */
  get fetchedAhead(): number {
    return this.#waiting.length
  }

  /** What may be delivered now, at most so many. */
  take(most: number): readonly Incoming[] {
    if (this.#state !== 'reading' || this.isPaused || this.isRecalled || this.#waiting.length === 0) return []
    const { time, link } = this.#host
    const taken = this.#waiting.splice(0, most)
    const context = { channel: this.#spec.of, time, range: String(this.range), deadlineMs: Number.POSITIVE_INFINITY }
    const batch = taken.map((waiting) => {
      const { seq, message, releases } = waiting
      this.#waitingSeqs.delete(seq)
      const incoming = new Incoming(message, this.#host.nextTag(), { ...context, releases })
      this.#held.set(seq, { incoming, waiting })
      return incoming
    })
    if (link.connected) this.#fill()
    return batch
  }

  /** Given back by the core: it is delivered again, in its place. */
  putBack(incoming: Incoming, countsAttempt: boolean): void {
    const held = this.#held.get(incoming.seq)
    if (held === undefined) return
    this.#held.delete(incoming.seq)
    const releases = held.waiting.releases + (countsAttempt ? 1 : 0)
    this.#insert({ ...held.waiting, releases })
    this.#host.onReady()
  }

  /** Settled for good, and confirmed. */
  settled(incoming: Incoming): void {
    this.#held.delete(incoming.seq)
  }

  /** Ends reading and gives everything that is not settled back at once. */
  async giveUp(): Promise<void> {
    if (this.#state === 'ended') return
    this.#end()
    await this.#feed?.stop()
    const { link } = this.#host
    const replies = [
      ...[...this.#held.values()].filter(({ incoming }) => !incoming.isSettling).map(({ incoming }) => incoming.reply),
      ...this.#waiting.map(({ message }) => message.reply ?? ''),
    ]
    if (!link.connected) return
    await this.#forgetRequests().catch(() => {})
    await tell(link, ackKinds.again, replies).catch(() => {})
  }

  /** Our last request still waits at the server: an old one drops it only when it is asked who waits. */
  async #forgetRequests(): Promise<void> {
    const { link } = this.#host
    if (link.features.ignoresFormerReaders) return
    const { stream, consumer } = this.#spec
    await link.find('range', (manager) => manager.consumers.info(stream, consumer))
  }

  /** Ends reading: what is not settled comes again by itself, to whoever reads then. */
  abandon(): void {
    if (this.#state === 'ended') return
    this.#end()
    void this.#feed?.stop()
  }

  #end(): void {
    this.#state = 'ended'
    this.#recoveries += 1
    this.#unlisten()
  }

  async #open(): Promise<void> {
    const { link } = this.#host
    while (!this.hasEnded && !link.closed) {
      try {
        await this.#sleepUntil(this.#quietAtMs)
        const notes = await this.notes.load()
        if (this.hasEnded) return
        this.#begin(notes)
        return
      } catch (thrown) {
        if (this.hasEnded || link.closed) return
        link.host.log.warn('a key range cannot be read yet', { error: errorFrom(thrown, 'range').message })
        await link.sleep(lookMs * 10)
      }
    }
  }

  #begin(notes: readonly Note[]): void {
    const { link } = this.#host
    const { stream, consumer } = this.#spec
    if (this.isRecalled) return
    this.isAssigned = true
    this.#host.onAssigned(this.range, notes)
    const pullMs = pullMsFor(link.settings.leaseMs)
    this.#feed = new Feed(
      link,
      { stream, consumer, pullMs },
      {
        onMessage: (message) => this.#receive(message),
        onIdle: () => this.#fill(),
        onGone: (cause) => this.#host.onGone(cause),
      },
    )
    this.#recover()
  }

  // ── Reading ───────────────────────────────────────────────────────────────────────────────────────────────────────

  #fill(): void {
    if (this.#state !== 'reading' || this.#feed === undefined || this.isRecalled) return
    const ahead = this.#feed.asked + this.#waiting.length
    if (ahead <= windowMax / 2) this.#feed.pull(windowMax - ahead)
  }

  #receive(message: Msg): void {
    this.#received += 1
    if (this.#state === 'ended') {
      message.respond(ackKinds.again)
      return
    }
    const { seq } = handOverOf(message.reply ?? '')
    const addressee = groupOf(message.subject)
    if (addressee !== undefined && addressee !== this.#spec.group) {
      // One filter per consumer: what is for another group comes along, and is nothing to us.
      message.respond(ackKinds.done)
      this.#fill()
      return
    }
    // It is here already: nobody has extended its lease at the server, but nobody else reads the range.
    if (this.#held.has(seq) || this.#waitingSeqs.has(seq)) {
      this.#fill()
      return
    }
    const wasEmpty = this.#waiting.length === 0
    this.#insert({ seq, message, releases: 0 })
    if (wasEmpty && this.#state === 'reading') this.#host.onReady()
  }

  /** In the order of the stream; what comes is nearly always the newest. */
  #insert(waiting: Waiting): void {
    this.#waitingSeqs.add(waiting.seq)
    let at = this.#waiting.length
    while (at > 0 && (this.#waiting[at - 1] as Waiting).seq > waiting.seq) at -= 1
    this.#waiting.splice(at, 0, waiting)
  }

  // ── Recovering ────────────────────────────────────────────────────────────────────────────────────────────────────

  #suspend(): void {
    if (this.#feed === undefined || this.hasEnded) return
    // A connection that is only half dead may still be given what was asked for on it.
    this.#quietAtMs = this.#feed.quietAtMs
    this.#feed.reset()
    this.#state = 'recovering'
    this.#recoveries += 1
  }

  #resume(): void {
    if (this.#state === 'recovering') this.#recover()
  }

  #recover(): void {
    this.#state = 'recovering'
    this.#recoveries += 1
    void this.#recoverAs(this.#recoveries)
  }

  async #recoverAs(recovery: number): Promise<void> {
    const { link } = this.#host
    const { clock } = link.host
    let pullAtMs = 0
    await this.#sleepUntil(this.#quietAtMs)
    while (recovery === this.#recoveries && !link.closed) {
      const missing = await this.#missing().catch(() => undefined)
      if (recovery !== this.#recoveries) return
      if (missing === 0) {
        this.#state = 'reading'
        this.#fill()
        this.#host.onReady()
        return
      }
      if (missing !== undefined && this.#feed?.asked === 0 && clock.monotonicMs() >= pullAtMs) {
        await this.#keepWaiting().catch(() => {})
        if (recovery !== this.#recoveries) return
        // What is pending comes first as soon as it may; until then this brings what is new, so it must not be often.
        this.#feed.pull(missing)
        pullAtMs = clock.monotonicMs() + serverLeaseMs(link.settings.leaseMs) / 4
      }
      await link.sleep(lookMs)
    }
  }

  /** Has the server send nothing again that is here, and wait for nothing that is gone. */
  async #keepWaiting(): Promise<void> {
    const { link } = this.#host
    await acknowledgeGone(link, this.#spec)
    const replies = this.#waiting.map(({ message }) => message.reply ?? '')
    await tell(link, ackKinds.inProgress, replies)
  }

  /** How much of what is pending at the server is not here; undefined while that cannot be told. */
  async #missing(): Promise<number | undefined> {
    const { stream, consumer } = this.#spec
    const before = this.#received
    const info = await this.#host.link.admin('range', (manager) => manager.consumers.info(stream, consumer))
    if (this.#received !== before) return undefined
    let here = this.#waiting.length
    for (const { incoming } of this.#held.values()) if (!incoming.isSettling) here += 1
    const missing = Math.max(0, info.num_ack_pending - here)
    return missing > 0 && here < this.#waiting.length + this.#held.size ? undefined : missing
  }

  async #sleepUntil(atMs: number): Promise<void> {
    const { link } = this.#host
    const leftMs = atMs - link.host.clock.monotonicMs()
    if (leftMs > 0) await link.sleep(leftMs)
  }
}
