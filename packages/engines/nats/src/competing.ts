import type { Msg } from '@nats-io/nats-core'
import {
  type AckSettlement,
  type DeliverySink,
  type DeliveryTag,
  type EngineSubscription,
  type Outcome,
  type OutgoingRecord,
  type PosthasteError,
  type ReleaseSettlement,
  type Settlement,
  succeeded,
  type Timer,
} from '@posthaste/contracts'
import { ackKinds, tell } from './acks.ts'
import { errorFrom, failed, lost } from './errors.ts'
import { Feed, pullMsFor } from './feed.ts'
import { groupOf, Incoming } from './incoming.ts'
import type { Link } from './link.ts'
import type { Publisher } from './publisher.ts'
import type { ServerTime } from './time.ts'
import type { Channel } from './topology.ts'

/** What subscriptions need of the engine. */
export interface SubscriptionSurroundings {
  readonly link: Link
  readonly time: ServerTime
  readonly publisher: Publisher
  /** Gone: takes itself off the list of those to be closed with the engine. */
  readonly onStopped: (subscription: EngineSubscription) => void
}

/** Which group of which channel, for whom. */
export interface Membership {
  readonly channel: Channel
  readonly group: string
  readonly consumer: string
  readonly sink: DeliverySink
}

const noLonger: Outcome = failed(lost('the delivery is not (any more) held by this subscription'))

/**
 * A member of a group without key ranges: members compete for the records of one consumer. Attempts are exact because the
 * server's own counter counts vanished members only: whatever else gives a record back replaces it by a copy that carries
 * the number of its attempts.
 */
export class CompetingSubscription implements EngineSubscription {
  readonly #surroundings: SubscriptionSurroundings
  readonly #membership: Membership
  readonly #feed: Feed
  readonly #held = new Map<DeliveryTag, Incoming>()
  #fresh: Incoming[] = []
  #credit = 0
  #nextTag = 1
  #pullAsked = false
  #settlements = 0
  #idle: (() => void) | undefined
  #sweepTimer: Timer | undefined
  #stopping: Promise<void> | undefined
  readonly #unlisten: () => void

  constructor(membership: Membership, surroundings: SubscriptionSurroundings) {
    this.#membership = membership
    this.#surroundings = surroundings
    const { link } = surroundings
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

  async settle(batch: readonly Settlement[]): Promise<readonly Outcome[]> {
    this.#settlements += 1
    try {
      return await this.#settle(batch)
    } finally {
      this.#settlements -= 1
      if (this.#settlements === 0) this.#idle?.()
    }
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
    if (this.#settlements > 0) {
      await new Promise<void>((resolve) => {
        this.#idle = resolve
      })
    }
    const unsettled = [...this.#held.values()].filter(({ isSettling }) => !isSettling)
    if (unsettled.length > 0 && this.#surroundings.link.connected) {
      const handBack = unsettled.map(({ tag }): Settlement => ({ kind: 'release', tag, countsAttempt: false }))
      await this.#settle(handBack)
    }
    this.#leave()
  }

  #leave(): void {
    this.#unlisten()
    this.#sweepTimer?.cancel()
    this.#held.clear()
    this.#surroundings.onStopped(this)
  }

  /** The subscription ended by itself. */
  #end(cause: PosthasteError): void {
    if (this.#stopping !== undefined) return
    this.#stopping = this.#feed.stop()
    this.#leave()
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
    this.#nextTag += 1
    this.#held.set(incoming.tag, incoming)
    this.#fresh.push(incoming)
    if (this.#fresh.length === 1) queueMicrotask(() => this.#deliver())
    this.#sweepLater()
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

  async #settle(batch: readonly Settlement[]): Promise<readonly Outcome[]> {
    const nowMs = this.#surroundings.link.host.clock.monotonicMs()
    const outcomes = new Array<Outcome>(batch.length).fill(succeeded)
    const ready: number[] = []
    const toPublish: number[] = []
    for (let at = 0; at < batch.length; at += 1) {
      const settlement = batch[at] as Settlement
      const held = this.#held.get(settlement.tag)
      if (held === undefined || held.isSettling || held.deadlineMs <= nowMs) {
        outcomes[at] = noLonger
        continue
      }
      held.isSettling = true
      if (settlement.kind === 'release' || (settlement.publish?.length ?? 0) > 0) toPublish.push(at)
      else ready.push(at)
    }
    const groups = [this.#acknowledge(batch, ready, outcomes)]
    if (toPublish.length > 0) groups.push(this.#publishFirst(batch, toPublish, outcomes))
    await Promise.all(groups)
    return outcomes
  }

  /** First the publications, all of them for all settlements together; then what they stand for is acknowledged. */
  async #publishFirst(batch: readonly Settlement[], indexes: readonly number[], outcomes: Outcome[]): Promise<void> {
    const { publisher } = this.#surroundings
    const published = await Promise.all(
      indexes.map((at) => {
        const settlement = batch[at] as Settlement
        if (settlement.kind === 'ack') return publisher.publish((settlement as AckSettlement).publish ?? [])
        return this.#copy(settlement)
      }),
    )
    const ready: number[] = []
    for (const [nth, at] of indexes.entries()) {
      const failure = published[nth]?.find(({ ok }) => !ok)
      if (failure === undefined) ready.push(at)
      else this.#fail(batch, [at], { outcomes, outcome: failure })
    }
    await this.#acknowledge(batch, ready, outcomes)
  }

  /** Publishes what takes the place of a released record. */
  #copy({ tag, countsAttempt, visibleAtMs }: ReleaseSettlement): Promise<readonly Outcome[]> {
    const { publisher, time } = this.#surroundings
    const held = this.#held.get(tag) as Incoming
    const copy: OutgoingRecord = { ...held.record, group: this.#membership.group, dueAtMs: visibleAtMs }
    const internals = {
      attempts: countsAttempt ? held.attempt : held.attempt - 1,
      vanished: held.vanished === 0 ? undefined : held.vanished,
      storedAtMs: Math.round(time.toServers(held.storedAtMs)),
    }
    return publisher.publish([copy], [{ internals, server: [] }])
  }

  async #acknowledge(batch: readonly Settlement[], indexes: readonly number[], outcomes: Outcome[]): Promise<void> {
    if (indexes.length === 0) return
    const { link } = this.#surroundings
    const nowMs = link.host.clock.monotonicMs()
    const inTime: number[] = []
    const replies: string[] = []
    for (const at of indexes) {
      const { tag } = batch[at] as Settlement
      const held = this.#held.get(tag)
      if (held === undefined || held.deadlineMs <= nowMs) {
        this.#held.delete(tag)
        outcomes[at] = noLonger
        continue
      }
      inTime.push(at)
      replies.push(held.reply)
    }
    try {
      await tell(link, ackKinds.done, replies)
    } catch (thrown) {
      this.#fail(batch, inTime, { outcomes, outcome: failed(errorFrom(thrown, 'acknowledgement')) })
      return
    }
    for (const at of inTime) this.#forget((batch[at] as Settlement).tag)
  }

  #forget(tag: DeliveryTag): void {
    this.#held.delete(tag)
  }

  /** It may be tried again. */
  #fail(batch: readonly Settlement[], indexes: readonly number[], { outcomes, outcome }: Failure): void {
    for (const at of indexes) {
      const held = this.#held.get((batch[at] as Settlement).tag)
      if (held !== undefined) held.isSettling = false
      outcomes[at] = outcome
    }
  }
}

interface Failure {
  readonly outcomes: Outcome[]
  readonly outcome: Outcome
}
