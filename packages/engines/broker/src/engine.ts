import {
  type Browsing,
  type DeliverySink,
  type Engine,
  type EngineCapabilities,
  type EngineHost,
  type EngineSubscription,
  type GroupSpec,
  type LagReading,
  type Listing,
  type Outcome,
  type OutgoingRecord,
  type Patterns,
  PosthasteError,
  type Preparing,
  type Scheduling,
  type Seeking,
  type SubscriptionSpec,
  type Topology,
  type TopologyReport,
} from '@posthaste/contracts'
import { browsing, lagReading, listing, preparing, scheduling, seeking } from './abilities.ts'
import { type Ask, asking, tell } from './calls.ts'
import { Consumer } from './consumer.ts'
import { notOpen } from './errors.ts'
import { promised } from './features.ts'
import { type BrokerOptions, type CheckedOptions, checkOptions } from './options.ts'
import { PatternGroups } from './patterns.ts'
import { Presence } from './presence.ts'
import type { BrokerClient } from './protocol/session.ts'
import { Publisher } from './publisher.ts'
import { ServerTime } from './server-time.ts'

/** An engine on a broker, with what only a broker can be asked. */
export interface BrokerEngine extends Engine {
  /**
   * The channels and groups that there are, of those that this user has any right to.
   * @throws UNAVAILABLE ENGINE_CLOSED
   */
  topology(): Promise<Topology>
  /**
   * Who is connected, and who has just lost the connection.
   * @throws PERMISSION_DENIED for who may not manage all channels
   */
  clients(): Promise<readonly BrokerClient[]>
  /**
   * Has the broker copy all of its data, as one moment had it, to where its configuration has snapshots.
   * @param name 1 to 120 of `A-Z a-z 0-9 . _ -`
   * @returns the directory, on the machine of the broker
   * @throws PERMISSION_DENIED for who may not manage all channels; FAILED_PRECONDITION when there is one of that name
   */
  snapshot(name: string): Promise<string>
}

/**
 * The engine on a Posthaste broker: an embedded engine in a process of its own, which many processes reach over link. What is
 * confirmed is on its disk.
 * @throws CONFIG_INVALID listing every mistake
 */
export function broker(options: BrokerOptions | string): BrokerEngine {
  return new RemoteEngine(checkOptions(options))
}

/** Everything that exists while the engine is open. */
interface Open {
  readonly presence: Presence
  readonly publisher: Publisher
}

class RemoteEngine implements BrokerEngine {
  readonly name = 'broker'
  readonly scheduling: Scheduling
  readonly browsing: Browsing
  readonly listing: Listing
  readonly lag: LagReading
  readonly seeking: Seeking
  readonly preparing: Preparing
  readonly patterns: Patterns
  readonly #options: CheckedOptions
  readonly #ask: Ask
  readonly #groups: PatternGroups
  readonly #time = new ServerTime()
  readonly #members = new Set<Consumer>()
  /** Temporary groups that this process has declared, by channel and group. */
  readonly #temporary = new Map<string, GroupSpec>()
  #capabilities = promised
  #open: Open | undefined
  #state: 'new' | 'open' | 'closed' = 'new'
  #opening: Promise<void> | undefined
  #closing: Promise<void> | undefined
  #lastNumber = 0

  constructor(options: CheckedOptions) {
    this.#options = options
    const presence = (): Presence => this.#current().presence
    this.#ask = asking(presence, options.timeoutMs)
    const time = this.#time
    this.scheduling = scheduling(this.#ask, time)
    this.browsing = browsing(this.#ask, time)
    this.listing = listing(this.#ask)
    this.lag = lagReading(this.#ask)
    this.seeking = seeking(this.#ask, time)
    this.preparing = preparing(this.#ask, time, () => this.#capabilities)
    this.#groups = new PatternGroups(this.#ask, presence)
    this.patterns = this.#groups
  }

  get capabilities(): EngineCapabilities {
    return this.#capabilities
  }

  // ── Life cycle ────────────────────────────────────────────────────────────────────────────────────────────────────

  async open(host: EngineHost): Promise<void> {
    if (this.#state !== 'new') throw new PosthasteError('FAILED_PRECONDITION', 'the broker engine was opened before')
    this.#state = 'open'
    this.#opening = this.#openWith(host)
    await this.#opening
  }

  async #openWith(host: EngineHost): Promise<void> {
    const presence = new Presence(this.#options, host, this.#time)
    // First of all who listen: what members join must be there before they do.
    presence.listen({ attached: (resumed) => this.#attached(resumed), detached() {}, lost() {}, draining() {} })
    try {
      await presence.open()
    } catch (thrown) {
      this.#state = 'closed'
      throw thrown
    }
    this.#capabilities = presence.capabilities ?? promised
    const { timeoutMs } = this.#options
    const publisher = new Publisher(presence, { timeoutMs, capabilities: this.#capabilities })
    this.#open = { presence, publisher }
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    await this.#opening?.catch(() => {})
    this.#state = 'closed'
    const open = this.#open
    if (open === undefined) return
    const { presence, publisher } = open
    const members = [...this.#members]
    // What waits for a connection would wait for its time limit.
    if (!presence.isAttached) {
      publisher.fail(notOpen())
      for (const member of members) member.abandon()
    }
    const unlisten = presence.listen({
      attached() {},
      detached: () => {
        publisher.fail(notOpen())
        for (const member of members) member.abandon()
      },
      lost() {},
      draining() {},
    })
    await Promise.all([publisher.idle(), ...members.map((member) => member.stop())])
    unlisten()
    await presence.close()
  }

  #current(): Open {
    if (this.#state !== 'open' || this.#open === undefined) throw notOpen()
    return this.#open
  }

  /** A session has begun: groups that went with the one before are made again. */
  #attached(resumed: boolean): void {
    if (resumed || this.#open === undefined) return
    const { presence } = this.#open
    const groups = [...this.#temporary.values()]
    if (groups.length > 0) tell(presence, 'declare', { channels: [], groups })
    this.#groups.again(presence)
  }

  // ── What the core asks for ────────────────────────────────────────────────────────────────────────────────────────

  async declare(topology: Topology): Promise<TopologyReport> {
    const [parcel] = await this.#ask('declare', topology, { repeatable: true })
    for (const spec of topology.groups) {
      if (spec.lifetime === 'temporary') this.#temporary.set(`${spec.channel} ${spec.group}`, { ...spec, from: 'next' })
    }
    return parcel?.head as TopologyReport
  }

  /** Hot path: not a promise of its own around that of the publisher. */
  publish(records: readonly OutgoingRecord[]): Promise<readonly Outcome[]> {
    if (this.#state !== 'open' || this.#open === undefined) return Promise.reject(notOpen())
    return this.#open.publisher.publish(records)
  }

  async subscribe(spec: SubscriptionSpec, sink: DeliverySink): Promise<EngineSubscription> {
    const { presence } = this.#current()
    if (spec.filter !== undefined)
      throw new PosthasteError('CAPABILITY_UNSUPPORTED', 'broker: it has no filters, the core has')
    this.#lastNumber += 1
    const consumer = new Consumer(spec, sink, {
      presence,
      timeoutMs: this.#options.timeoutMs,
      capabilities: this.#capabilities,
      number: this.#lastNumber,
      left: (each) => this.#left(each),
    })
    this.#members.add(consumer)
    try {
      await consumer.join()
    } catch (thrown) {
      this.#members.delete(consumer)
      throw thrown
    }
    return consumer
  }

  #left(consumer: Consumer): void {
    if (!this.#members.delete(consumer)) return
    const { channel, group } = consumer.spec
    const isLast = ![...this.#members].some(({ spec }) => spec.channel === channel && spec.group === group)
    if (isLast) this.#temporary.delete(`${channel} ${group}`)
  }

  async topology(): Promise<Topology> {
    const [parcel] = await this.#ask('topology', {}, { repeatable: true })
    return parcel?.head as Topology
  }

  async clients(): Promise<readonly BrokerClient[]> {
    const [parcel] = await this.#ask('clients', {}, { repeatable: true })
    return parcel?.head as readonly BrokerClient[]
  }

  async snapshot(name: string): Promise<string> {
    const [parcel] = await this.#ask('snapshot', { name })
    return parcel?.head as string
  }
}
