import type {
  Browsing,
  DeliverySink,
  Engine,
  EngineHost,
  EngineSubscription,
  LagReading,
  Listing,
  Outcome,
  OutgoingRecord,
  SubscriptionSpec,
  Topology,
  TopologyReport,
} from '@posthaste/contracts'
import { Admin } from './admin.ts'
import { Browser } from './browser.ts'
import { Catalogue } from './catalogue.ts'
import { Consumers } from './consumer.ts'
import { fail } from './errors.ts'
import { capabilitiesOf } from './features.ts'
import { declareLadder } from './ladder.ts'
import { closedError, Link } from './link.ts'
import { Lister } from './listing.ts'
import { Names } from './names.ts'
import { checkOptions, type RabbitmqOptions, type Settings } from './options.ts'
import { Presence } from './presence.ts'
import { Publisher } from './publisher.ts'
import { QueueChannels } from './queue-channels.ts'
import { Registry } from './registry.ts'
import { isAtLeast } from './server-version.ts'
import { EngineStates } from './states.ts'
import { TopologyKeeper } from './topology.ts'
import { Waiting } from './waiting.ts'

/**
 * An engine on RabbitMQ 3.10 or newer, over AMQP 0-9-1: quorum queues, publisher confirms, one reader per key range by
 * single active consumers, delays without a plugin. Reconnects by itself.
 * @throws CONFIG_INVALID listing every mistake in the options
 */
export function rabbitmq(options: RabbitmqOptions): Engine {
  return new RabbitmqEngine(checkOptions(options))
}

class RabbitmqEngine implements Engine {
  readonly name = 'rabbitmq'
  readonly capabilities
  readonly browsing: Browsing
  readonly lag: LagReading
  readonly listing: Listing
  readonly #settings: Settings
  #parts: Parts | undefined
  #state: 'new' | 'opening' | 'open' | 'closed' = 'new'
  #closing: Promise<void> | undefined

  constructor(settings: Settings) {
    this.#settings = settings
    this.capabilities = capabilitiesOf(settings)
    this.browsing = {
      browse: async (query) => this.#open().browser.browse(query),
      move: async (channel, moves) => this.#open().browser.move(channel, moves),
    }
    this.lag = { lag: async (channel, group) => this.#open().consumers.lag(channel, group) }
    this.listing = {
      channels: async () => this.#open().lister.channels(),
      groups: async (channel) => this.#open().lister.groups(channel),
    }
  }

  async open(host: EngineHost): Promise<void> {
    if (this.#state !== 'new') throw fail('FAILED_PRECONDITION', 'the engine was opened before')
    this.#state = 'opening'
    const parts = partsOf(this.#settings, host, this.capabilities)
    this.#parts = parts
    const { timeoutMs } = this.#settings
    try {
      await Promise.all([parts.publishing.up(timeoutMs), parts.consuming.up(timeoutMs)])
      warnOfVersion(parts.publishing.serverVersion, host)
      await declareLadder(parts.admin)
    } catch (error) {
      await this.close()
      throw error
    }
    if (this.#closing !== undefined) throw closedError()
    this.#state = 'open'
    parts.states.opened()
  }

  async declare(topology: Topology): Promise<TopologyReport> {
    return this.#open().keeper.declare(topology)
  }

  async publish(records: readonly OutgoingRecord[]): Promise<readonly Outcome[]> {
    return this.#open().publisher.publish(records)
  }

  async subscribe(spec: SubscriptionSpec, sink: DeliverySink): Promise<EngineSubscription> {
    return this.#open().consumers.join(spec, sink)
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    this.#state = 'closed'
    const parts = this.#parts
    if (parts === undefined) return
    const {
      states,
      channels,
      consumers,
      presence,
      keeper,
      publisher,
      registry,
      admin,
      consumerAdmin,
      publishing,
      consuming,
    } = parts
    states.closed()
    publishing.leave()
    consuming.leave()
    // Members hand back what they have by publishing copies of it, so the publisher goes after them.
    if (publishing.isUp && consuming.isUp) {
      await consumers.close()
      await keeper.close()
      await Promise.all([publisher.close(), registry.close()])
      await Promise.all([presence.close(), admin.close(), consumerAdmin.close()])
    }
    const { timeoutMs } = this.#settings
    const patienceMs = Math.min(timeoutMs, closeMs)
    await Promise.all([channels.close(), publishing.close(patienceMs), consuming.close(patienceMs)])
    await Promise.allSettled([consumers.close(), presence.close(), publisher.close()])
  }

  #open(): Parts {
    if (this.#state !== 'open' || this.#parts === undefined) throw closedError()
    return this.#parts
  }
}

/** Everything that an open engine consists of. */
interface Parts {
  readonly states: EngineStates
  readonly publishing: Link
  readonly consuming: Link
  readonly channels: QueueChannels
  readonly admin: Admin
  readonly consumerAdmin: Admin
  readonly keeper: TopologyKeeper
  readonly publisher: Publisher
  readonly registry: Registry
  readonly lister: Lister
  readonly presence: Presence
  readonly consumers: Consumers
  readonly browser: Browser
}

/** A connection that does not answer a farewell is left without. */
const closeMs = 2_000
/** The server ends a connection over which a queue without a leader was asked, after 65 s: it is to be left before. */
const askMsMax = 30_000

function partsOf(settings: Settings, host: EngineHost, capabilities: Engine['capabilities']): Parts {
  const { timeoutMs, keyRanges, prefix, rebalanceMs, consumerTimeoutMs } = settings
  const { clock, log, random } = host
  const states = new EngineStates(host)
  const publishing = new Link(settings, host, { what: 'publishing', events: states.eventsOf('publishing') })
  const consuming = new Link(settings, host, { what: 'consuming', events: states.eventsOf('consuming') })
  const admin = new Admin(publishing, timeoutMs)
  const consumerAdmin = new Admin(consuming, timeoutMs)
  const catalogue = new Catalogue({ names: new Names(prefix), settings, admin })
  const waiting = new Waiting()
  const publisher = new Publisher({ link: publishing, catalogue, clock, timeoutMs, waiting })
  const generation = () => consuming.generation
  const asking = { ...settings, timeoutMs: Math.min(timeoutMs, askMsMax) }
  const nobody = { onUp: () => {}, onDown: () => {}, onBlocked: () => {} }
  const channels = new QueueChannels({
    ...{ link: consuming, clock, timeoutMs },
    linkApart: () => new Link(asking, host, { what: 'asking', events: nobody }),
    onSilent: (queue, cause) => states.silent(queue, cause),
  })
  const registry = new Registry({ link: publishing, admin, channels, publisher, catalogue, clock, log, timeoutMs })
  const topology = { admin, consumerAdmin, catalogue, registry, capabilities, keyRanges, generation }
  const keeper = new TopologyKeeper(topology)
  const lister = new Lister({ topology, isOwn: (channel, group) => keeper.isTemporary(channel, group) })
  registry.onGrown = () => {
    lister.look().catch((cause) => log.debug('rabbitmq: what is gone still stands in the registry', { cause }))
  }
  const member = {
    ...{ link: consuming, channels, publisher, catalogue, clock, log, random, rebalanceMs, consumerTimeoutMs },
  }
  states.onRenewed = () => {
    keeper.renewAll().catch((cause) => log.warn('rabbitmq: temporary groups are not there again yet', { cause }))
  }
  const presence = new Presence({ link: consuming, clock, log, random })
  const consumers = new Consumers({ member, topology, keeper, waiting, presence })
  const browser = new Browser({ link: consuming, catalogue, publisher, clock, timeoutMs })
  const connections = { publishing, consuming, channels, admin, consumerAdmin }
  return { ...connections, states, keeper, publisher, registry, lister, presence, consumers, browser }
}

function warnOfVersion(version: string | undefined, { log }: EngineHost): void {
  if (version === undefined) log.warn('rabbitmq: the server did not say its version; 3.10 or newer is needed')
  else if (!isAtLeast(version, 3, 10))
    throw fail('FAILED_PRECONDITION', `the server is RabbitMQ ${version}; 3.10 or newer is needed`)
  else log.info('rabbitmq: connected', { version })
}
