import {
  type Browsing,
  type DeliverySink,
  type Engine,
  type EngineCapabilities,
  type EngineHost,
  type EngineSubscription,
  type LagReading,
  type Listing,
  type Outcome,
  type OutgoingRecord,
  PosthasteError,
  type Scheduling,
  type Seeking,
  type SubscriptionSpec,
  type Topology,
  type TopologyReport,
} from '@posthaste/contracts'
import { browsing } from './browsing.ts'
import { capabilitiesOf, defaultPayloadBytesMax } from './features.ts'
import { lagOf } from './lag.ts'
import { closedError, Link } from './link.ts'
import { listing } from './listing.ts'
import { type Names, namesFor } from './names.ts'
import { type NatsOptions, type NatsSettings, settingsOf } from './options.ts'
import { schedules } from './schedule.ts'
import { seeking } from './seeking.ts'
import { Session } from './session.ts'

/**
 * An engine on NATS JetStream, 2.9 or newer; the capabilities depend on the server's version.
 *
 * @throws CONFIG_INVALID listing every mistake in the options
 * @see https://docs.nats.io/nats-concepts/jetstream
 */
export function nats(options: NatsOptions): Engine {
  return new NatsEngine(settingsOf(options))
}

class NatsEngine implements Engine {
  readonly name = 'nats'
  readonly browsing: Browsing
  readonly lag: LagReading
  readonly listing: Listing
  readonly seeking: Seeking
  /** There where the server has schedules, which is known when it is open. */
  scheduling?: Scheduling
  readonly #settings: NatsSettings
  readonly #names: Names
  #capabilities: EngineCapabilities
  #session: Session | undefined
  #opening: Link | undefined
  #isClosed = false

  constructor(settings: NatsSettings) {
    this.#settings = settings
    this.#names = namesFor(settings.prefix)
    this.#capabilities = capabilitiesOf(defaultPayloadBytesMax, settings.leaseMs)
    this.browsing = browsing(() => this.#current())
    this.seeking = seeking(() => this.#current())
    this.listing = listing(() => this.#current())
    this.lag = { lag: async (channel, group) => lagOf(this.#current(), channel, group) }
  }

  get capabilities(): EngineCapabilities {
    return this.#capabilities
  }

  async open(host: EngineHost): Promise<void> {
    if (this.#opening !== undefined || this.#isClosed) {
      throw new PosthasteError('FAILED_PRECONDITION', 'nats engine: it was opened before')
    }
    const link = new Link(this.#settings, host)
    this.#opening = link
    try {
      await link.open()
      const payloadBytesMax = link.connection.info?.max_payload ?? defaultPayloadBytesMax
      this.#capabilities = capabilitiesOf(payloadBytesMax, this.#settings.leaseMs)
      if (link.features.schedules) this.scheduling = schedules(() => this.#current())
      const session = new Session({ link, names: this.#names, capabilities: this.#capabilities })
      await session.open()
      this.#session = session
    } catch (thrown) {
      await link.close()
      throw thrown
    }
    if (this.#isClosed) {
      await this.#session.close()
      throw closedError()
    }
    host.onState('connected')
  }

  async declare(topology: Topology): Promise<TopologyReport> {
    return this.#current().topology.declare(topology)
  }

  async publish(records: readonly OutgoingRecord[]): Promise<readonly Outcome[]> {
    return this.#current().publisher.publish(records)
  }

  async subscribe(spec: SubscriptionSpec, sink: DeliverySink): Promise<EngineSubscription> {
    return this.#current().subscribe(spec, sink)
  }

  async close(): Promise<void> {
    this.#isClosed = true
    await (this.#session?.close() ?? this.#opening?.close())
  }

  #current(): Session {
    const session = this.#session
    if (session === undefined || this.#isClosed) throw closedError()
    return session
  }
}
