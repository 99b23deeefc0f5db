import {
  type DeliverySink,
  type EngineHost,
  type LagReading,
  type Listing,
  type Outcome,
  type OutgoingRecord,
  type Patterns,
  PosthasteError,
  type Scheduling,
  type Seeking,
  type Topology,
  type TopologyReport,
} from '@posthaste/contracts'
import { Browser } from './browser.ts'
import { Consumer } from './consumer.ts'
import { DamageReport } from './damage-report.ts'
import type { DurableEngine, DurablePreparing, DurableSubscription, DurableSubscriptionSpec } from './durable-engine.ts'
import { notOpen, writeFailed } from './errors.ts'
import { capabilities } from './features.ts'
import type { Group } from './group/group.ts'
import type { FullGroup } from './group/group-context.ts'
import { Isolation } from './group/isolation.ts'
import { Member } from './group/member.ts'
import { listing } from './listing.ts'
import { RecentBlocks } from './log/recent-blocks.ts'
import type { EmbeddedOptions } from './options.ts'
import type { PatternMemory } from './patterns.ts'
import { Preparations } from './preparing.ts'
import { Publisher } from './publisher.ts'
import { Scheduler } from './scheduler.ts'
import { seek } from './seeking.ts'
import { takeSnapshot } from './snapshot.ts'
import { Committer, type Participant } from './storage/committer.ts'
import { endOwnership, releaseOwnership, takeOwnership } from './storage/owner.ts'
import { Store, type Transaction } from './storage/store.ts'
import { Registry } from './topology.ts'

/** Memory for the newest blocks, over all channels. */
const recentBytesMax = 32 * 1024 * 1024

/** What an open engine consists of. */
interface Opened {
  readonly host: EngineHost
  readonly store: Store
  readonly committer: Committer
  readonly registry: Registry
  readonly scheduler: Scheduler
  readonly publisher: Publisher
  readonly browser: Browser
  readonly preparations: Preparations
  readonly members: Map<Member, Group>
}

/**
 * The embedded durable engine: everything in one LMDB environment, changed in one transaction at a time, owned by one
 * process. State is kept in memory and is ahead of the disk by what the next transaction brings; whoever waits for
 * durability waits for that.
 */
export class EmbeddedEngine implements DurableEngine {
  readonly name = 'embedded'
  readonly capabilities = capabilities
  readonly #options: EmbeddedOptions
  #opened: Opened | undefined
  #closing: Promise<void> = Promise.resolve()
  #opening: Promise<void> | undefined
  #resuming: Promise<void> | undefined
  readonly #patterns: PatternMemory = { watchers: new Set(), temporary: new Map() }
  /** Copies that are being taken: they read a store that must not be closed under them. */
  readonly #snapshots = new Set<Promise<void>>()

  constructor(options: EmbeddedOptions) {
    this.#options = options
  }

  open(host: EngineHost): Promise<void> {
    if (this.#opened !== undefined) return Promise.resolve()
    this.#opening ??= this.#openWith(host).finally(() => {
      this.#opening = undefined
    })
    return this.#opening
  }

  async #openWith(host: EngineHost): Promise<void> {
    const { dir } = this.#options
    const store = openStore(dir)
    try {
      const boot = await takeOwnership(store, dir)
      this.#opened = await this.#restored(host, store, boot)
    } catch (error) {
      await store.close()
      throw error
    }
    host.onState('connected')
  }

  resume(): Promise<void> {
    this.#resuming ??= this.#takeUp().finally(() => {
      this.#resuming = undefined
    })
    return this.#resuming
  }

  /** Memory is ahead of the disk: what stands there is read anew. Taking the directory is the write that shows that it works. */
  async #takeUp(): Promise<void> {
    const failed = this.#opened
    if (failed === undefined) throw notOpen()
    if (failed.committer.failure === undefined) return
    try {
      await this.#letGo(failed)
      await this.#openWith(failed.host)
    } catch (error) {
      throw writeFailed(error)
    }
  }

  /** What cannot be restored is left as it is, for whoever repairs it, and owned by nobody. */
  async #restored(host: EngineHost, store: Store, boot: number): Promise<Opened> {
    const committer = new Committer(store, (failure) => this.#onFailure(failure))
    try {
      return this.#assemble(host, { store, committer, boot })
    } catch (cause) {
      committer.close()
      await store.commit(releaseOwnership)
      endOwnership(this.#options.dir)
      throw PosthasteError.from(cause, 'ENGINE_CORRUPT', `what stands in ${this.#options.dir} cannot be read`)
    }
  }

  #assemble(host: EngineHost, on: { store: Store; committer: Committer; boot: number }): Opened {
    const { store, committer, boot } = on
    const { clock } = host
    const members = new Map<Member, Group>()
    const damage = new DamageReport(host, committer)
    const registry = new Registry({
      store,
      committer,
      clock,
      log: host.log,
      patterns: this.#patterns,
      isolation: new Isolation(),
      nowMs: () => clock.nowMs(),
      recent: new RecentBlocks(recentBytesMax),
      failed: () => committer.failure !== undefined,
      onDamaged: (log, offset) => damage.report(log, offset, undefined),
      onDamagedBlock: (log, first, bytes) => damage.report(log, first, bytes),
      onFull: (full) => reportFull(host, full),
    })
    const scheduler = new Scheduler({
      store,
      committer,
      clock,
      boot,
      target: (id) => registry.inletOf(id),
      targetOf: (channel) => registry.channels.get(channel)?.inlet,
      onDamaged: (key, row) => damage.reportScheduled(key, row),
    })
    const publisher = new Publisher(registry, scheduler, clock)
    const browser = new Browser(registry, publisher, committer)
    const preparations = new Preparations({ store, committer, clock, log: host.log, registry, publisher })
    return { host, store, committer, registry, scheduler, publisher, browser, preparations, members }
  }

  async snapshot(dir: string): Promise<void> {
    const { store, committer } = this.#running()
    await committer.flushed()
    const taking = takeSnapshot(store, dir)
    this.#snapshots.add(taking)
    await taking.finally(() => this.#snapshots.delete(taking))
  }

  async declare(topology: Topology): Promise<TopologyReport> {
    return this.#running().registry.declare(topology)
  }

  topology(): Topology {
    const channels = [...this.#running().registry.channels.values()]
    return {
      channels: channels.map(({ spec }) => spec),
      groups: channels.flatMap(({ groups }) =>
        [...groups.values()].map(({ row }) => ({
          ...{ channel: row.channel, group: row.group, lifetime: row.lifetime },
          from: 'next' as const,
        })),
      ),
    }
  }

  publish(records: readonly OutgoingRecord[]): Promise<readonly Outcome[]> {
    const opened = this.#opened
    if (opened === undefined) return Promise.reject(notOpen())
    const { committer } = opened
    if (committer.failure !== undefined) return Promise.resolve(allFailed(records.length, committer.failure))
    const outcomes = opened.publisher.takeAll(records)
    return new Promise((resolve) => {
      const tell = (failure: PosthasteError | undefined): void =>
        resolve(failure === undefined ? outcomes : allFailed(records.length, failure))
      committer.wait(tell, records.length)
    })
  }

  async subscribe(spec: DurableSubscriptionSpec, sink: DeliverySink): Promise<DurableSubscription> {
    const { registry, members, committer, publisher } = this.#running()
    const { group } = registry.group(spec.channel, spec.group)
    const member = new Member(spec, sink)
    members.set(member, group)
    const stopped = (): void => {
      if (members.delete(member)) registry.left(group)
    }
    return new Consumer(group, member, { committer, publisher, stopped })
  }

  close(): Promise<void> {
    const again = (): Promise<void> => this.close()
    const pending = this.#opening ?? this.#resuming
    if (pending !== undefined) return pending.then(again, again)
    const opened = this.#opened
    this.#opened = undefined
    this.#patterns.watchers.clear()
    this.#patterns.temporary.clear()
    if (opened !== undefined) this.#closing = this.#shutDown(opened)
    return this.#closing
  }

  async #shutDown(opened: Opened): Promise<void> {
    const { members, scheduler, registry, committer } = opened
    for (const [member, group] of members) group.leave(member)
    scheduler.close()
    registry.close()
    try {
      if (committer.failure === undefined) {
        committer.join(lastWill)
        await committer.flushed()
      }
    } finally {
      await this.#letGo(opened)
    }
  }

  /** A store that does not let go of its file may still write to it: then nobody else must have the directory. */
  async #letGo({ scheduler, registry, committer, store }: Opened): Promise<void> {
    scheduler.close()
    registry.close()
    committer.close()
    await Promise.allSettled(this.#snapshots)
    await store.close()
    endOwnership(this.#options.dir)
  }

  readonly scheduling: Scheduling = {
    cancel: async (channel: string, id: string): Promise<boolean> => this.#running().scheduler.cancel(channel, id),
    dueAt: async (channel: string, id: string): Promise<number | undefined> =>
      this.#running().scheduler.dueAt(channel, id),
  }

  readonly browsing = {
    browse: async (query: Parameters<Browser['browse']>[0]) => this.#running().browser.browse(query),
    move: async (channel: string, moves: Parameters<Browser['move']>[1]) =>
      this.#running().browser.move(channel, moves),
  }

  readonly listing: Listing = listing(() => this.#running())

  readonly seeking: Seeking = {
    seek: async (channel, group, target) => {
      const { registry, committer } = this.#running()
      await seek({ channel, group, target }, registry, committer)
    },
  }

  readonly preparing: DurablePreparing = {
    prepare: async (record, checkAtMs) => this.#running().preparations.prepare(record, checkAtMs),
    commit: async (names) => this.#running().preparations.commit(names),
    rollback: async (names) => this.#running().preparations.rollback(names),
    postpone: async (name, checkAtMs) => this.#running().preparations.postpone(name, checkAtMs),
    prepared: async (channel, limit, after) => this.#running().preparations.prepared(channel, limit, after),
  }

  readonly patterns: Patterns = {
    declare: async (spec) => {
      const { registry, committer } = this.#running()
      registry.patterns.declare(spec)
      await committer.flushed()
      registry.patterns.announce()
    },
    watch: async (pattern, onChannel) => this.#running().registry.patterns.watch(pattern, onChannel),
  }

  readonly lag: LagReading = {
    lag: async (channel, group) => {
      const { registry, scheduler } = this.#running()
      const found = registry.group(channel, group)
      const figures = found.group.lag()
      const scheduled = scheduler.waiting(registry.channel(channel).inlet.id) + scheduler.waiting(found.inlet.id)
      return { ...figures, waiting: figures.waiting + scheduled }
    },
  }

  /** @throws ENGINE_CLOSED ENGINE_WRITE_FAILED */
  #running(): Opened {
    if (this.#opened === undefined) throw notOpen()
    const { failure } = this.#opened.committer
    if (failure !== undefined) throw failure
    return this.#opened
  }

  #onFailure(failure: PosthasteError): void {
    const opened = this.#opened
    if (opened === undefined) return
    opened.host.log.error('the embedded engine stops: a write failed', { cause: failure.message })
    opened.host.onState('lost', failure)
    for (const member of opened.members.keys()) member.closed(failure)
    opened.members.clear()
  }
}

function openStore(dir: string): Store {
  try {
    return new Store(dir)
  } catch (cause) {
    throw PosthasteError.from(cause, 'UNAVAILABLE', `the data directory ${dir} cannot be opened`)
  }
}

function allFailed(count: number, error: PosthasteError): readonly Outcome[] {
  return new Array<Outcome>(count).fill({ ok: false, error })
}

function reportFull(host: EngineHost, { channel, group, held, full }: FullGroup): void {
  if (!full) {
    host.log.info(`group '${group}' of '${channel}' reads on`, { channel, group, held })
    host.onState('connected')
    return
  }
  const message = `group '${group}' of '${channel}' holds ${held} unsettled records and reads no more for now`
  const remedy = 'Settle or dead-letter what it holds: look at the handlers that fail.'
  host.log.warn(message, { channel, group, held })
  host.onState('degraded', new PosthasteError('OVERLOADED', message, { remedy }))
}

/** The last transaction of an orderly end. */
const lastWill: Participant = {
  write: (tx: Transaction) => releaseOwnership(tx),
  committed: () => {},
}
