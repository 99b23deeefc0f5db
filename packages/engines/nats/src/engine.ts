import {
  type DeliverySink,
  type Engine,
  type EngineCapabilities,
  type EngineHost,
  type EngineSubscription,
  type Outcome,
  type OutgoingRecord,
  PosthasteError,
  type SubscriptionSpec,
  type Topology,
  type TopologyReport,
} from '@posthaste/contracts'
import { makeBucket } from './bucket.ts'
import { CompetingSubscription } from './competing.ts'
import { capabilitiesOf, defaultPayloadBytesMax } from './features.ts'
import { scheduling, waitingRoom } from './later.ts'
import { closedError, Link } from './link.ts'
import { type Names, namesFor } from './names.ts'
import { type NatsOptions, type NatsSettings, settingsOf } from './options.ts'
import { Publisher } from './publisher.ts'
import { RangedSubscription } from './ranged.ts'
import { Sessions } from './sessions.ts'
import { ServerTime } from './time.ts'
import { TopologyKeeper } from './topology.ts'

/**
 * An engine on NATS JetStream, 2.9 or newer; the capabilities depend on the server's version.
 *
 * @throws CONFIG_INVALID listing every mistake in the options
 * @see https://docs.nats.io/nats-concepts/jetstream
 */
export function nats(options: NatsOptions): Engine {
  return new NatsEngine(settingsOf(options))
}

/** What there is while the engine is open. */
interface Session {
  readonly link: Link
  readonly time: ServerTime
  readonly topology: TopologyKeeper
  readonly publisher: Publisher
  readonly sessions: Sessions
  /** Makes the place where notes of key ranges are kept. */
  readonly openNotes: () => Promise<void>
  readonly subscriptions: Set<EngineSubscription>
}

class NatsEngine implements Engine {
  readonly name = 'nats'
  readonly #settings: NatsSettings
  readonly #names: Names
  #capabilities: EngineCapabilities
  #session: Session | undefined
  #isOpened = false
  #isClosed = false

  constructor(settings: NatsSettings) {
    this.#settings = settings
    this.#names = namesFor(settings.prefix)
    this.#capabilities = capabilitiesOf(defaultPayloadBytesMax, settings.leaseMs)
  }

  get capabilities(): EngineCapabilities {
    return this.#capabilities
  }

  async open(host: EngineHost): Promise<void> {
    if (this.#isOpened) throw new PosthasteError('FAILED_PRECONDITION', 'nats engine: it was opened before')
    this.#isOpened = true
    const link = new Link(this.#settings, host)
    try {
      await link.open()
    } catch (thrown) {
      await link.close()
      throw thrown
    }
    if (this.#isClosed) {
      await link.close()
      throw closedError()
    }
    this.#capabilities = capabilitiesOf(
      link.connection.info?.max_payload ?? defaultPayloadBytesMax,
      this.#settings.leaseMs,
    )
    this.#session = this.#begin(link, host)
    host.onState('connected')
  }

  #begin(link: Link, host: EngineHost): Session {
    const time = new ServerTime(host.clock)
    const names = this.#names
    const topology = new TopologyKeeper({
      link,
      names,
      capabilities: () => this.#capabilities,
      onTemporary: () => {},
    })
    const nonce = nonces(link)
    const later = link.features.schedules ? scheduling(time, nonce) : waitingRoom(names, time, nonce)
    const publisher = new Publisher({
      link,
      topology,
      later,
      bodyBytesMax: () => this.#capabilities.bodyBytesMax,
      headerBytesMax: this.#capabilities.headerBytesMax,
    })
    const sessions = new Sessions(link, names)
    let notes: Promise<void> | undefined
    const openNotes = (): Promise<void> => {
      notes ??= makeBucket(link, names.notes).catch((thrown: unknown) => {
        notes = undefined
        throw thrown
      })
      return notes
    }
    return { link, time, topology, publisher, sessions, openNotes, subscriptions: new Set() }
  }

  async declare(topology: Topology): Promise<TopologyReport> {
    return this.#current().topology.declare(topology)
  }

  async publish(records: readonly OutgoingRecord[]): Promise<readonly Outcome[]> {
    return this.#current().publisher.publish(records)
  }

  async subscribe(spec: SubscriptionSpec, sink: DeliverySink): Promise<EngineSubscription> {
    const session = this.#current()
    const { channel, group } = await session.topology.group(spec.channel, spec.group)
    const membership = { channel, group: group.name, consumer: this.#names.consumer(group.name), sink }
    const surroundings = {
      ...session,
      onStopped: (each: EngineSubscription) => session.subscriptions.delete(each),
      onSettled: () => {},
    }
    if (channel.keyRanges === 0) {
      const subscription = new CompetingSubscription(membership, surroundings)
      session.subscriptions.add(subscription)
      return subscription
    }
    const subscription = new RangedSubscription(membership, {
      ...surroundings,
      names: this.#names,
      member: spec.member,
    })
    session.subscriptions.add(subscription)
    await session.openNotes()
    await subscription.open()
    return subscription
  }

  async close(): Promise<void> {
    this.#isClosed = true
    const session = this.#session
    if (session === undefined) return
    await Promise.all([...session.subscriptions].map((subscription) => subscription.stop()))
    await session.sessions.close()
    await session.link.close()
  }

  #current(): Session {
    const session = this.#session
    if (session === undefined || this.#isClosed) throw closedError()
    return session
  }
}

/** Text that is used once. */
function nonces(link: Link): () => string {
  const start = link.inbox().slice('_INBOX.'.length)
  let count = 0
  return () => {
    count += 1
    return `${start}${count.toString(36)}`
  }
}
