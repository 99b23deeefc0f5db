import {
  type Browsing,
  checkTopology,
  type DeliverySink,
  type Engine,
  type EngineCapabilities,
  type EngineHost,
  type EngineSubscription,
  type KeyRangeControl,
  type LagReading,
  type Outcome,
  type OutgoingRecord,
  PosthasteError,
  type Scheduling,
  type Seeking,
  type Settlement,
  type SubscriptionSpec,
  type Topology,
  type TopologyReport,
} from '@posthaste/contracts'
import type { Feed, Reader } from './feed.ts'
import type { Server } from './server.ts'

/** A client of a broker with key ranges: it can acknowledge, hand back, and write notes. */
export class PartitionedEngine implements Engine {
  readonly name = 'partitioned'
  readonly browsing: Browsing
  readonly lag: LagReading
  readonly scheduling: Scheduling
  readonly seeking: Seeking
  readonly #broker: Server
  readonly #members = new Set<PartitionedSubscription>()
  #state: 'new' | 'open' | 'closed' = 'new'

  constructor(broker: Server) {
    const { browsing, scheduling } = broker.storage
    this.#broker = broker
    this.browsing = {
      browse: async (query) => this.#open().then(() => browsing!.browse(query)),
      move: async (channel, moves) => this.#open().then(() => browsing!.move(channel, moves)),
    }
    this.lag = {
      lag: async (channel, group) => {
        await this.#open()
        const stored = await broker.storage.lag!.lag(channel, group)
        const own = [...this.#members].map(({ reader }) => reader)
        const { inFlight, noted } = (await broker.feed(channel, group)).figures(own)
        return { ready: stored.ready, waiting: stored.waiting, inFlight, noted }
      },
    }
    this.scheduling = {
      cancel: async (channel, id) => this.#open().then(() => scheduling!.cancel(channel, id)),
      dueAt: async (channel, id) => this.#open().then(() => scheduling!.dueAt(channel, id)),
    }
    this.seeking = {
      seek: async (channel, group, target) => this.#open().then(() => broker.seek(channel, group, target)),
    }
  }

  get capabilities(): EngineCapabilities {
    return {
      ...this.#broker.storage.capabilities,
      keyOrder: 'partitions',
      holdKey: 'none',
      attempts: this.#broker.options.attempts,
      priorityLevels: 1,
      filter: 'none',
      patterns: 'none',
      temporaryGroups: 'none',
    }
  }

  async open(host: EngineHost): Promise<void> {
    await this.#broker.opened()
    this.#state = 'open'
    host.onState('connected')
  }

  async declare(topology: Topology): Promise<TopologyReport> {
    await this.#open()
    const { capabilities } = this
    checkTopology(topology, { capabilities, kindOf: () => undefined })
    if (topology.groups.some(({ lifetime }) => lifetime === 'temporary')) {
      throw new PosthasteError('CAPABILITY_UNSUPPORTED', 'there are no temporary groups')
    }
    return this.#broker.storage.declare(topology)
  }

  async publish(records: readonly OutgoingRecord[]): Promise<readonly Outcome[]> {
    await this.#open()
    return this.#broker.storage.publish(records)
  }

  async subscribe(spec: SubscriptionSpec, sink: DeliverySink): Promise<EngineSubscription> {
    await this.#open()
    if (spec.filter !== undefined) throw new PosthasteError('CAPABILITY_UNSUPPORTED', 'there are no filters')
    const feed = await this.#broker.feed(spec.channel, spec.group)
    const member = new PartitionedSubscription(feed, feed.join(sink), this.#broker)
    this.#members.add(member)
    return member
  }

  async close(): Promise<void> {
    if (this.#state === 'closed') return
    await Promise.all([...this.#members].map((member) => member.stop()))
    this.#state = 'closed'
  }

  /** The process is gone: nothing is answered or delivered any more. */
  die(): void {
    this.#state = 'closed'
    for (const member of this.#members) member.die()
  }

  /** The connection is lost, and there again. */
  interrupt(): void {
    for (const member of this.#members) member.interrupt()
  }

  async #open(): Promise<void> {
    if (this.#state !== 'open') throw new PosthasteError('ENGINE_CLOSED', `the engine is ${this.#state}`)
  }
}

class PartitionedSubscription implements EngineSubscription {
  readonly ranges: KeyRangeControl
  readonly reader: Reader
  readonly #feed: Feed
  #isOver = false

  constructor(feed: Feed, reader: Reader, broker: Server) {
    this.#feed = feed
    this.reader = reader
    this.ranges = {
      pause: (range) => feed.pause(reader, range, true),
      resume: (range) => feed.pause(reader, range, false),
      note: async (range, changes, publish) => {
        const epoch = feed.epochOf(reader, range)
        await this.#reached()
        const error = broker.options.fault?.('note')
        if (error !== undefined) return { ok: false, error }
        const outcomes = publish === undefined ? [] : await broker.storage.publish(publish)
        return outcomes.find(({ ok }) => !ok) ?? feed.note(reader, { name: range, epoch }, changes)
      },
      giveUp: async (range) => {
        await this.#reached()
        feed.giveUp(reader, range)
      },
    }
  }

  grant(credit: number): void {
    if (!this.#isOver) this.#feed.grant(this.reader, credit)
  }

  async settle(batch: readonly Settlement[]): Promise<readonly Outcome[]> {
    await this.#reached()
    return Promise.all(batch.map((settlement) => this.#settle(settlement)))
  }

  async #settle(settlement: Settlement): Promise<Outcome> {
    if (settlement.kind === 'ack') return this.#feed.settle(this.reader, settlement.tag, settlement.publish)
    if (settlement.countsAttempt || settlement.visibleAtMs !== undefined || settlement.holdKey === true) {
      throw new Error('a broker with key ranges is asked for nothing but to hand back')
    }
    return this.#feed.handBack(this.reader, settlement.tag)
  }

  async extend(): Promise<void> {}

  async stop(): Promise<void> {
    if (this.#isOver) return
    this.die()
  }

  die(): void {
    this.#isOver = true
    this.#feed.leave(this.reader)
  }

  interrupt(): void {
    if (!this.#isOver) this.#feed.interrupt(this.reader)
  }

  /** A request takes a while, and is answered by nobody when the process is gone. */
  async #reached(): Promise<void> {
    await Promise.resolve()
    if (this.#isOver) throw new PosthasteError('DELIVERY_LOST', 'the member has left')
  }
}
