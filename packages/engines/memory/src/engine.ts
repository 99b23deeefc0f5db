import {
  type Browsing,
  type Clock,
  type DeliverySink,
  type Engine,
  type EngineHost,
  type EngineSubscription,
  type Lag,
  type LagReading,
  type ListedGroup,
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
import { browsing } from './browsing.ts'
import type { Channel } from './channel.ts'
import { capabilities } from './features.ts'
import type { Group } from './group.ts'
import { Member } from './member.ts'
import { patterns } from './patterns.ts'
import { preparing } from './preparing.ts'
import { seeking } from './seeking.ts'
import { type MemoryStore, type Session, State } from './store.ts'
import { Subscription } from './subscription.ts'
import { declare } from './topology.ts'

/** How a memory engine is made. */
export interface MemoryOptions {
  /** The time that due times are measured by; the host's clock if absent. */
  readonly clock?: Clock | undefined
  /** Where its state is; a store of its own, gone with the engine, if absent. */
  readonly store?: MemoryStore | undefined
}

/**
 * An engine that keeps everything in memory, for tests and as the simplest complete engine: every capability but
 * durability. It is opened once; what it confirmed lives as long as its store.
 * @throws CONFIG_INVALID when an option is unknown or of another kind
 */
export function memory(options: MemoryOptions = {}): Engine {
  const { clock, store = new State(), ...unknown } = options
  const issues = Object.keys(unknown).map((path) => ({ path, message: 'there is no such option' }))
  if (clock !== undefined && typeof clock?.setTimer !== 'function')
    issues.push({ path: 'clock', message: 'is no Clock' })
  if (!(store instanceof State)) issues.push({ path: 'store', message: 'is not made by memoryStore()' })
  if (issues.length > 0 || !(store instanceof State)) {
    const list = issues.map(({ path, message }) => `${path}: ${message}`).join('; ')
    throw new PosthasteError('CONFIG_INVALID', `memory engine: ${list}`, { issues })
  }
  return new MemoryEngine(store, clock)
}

class MemoryEngine implements Engine {
  readonly name = 'memory'
  readonly capabilities = capabilities
  readonly scheduling: Scheduling
  readonly browsing: Browsing
  readonly listing: Listing
  readonly lag: LagReading
  readonly seeking: Seeking
  readonly preparing: Preparing
  readonly patterns: Patterns
  readonly #state: State
  readonly #clock: Clock | undefined
  #session: Session | undefined

  constructor(state: State, clock: Clock | undefined) {
    this.#state = state
    this.#clock = clock
    this.scheduling = {
      cancel: async (channel, id) => this.#channelOf(channel).cancel(id),
      dueAt: async (channel, id) => this.#channelOf(channel).dueAt(id),
    }
    this.browsing = browsing((channel) => this.#channelOf(channel), state)
    this.listing = {
      channels: async () => {
        this.#current()
        return Array.from(state.channels.values(), ({ spec }) => spec).sort((one, other) =>
          inOrder(one.name, other.name),
        )
      },
      groups: async (channel) =>
        Array.from(this.#channelOf(channel).groups.values(), listed).sort((one, other) =>
          inOrder(one.group, other.group),
        ),
    }
    this.seeking = seeking(
      (name) => this.#channelOf(name),
      (channel, name) => this.#groupOf(channel, name),
    )
    this.patterns = patterns(() => this.#current(), state.patterns)
    this.preparing = preparing(() => {
      this.#current()
      return state
    })
    this.lag = { lag: async (channel, group) => this.#lagOf(channel, group) }
  }

  async open(host: EngineHost): Promise<void> {
    if (this.#session !== undefined) {
      throw new PosthasteError('FAILED_PRECONDITION', 'memory engine: it was opened before')
    }
    const session = { clock: this.#clock ?? host.clock, log: host.log, instance: host.instance }
    this.#state.attach(session)
    this.#session = session
    host.onState('connected')
  }

  async declare(topology: Topology): Promise<TopologyReport> {
    this.#current()
    return declare(topology, this.#state)
  }

  async publish(records: readonly OutgoingRecord[]): Promise<readonly Outcome[]> {
    this.#current()
    return records.map((record) => this.#state.publish(record))
  }

  async subscribe(spec: SubscriptionSpec, sink: DeliverySink): Promise<EngineSubscription> {
    const group = this.#groupOf(spec.channel, spec.group)
    const member = new Member(spec, sink)
    group.join(member)
    return new Subscription(group, member, this.#state)
  }

  async close(): Promise<void> {
    if (this.#session !== undefined && this.#state.isOpenFor(this.#session)) this.#state.detach('handBack')
  }

  #current(): Session {
    const session = this.#session
    if (session === undefined) throw new PosthasteError('ENGINE_CLOSED', 'memory engine: it is not open yet')
    if (!this.#state.isOpenFor(session)) throw new PosthasteError('ENGINE_CLOSED', 'memory engine: it is closed')
    return session
  }

  #channelOf(name: string): Channel {
    this.#current()
    const channel = this.#state.channels.get(name)
    if (channel === undefined) throw new PosthasteError('NOT_FOUND', `channel ${name}: it is not declared`)
    return channel
  }

  #groupOf(channel: string, name: string): Group {
    const group = this.#channelOf(channel).groups.get(name)
    if (group === undefined) throw new PosthasteError('NOT_FOUND', `group ${name} of ${channel}: it is not declared`)
    return group
  }

  async #lagOf(channel: string, name: string): Promise<Lag> {
    const figures = this.#groupOf(channel, name).figures()
    return { ...figures, waiting: figures.waiting + this.#channelOf(channel).scheduledFor(name) }
  }
}

function listed({ name, lifetime, members }: Group): ListedGroup {
  return { group: name, lifetime, members: members.length }
}

const inOrder = (one: string, other: string): number => (one < other ? -1 : 1)
