import type { Msg } from '@nats-io/nats-core'
import {
  type DeliverySink,
  type DeliveryTag,
  type EngineSubscription,
  type Outcome,
  type OutgoingRecord,
  type PosthasteError,
  type ReleaseSettlement,
  SerialTable,
  type Settlement,
  type Timer,
} from '@posthaste/contracts'
import { ackKinds, tell } from './acks.ts'
import type { Channel } from './channel.ts'
import { lost } from './errors.ts'
import { Feed, pullMsFor } from './feed.ts'
import { groupOf, Incoming } from './incoming.ts'
import type { Link } from './link.ts'
import type { Publisher } from './publisher.ts'
import { SettlementBatch, UnderWay } from './settling.ts'
import type { ServerTime } from './time.ts'

/** What subscriptions need of the engine. */
export interface SubscriptionSurroundings {
  readonly link: Link
  readonly time: ServerTime
  readonly publisher: Publisher
  /** Gone: takes itself off the list of those to be closed with the engine. */
  readonly onStopped: (subscription: EngineSubscription) => Promise<void>
  /** A delivery was acknowledged. */
  readonly onSettled: (channel: Channel, settled: Incoming) => void
}

/** Which group of which channel, for whom. */
export interface Membership {
  readonly channel: Channel
  readonly group: string
  readonly consumer: string
  readonly sink: DeliverySink
}

/**
 * A member of a group without key ranges: members compete for the records of one consumer. Attempts are exact because the
 * server's own counter counts vanished members only: whatever else gives a record back replaces it by a copy that carries
 * the number of its attempts.
 */
export class CompetingSubscription implements EngineSubscription {
  readonly #surroundings: SubscriptionSurroundings
  readonly #membership: Membership
  readonly #feed: Feed
  readonly #held = new SerialTable<Incoming>()
  readonly #underWay = new UnderWay()
  #fresh: Incoming[] = []
  #credit = 0
  #nextTag = 1
  /** Begins the ids of copies: nobody else has it. */
  readonly #copies: string
  /** Of what was handed to this member. */
  #highestSeq = 0
  #pullAsked = false
  #sweepTimer: Timer | undefined
  #stopping: Promise<void> | undefined
  readonly #unlisten: () => void

  constructor(membership: Membership, surroundings: SubscriptionSurroundings) {
    this.#membership = membership
    this.#surroundings = surroundings
    const { link } = surroundings
    this.#copies = link.inbox().slice('_INBOX.'.length)
    const spec = {
      stream: membership.channel.names.stream,
      consumer: membership.consumer,
      pullMs: pullMsFor(link.settings.leaseMs),
    }
    this.#feed = new Feed(link, spec, {
      onMessage: (message) => this.#receive(message),
      onIdle: () => this.#askSoon(),
      onGone: (cause) => this.#end(cause),
    })
    this.#unlisten = link.listen({
      onLost: () => this.#feed.reset(),
      onConnected: () => this.#askSoon(),
    })
  }

  grant(credit: number): void {
    this.#credit += credit
    this.#askSoon()
  }

  settle(batch: readonly Settlement[]): Promise<readonly Outcome[]> {
    return this.#underWay.run(() => this.#settle(batch))
  }

  async extend(tags: readonly DeliveryTag[]): Promise<void> {
    const { link } = this.#surroundings
    const held = tags.map((tag) => this.#held.get(tag)).filter((each) => each !== undefined)
    const deadlineMs = link.host.clock.monotonicMs() + link.settings.leaseMs
    const { inProgress } = ackKinds
    await tell(
      link,
      inProgress,
      held.map(({ reply }) => reply),
    )
    for (const each of held) each.deadlineMs = deadlineMs
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#stop()
    return this.#stopping
  }

  async #stop(): Promise<void> {
    await this.#feed.stop()
    await this.#underWay.ended()
    const unsettled = this.#held.values().filter(({ isSettling }) => !isSettling)
    if (unsettled.length > 0 && this.#surroundings.link.connected) {
      const handBack = unsettled.map(({ tag }): Settlement => ({ kind: 'release', tag, countsAttempt: false }))
      await this.#settle(handBack)
    }
    await this.#leave()
  }

  #leave(): Promise<void> {
    this.#unlisten()
    this.#sweepTimer?.cancel()
    this.#held.clear()
    return this.#surroundings.onStopped(this)
  }

  /** The subscription ended by itself. */
  #end(cause: PosthasteError): void {
    if (this.#stopping !== undefined) return
    this.#stopping = Promise.all([this.#feed.stop(), this.#leave()]).then(() => {})
    this.#membership.sink.closed(cause)
  }

  // ── Receiving ─────────────────────────────────────────────────────────────────────────────────────────────────────

  #askSoon(): void {
    if (this.#pullAsked || this.#stopping !== undefined) return
    this.#pullAsked = true
    queueMicrotask(() => {
      this.#pullAsked = false
      if (this.#stopping === undefined) this.#ask()
    })
  }

  /** In portions: a pull for each acknowledged record would double what the server has to do. */
  #ask(): void {
    const { asked } = this.#feed
    const wanted = this.#credit - asked
    if (wanted > 0 && asked * 2 <= this.#credit) this.#feed.pull(wanted)
  }

  #receive(message: Msg): void {
    const { group, channel } = this.#membership
    const { link, time } = this.#surroundings
    const addressee = groupOf(message.subject)
    if (addressee !== undefined && addressee !== group) {
      // One filter per consumer: what is for another group comes along, and is nothing to us.
      message.respond(ackKinds.done)
      this.#askSoon()
      return
    }
    const deadlineMs = link.host.clock.monotonicMs() + link.settings.leaseMs
    const incoming = new Incoming(message, this.#nextTag, { channel, time, deadlineMs })
    if (incoming.seq > this.#highestSeq) this.#highestSeq = incoming.seq
    else if (this.#isHere(incoming)) {
      this.#askSoon()
      return
    }
    this.#nextTag += 1
    this.#held.set(incoming.tag, incoming)
    this.#fresh.push(incoming)
    if (this.#fresh.length === 1) queueMicrotask(() => this.#deliver())
    this.#sweepLater()
  }

  /**
   * A server that was killed may have forgotten what it had handed over, and does so again: what is in hand here stays so,
   * under its new lease.
   */
  #isHere({ seq, deadlineMs }: Incoming): boolean {
    for (const held of this.#held.values()) {
      if (held.seq !== seq) continue
      held.deadlineMs = deadlineMs
      return true
    }
    return false
  }

  #deliver(): void {
    const batch = this.#fresh
    this.#fresh = []
    // What comes while the subscription stops goes back with the rest.
    if (this.#stopping !== undefined) return
    this.#credit -= batch.length
    this.#membership.sink.deliver(batch)
    if (this.#credit > 0) this.#askSoon()
  }

  #sweepLater(): void {
    if (this.#sweepTimer !== undefined) return
    const { clock } = this.#surroundings.link.host
    this.#sweepTimer = clock.setTimer(this.#surroundings.link.settings.leaseMs / 8, () => {
      this.#sweepTimer = undefined
      this.#sweep(clock.monotonicMs())
      if (this.#held.size > 0) this.#sweepLater()
    })
  }

  /** Tells of deliveries whose lease has ended: they are, or soon will be, somebody else's. */
  #sweep(nowMs: number): void {
    const gone: DeliveryTag[] = []
    for (const { tag, deadlineMs, isSettling } of this.#held.values()) {
      if (deadlineMs <= nowMs && !isSettling) gone.push(tag)
    }
    if (gone.length === 0) return
    for (const tag of gone) this.#held.delete(tag)
    this.#membership.sink.lost(gone, lost('the lease of the delivery has ended'))
  }

  // ── Settling ──────────────────────────────────────────────────────────────────────────────────────────────────────

  #settle(batch: readonly Settlement[]): Promise<readonly Outcome[]> {
    const { link, publisher } = this.#surroundings
    const holder = {
      link,
      publisher,
      held: (tag: DeliveryTag) => this.#heldBy(tag),
      settled: (held: Incoming) => this.#settled(held),
      release: (held: Incoming, settlement: ReleaseSettlement) => this.#copy(held, settlement),
    }
    return new SettlementBatch(holder, batch).run()
  }

  #heldBy(tag: DeliveryTag): Incoming | undefined {
    const held = this.#held.get(tag)
    if (held === undefined || held.deadlineMs > this.#surroundings.link.host.clock.monotonicMs()) return held
    this.#sweep(held.deadlineMs)
    return undefined
  }

  #settled(held: Incoming): void {
    this.#held.delete(held.tag)
    this.#surroundings.onSettled(this.#membership.channel, held)
  }

  /**
   * Publishes what takes the place of a released record: once, however often an outage has it sent, since each copy would
   * be tried for itself.
   */
  #copy(held: Incoming, { countsAttempt, visibleAtMs }: ReleaseSettlement): Promise<readonly Outcome[]> {
    const { publisher, time } = this.#surroundings
    const copy: OutgoingRecord = { ...held.record, group: this.#membership.group, dueAtMs: visibleAtMs }
    const internals = {
      origin: held.isAddressed ? held.internals.origin : held.seq,
      attempts: countsAttempt ? held.attempt : held.attempt - 1,
      vanished: held.vanished === 0 ? undefined : held.vanished,
      storedAtMs: Math.round(time.toServers(held.storedAtMs)),
    }
    return publisher.publish([copy], [{ internals, server: [['Nats-Msg-Id', `${this.#copies}.${held.tag}`]] }])
  }
}
