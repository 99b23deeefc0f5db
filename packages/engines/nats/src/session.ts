import {
  type DeliverySink,
  type EngineCapabilities,
  type EngineSubscription,
  PosthasteError,
  type SubscriptionSpec,
} from '@posthaste/contracts'
import { makeBucket } from './bucket.ts'
import type { Channel } from './channel.ts'
import { CompetingSubscription, type Membership } from './competing.ts'
import { errorFrom } from './errors.ts'
import type { Incoming } from './incoming.ts'
import { type Later, scheduling, waitingRoom } from './later.ts'
import type { Link } from './link.ts'
import { Mover } from './mover.ts'
import type { Names } from './names.ts'
import { Publisher } from './publisher.ts'
import { RangedSubscription } from './ranged.ts'
import { Retention } from './retention.ts'
import { Sessions } from './sessions.ts'
import { TemporaryGroups } from './temporary.ts'
import { type Between, ServerTime } from './time.ts'
import { TopologyKeeper } from './topology.ts'

/** What a session is made of. */
export interface SessionSpec {
  readonly link: Link
  readonly names: Names
  readonly capabilities: EngineCapabilities
}

/** What there is while the engine is open. */
export class Session {
  readonly link: Link
  readonly names: Names
  readonly time: ServerTime
  readonly topology: TopologyKeeper
  readonly publisher: Publisher
  readonly sessions: Sessions
  readonly #temporary: TemporaryGroups
  readonly #retention: Retention
  /** Of each channel, where the server has no schedules. */
  readonly #movers: Mover[] = []
  /** Every subscription, with what it is one of. */
  readonly #subscriptions = new Map<EngineSubscription, Membership>()
  #closing: Promise<void> | undefined

  constructor({ link, names, capabilities }: SessionSpec) {
    this.link = link
    this.names = names
    this.time = new ServerTime()
    this.topology = new TopologyKeeper({
      link,
      names,
      capabilities: () => capabilities,
      onTemporary: (channel, group) => this.#temporary.keep(channel, group),
      onLearned: (channel) => {
        if (!link.features.schedules) this.#movers.push(new Mover(this, channel))
      },
    })
    this.publisher = new Publisher({
      link,
      topology: this.topology,
      later: this.#later(),
      bodyBytesMax: capabilities.bodyBytesMax,
      headerBytesMax: capabilities.headerBytesMax,
    })
    this.sessions = new Sessions(link, names)
    this.#temporary = new TemporaryGroups({ link, sessions: this.sessions, topology: this.topology, names })
    this.#retention = new Retention(this)
  }

  async open(): Promise<void> {
    await makeBucket(this.link, this.names.notes)
    await this.sessions.open()
    await this.#measure()
    this.#temporary.open()
    this.link.listen({ onLost: () => {}, onConnected: () => void this.#measureAgain() })
  }

  *#membersOf(channel: string, group: string): Generator<EngineSubscription> {
    for (const [subscription, membership] of this.#subscriptions) {
      if (membership.channel.spec.name === channel && membership.group === group) yield subscription
    }
  }

  readonly hasMembers = (channel: string, group: string): boolean => !this.#membersOf(channel, group).next().done

  /** How many records of a group members of this process have fetched, and not handed over yet. */
  readonly fetchedAhead = (channel: string, group: string): number => {
    let ahead = 0
    for (const member of this.#membersOf(channel, group)) {
      if (member instanceof RangedSubscription) ahead += member.fetchedAhead
    }
    return ahead
  }

  /** @throws NOT_FOUND CAPABILITY_UNSUPPORTED UNAVAILABLE */
  async subscribe(spec: SubscriptionSpec, sink: DeliverySink): Promise<EngineSubscription> {
    if (spec.filter !== undefined) {
      throw new PosthasteError(
        'CAPABILITY_UNSUPPORTED',
        `group ${spec.group}: NATS does not filter by what is in a record`,
      )
    }
    const { channel, group } = await this.topology.group(spec.channel, spec.group)
    const membership = { channel, group: group.name, consumer: this.names.consumer(group.name), sink }
    const { link, time, publisher, sessions, names } = this
    const surroundings = {
      link,
      time,
      publisher,
      onStopped: (each: EngineSubscription) => this.#stopped(each),
      onSettled: (of: Channel, settled: Incoming) => this.#discard(of, settled),
    }
    this.#temporary.joined(channel, group.name)
    if (channel.keyRanges === 0) {
      const subscription = new CompetingSubscription(membership, surroundings)
      this.#subscriptions.set(subscription, membership)
      sessions.joined(channel.spec.name, group.name)
      return subscription
    }
    const subscription = new RangedSubscription(membership, { ...surroundings, sessions, names, member: spec.member })
    this.#subscriptions.set(subscription, membership)
    try {
      await subscription.open()
    } catch (thrown) {
      await subscription.stop().catch(() => {})
      throw errorFrom(thrown, `group ${spec.group} of ${spec.channel}`)
    }
    return subscription
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    this.#retention.close()
    await Promise.all([...this.#subscriptions.keys()].map((subscription) => subscription.stop().catch(() => {})))
    await Promise.all(this.#movers.map((mover) => mover.close()))
    await this.#temporary.close()
    await this.sessions.close()
    await this.link.pipeline.drained()
    await this.link.close()
  }

  async #stopped(subscription: EngineSubscription): Promise<void> {
    const membership = this.#subscriptions.get(subscription)
    if (membership === undefined) return
    this.#subscriptions.delete(subscription)
    const { channel, group } = membership
    if (channel.keyRanges === 0) this.sessions.left(channel.spec.name, group)
    if (this.link.connected) await this.#temporary.left(channel, group).catch(() => {})
  }

  /** In a log that is kept, what was for one group alone is not: a group that is moved back must not get it again. */
  #discard({ spec, names }: Channel, { isAddressed, seq }: Incoming): void {
    if (spec.retention === undefined || !isAddressed) return
    void this.link
      .admin('settled record', (manager) => manager.streams.deleteMessage(names.stream, seq, false))
      .catch(() => {})
  }

  #later(): Later {
    const start = this.link.inbox().slice('_INBOX.'.length)
    let count = 0
    const nonce = (): string => {
      count += 1
      return `${start}${count.toString(36)}`
    }
    return this.link.features.schedules ? scheduling(this.time, nonce) : waitingRoom(this.time, nonce)
  }

  /** How far the server's clock is from ours. */
  async #measure(): Promise<void> {
    const { host, features } = this.link
    if (!features.tellsTime) {
      await this.#measureByBeat()
      return
    }
    const beganMs = host.clock.nowMs()
    const info = await this.link.find('clock', (manager) => manager.streams.info(this.names.members.stream))
    const serverMs = Date.parse((info as { readonly ts?: string } | undefined)?.ts ?? '')
    if (Number.isNaN(serverMs)) return
    this.#measured(serverMs, { beganMs, endedMs: host.clock.nowMs() })
  }

  /** After an outage; what was known before is better than nothing. */
  async #measureAgain(): Promise<void> {
    try {
      await this.#measure()
    } catch (thrown) {
      if (this.link.closed) return
      this.link.host.log.warn('the clock of the server is not known', { error: errorFrom(thrown, 'clock').message })
    }
  }

  /** An older server does not tell its time: it shows in when it stored the sign of life of this process. */
  async #measureByBeat(): Promise<void> {
    const { lastBeat } = this.sessions
    if (lastBeat === undefined) return
    const { stream } = this.names.members
    const found = await this.link.find('clock', (manager) =>
      manager.streams.getMessage(stream, { seq: lastBeat.revision }),
    )
    if (found != null) this.#measured(found.time.getTime(), lastBeat)
  }

  #measured(serverMs: number, between: Between): void {
    const errorMs = this.time.measured(serverMs, between)
    this.link.host.onClockSkew?.(this.time.aheadMs, errorMs)
  }
}
