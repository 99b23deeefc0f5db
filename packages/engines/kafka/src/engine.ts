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
  type Seeking,
  type SubscriptionSpec,
  type Topology,
  type TopologyReport,
} from '@posthaste/contracts'
import { browsing } from './browsing.ts'
import { mapped } from './errors.ts'
import { capabilitiesOf } from './features.ts'
import { readLag } from './lag.ts'
import { Names } from './names.ts'
import { type KafkaOptions, type Settings, settingsOf } from './options.ts'
import { seeking } from './seeking.ts'
import { Session } from './session.ts'

/**
 * An engine on Apache Kafka 4.0 or newer. Nothing is connected before it is opened.
 * @throws CONFIG_INVALID when an option is unknown, missing or out of its bounds
 */
export function kafka(options: KafkaOptions): Engine {
  return new KafkaEngine(settingsOf(options), options.keyRanges)
}

class KafkaEngine implements Engine {
  readonly name = 'kafka'
  readonly capabilities: EngineCapabilities
  readonly browsing: Browsing
  readonly lag: LagReading
  readonly listing: Listing
  readonly seeking: Seeking
  readonly #settings: Settings
  readonly #keyRangesWanted: number | undefined
  #session: Session | undefined
  #closed = false

  constructor(settings: Settings, keyRangesWanted: number | undefined) {
    this.#settings = settings
    this.#keyRangesWanted = keyRangesWanted
    this.capabilities = capabilitiesOf(settings)
    this.browsing = {
      browse: (query) => this.#with((session) => browsing(session.place).browse(query), 'browse'),
      move: (channel, moves) => this.#with((session) => browsing(session.place).move(channel, moves), 'move'),
    }
    this.seeking = {
      seek: (channel, group, target) =>
        this.#with((session) => seeking(session.place, session.notes).seek(channel, group, target), 'seek'),
    }
    this.lag = {
      lag: (channel, group) =>
        this.#with(async (session) => {
          const found = await session.declared.group(channel, group)
          const [inFlight, noted] = [session.inFlight(found.groupId), await session.notedElsewhere(found)]
          return readLag(session.cluster, new Names(this.#settings.prefix), { ...found, inFlight, noted })
        }, 'lag'),
    }
    this.listing = {
      channels: () => this.#with((session) => session.listing.channels(), 'channels'),
      groups: (channel) => this.#with((session) => session.listing.groups(channel), 'groups'),
    }
  }

  async open(host: EngineHost): Promise<void> {
    if (this.#session !== undefined || this.#closed)
      throw new PosthasteError('FAILED_PRECONDITION', 'kafka engine: it was opened before')
    const session = new Session(this.#settings, { host, keyRangesWanted: this.#keyRangesWanted })
    this.#session = session
    try {
      await session.open()
    } catch (error) {
      this.#session = undefined
      session.abandon()
      throw error
    }
    if (!this.#closed) host.onState('connected')
  }

  declare(topology: Topology): Promise<TopologyReport> {
    return this.#with((session) => session.declare(topology), 'declare')
  }

  publish(records: readonly OutgoingRecord[]): Promise<readonly Outcome[]> {
    return this.#with((session) => session.publish(records), 'publish')
  }

  subscribe(spec: SubscriptionSpec, sink: DeliverySink): Promise<EngineSubscription> {
    return this.#with((session) => session.subscribe(spec, sink), 'subscribe')
  }

  async close(): Promise<void> {
    this.#closed = true
    await this.#session?.close()
  }

  async #with<T>(work: (session: Session) => Promise<T>, what: string): Promise<T> {
    if (this.#session === undefined || this.#closed)
      throw new PosthasteError('ENGINE_CLOSED', `kafka engine: it is ${this.#closed ? 'closed' : 'not open yet'}`)
    try {
      return await work(this.#session)
    } catch (error) {
      throw mapped(error, `kafka engine: ${what}`)
    }
  }
}
