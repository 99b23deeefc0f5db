import {
  type DeliverySink,
  type EngineHost,
  type EngineSubscription,
  type Listing,
  type Outcome,
  type OutgoingRecord,
  PosthasteError,
  type SubscriptionSpec,
  type Timer,
  type Topology,
  type TopologyReport,
} from '@posthaste/contracts'
import { endGroup, setSessionTimeout } from './admin.ts'
import type { BrowsingPlace } from './browsing-place.ts'
import { Cluster } from './cluster.ts'
import { Consumer } from './consumer.ts'
import type { ConsumerSource } from './consumer-source.ts'
import { Delays } from './delays.ts'
import { capabilitiesOf } from './features.ts'
import { Declared, type FoundGroup } from './groups.ts'
import { delaysGroup } from './lag.ts'
import { listing } from './listing.ts'
import { Names } from './names.ts'
import { NotedCounts } from './noted.ts'
import { Notes } from './notes.ts'
import type { Settings } from './options.ts'
import { OverdueTransactions } from './overdue.ts'
import { memberCount } from './positions.ts'
import { Producer, type Routed } from './producer.ts'
import { fromKafka } from './record-codec.ts'
import { groupLine, notedGroup, type RegisteredGroup, Registry } from './registry.ts'
import { Router } from './routing.ts'
import { tellSkew } from './skew.ts'
import { declare, type TopologyPlace, write } from './topology.ts'
import { Transactors } from './transactor.ts'
import { trim, trimDelays } from './trimming.ts'
import { warnOfUnsafe } from './warnings.ts'

/** How often what nobody needs any more is deleted. */
const trimEveryMs = 30_000

/** Everything that an open engine has. */
export class Session {
  readonly cluster: Cluster
  readonly notes: Notes
  readonly declared: Declared
  /** Names this engine among all others, those that had the same name before it included. */
  readonly #token = crypto.randomUUID().slice(0, 13)
  readonly #settings: Settings
  readonly #names: Names
  readonly #registry: Registry
  readonly #producer: Producer
  readonly #router: Router
  readonly #transactors: Transactors
  readonly #overdue: OverdueTransactions
  readonly #noted: NotedCounts
  readonly #topology: TopologyPlace
  readonly #consumers = new Map<Consumer, string>()
  /** Temporary groups that live with this engine, by what the server calls them. */
  readonly #temporary = new Map<string, { readonly channel: string; readonly entry: RegisteredGroup }>()
  readonly #locks = new Map<string, Promise<unknown>>()
  readonly #looked = new Set<string>()
  #memberless = new Set<string>()
  #consumersMade = 0
  #skewTold = false
  #delays: Delays | undefined
  #trimTimer: Timer | undefined
  #closing: Promise<void> | undefined

  constructor(
    settings: Settings,
    { host, keyRangesWanted }: { host: EngineHost; keyRangesWanted: number | undefined },
  ) {
    this.#settings = settings
    this.#names = new Names(settings.prefix)
    this.cluster = new Cluster(settings, host)
    this.#registry = new Registry(this.cluster, this.#names, this.#token)
    this.#producer = new Producer(this.cluster, settings.bodyBytesMax)
    this.#router = new Router(this.cluster, this.#names, this.#registry)
    this.notes = new Notes(this.cluster, this.#names)
    this.declared = new Declared(this.#names, this.#registry)
    this.#overdue = new OverdueTransactions(this.cluster, this.#names)
    this.#noted = new NotedCounts(this.cluster, this.#names)
    const { cluster } = this
    this.#transactors = new Transactors(cluster, (number) =>
      this.#names.transactionalId(`${host.instance}-${this.#token}-${number}`),
    )
    const [names, registry, producer, token] = [this.#names, this.#registry, this.#producer, this.#token]
    const capabilities = capabilitiesOf(settings)
    this.#topology = { cluster, names, registry, producer, capabilities, token, keyRangesWanted }
  }

  /** What looking and moving works with. */
  get place(): BrowsingPlace {
    return {
      cluster: this.cluster,
      names: this.#names,
      declared: this.declared,
      router: this.#router,
      exclusively: (name, work) => this.#exclusively(name, work),
    }
  }

  /** Tells what is declared. */
  get listing(): Listing {
    return listing(this.#topology)
  }

  async open(): Promise<void> {
    await this.cluster.open()
    await this.#registry.refresh()
    await this.cluster.refresh([
      this.#names.delays,
      ...[...this.#registry.channels.keys()].map((each) => this.#names.topic(each)),
    ])
    if (this.cluster.topicIfKnown(this.#names.delays) !== undefined) void this.#startDelays()
    this.cluster.onReconnected = () => {
      void tellSkew(this.cluster, this.#names)
      void this.#returned()
    }
    this.#tellSkewOnce()
    this.#armTrim()
  }

  // ── Topology ──────────────────────────────────────────────────────────────────────────────────────────────────────

  declare(topology: Topology): Promise<TopologyReport> {
    return this.#exclusively('declare', async () => {
      const report = await declare(topology, this.#topology)
      for (const { channel, group } of topology.groups) this.#keep(channel, group)
      await this.#warn(topology)
      this.#tellSkewOnce()
      if (this.#delays === undefined && this.#closing === undefined) {
        const { sessionTimeoutMs } = this.#settings
        if (sessionTimeoutMs !== undefined)
          await setSessionTimeout(this.cluster, [delaysGroup(this.#names)], sessionTimeoutMs)
        await this.#startDelays()
      }
      return report
    })
  }

  #keep(channel: string, group: string): void {
    const entry = this.#registry.channel(channel)?.groups.get(group)
    if (entry?.lifetime === 'temporary')
      this.#temporary.set(this.#names.groupId(channel, group, entry.token), { channel, entry })
  }

  /** There is a server again, which others had all along. */
  async #returned(): Promise<void> {
    try {
      await this.#registry.refresh()
      await this.#remakeTemporary()
    } catch (error) {
      this.cluster.host.log.debug('kafka engine: its temporary groups were not looked for', { error })
    }
  }

  /** Those that others took for abandoned while this process was away: records may be addressed to them again. */
  async #remakeTemporary(): Promise<void> {
    const gone = [...this.#temporary].filter(
      ([, { channel, entry }]) => this.#registry.channel(channel)?.groups.has(entry.group) !== true,
    )
    if (gone.length === 0) return
    const groupIds = gone.map(([groupId]) => groupId)
    const { sessionTimeoutMs } = this.#settings
    if (sessionTimeoutMs !== undefined) await setSessionTimeout(this.cluster, groupIds, sessionTimeoutMs)
    await write(
      this.#topology,
      gone.map(([, { channel, entry }]) => groupLine(channel, entry)),
    )
    this.cluster.host.log.info('kafka engine: temporary groups that others had ended are there again', { groupIds })
  }

  /** As soon as there is a place to ask at, which declaring makes. */
  #tellSkewOnce(): void {
    if (this.#skewTold || this.cluster.topicIfKnown(this.#names.registry) === undefined) return
    this.#skewTold = true
    void tellSkew(this.cluster, this.#names)
  }

  /** Once for each channel. */
  async #warn({ channels }: Topology): Promise<void> {
    const topics = channels.map(({ name }) => this.#names.topic(name)).filter((each) => !this.#looked.has(each))
    for (const each of topics) this.#looked.add(each)
    if (topics.length > 0) await warnOfUnsafe(this.cluster, topics)
  }

  /** One after the other. */
  async #exclusively<T>(name: string, work: () => Promise<T>): Promise<T> {
    const before = this.#locks.get(name) ?? Promise.resolve()
    const mine = before.then(work, work)
    const settled = mine.catch(() => {})
    this.#locks.set(name, settled)
    try {
      return await mine
    } finally {
      if (this.#locks.get(name) === settled) this.#locks.delete(name)
    }
  }

  // ── Publishing ────────────────────────────────────────────────────────────────────────────────────────────────────

  publish(records: readonly OutgoingRecord[]): Promise<readonly Outcome[]> | Promise<Outcome[]> {
    const outcomes: Outcome[] = new Array(records.length)
    const routed: (Routed | undefined)[] = new Array(records.length)
    this.#router.turn()
    for (let at = 0; at < records.length; at += 1) {
      const route = this.#router.route(records[at] as OutgoingRecord)
      if (!PosthasteError.is(route)) routed[at] = route
      else if (route.code === 'NOT_FOUND') return this.#publishUnknown(records)
      else outcomes[at] = { ok: false, error: route }
    }
    return this.#producer.send(routed, outcomes)
  }

  /** Something of it is not known here; another process may have declared it meanwhile. */
  async #publishUnknown(records: readonly OutgoingRecord[]): Promise<readonly Outcome[]> {
    await this.#registry.refresh()
    const topics = new Set(records.map(({ channel }) => this.#names.topic(channel)))
    await this.cluster.refresh([...topics])
    const outcomes: Outcome[] = new Array(records.length)
    const routed = records.map((record, at) => {
      const route = this.#router.route(record)
      if (!PosthasteError.is(route)) return route
      outcomes[at] = { ok: false, error: route }
      return undefined
    })
    return this.#producer.send(routed, outcomes)
  }

  // ── Subscriptions ─────────────────────────────────────────────────────────────────────────────────────────────────

  async subscribe(spec: SubscriptionSpec, sink: DeliverySink): Promise<EngineSubscription> {
    const { channel, group, filter } = spec
    if (filter !== undefined)
      throw new PosthasteError('CAPABILITY_UNSUPPORTED', `kafka engine: ${channel}@${group} cannot be filtered`)
    const { topic, groupId, entry } = await this.declared.group(channel, group)
    const consumer: Consumer = new Consumer(
      this.cluster,
      {
        ...this.#source(topic, groupId),
        channel,
        group,
        noted: notedGroup(entry),
        isTemporary: entry.lifetime === 'temporary',
        notes: this.notes,
        decode: (read, partition) => fromKafka(read, channel, { topic, partition }),
        onStopped: async () => {
          this.#consumers.delete(consumer)
          if (entry.lifetime === 'temporary' && ![...this.#consumers.values()].includes(groupId))
            await this.#endTemporary(channel, group)
        },
      },
      sink,
    )
    this.#consumers.set(consumer, groupId)
    await consumer.start()
    return consumer
  }

  /** What a group of this engine's own members has in hand. */
  inFlight(groupId: string): number {
    let sum = 0
    for (const [consumer, id] of this.#consumers) if (id === groupId) sum += consumer.inFlight()
    return sum
  }

  /** How many records are noted with ranges of a group that none of this engine's own members reads. */
  async notedElsewhere({ channel, topic, groupId, entry }: FoundGroup): Promise<number> {
    const own = [...this.#consumers].filter(([, id]) => id === groupId).map(([consumer]) => consumer)
    const partitions = [...(await this.cluster.topic(topic)).leaders.keys()]
    const others = partitions.filter((each) => !own.some((consumer) => consumer.reads(each)))
    const [name, group] = [channel.spec.name, notedGroup(entry)]
    return this.#noted.count(others.map((range) => ({ channel: name, group, range: String(range) })))
  }

  #source(topic: string, groupId: string): Omit<ConsumerSource, 'channel' | 'group' | 'noted' | 'notes' | 'decode'> {
    this.#consumersMade += 1
    const { instanceId } = this.#settings
    const same = [...this.#consumers.values()].filter((each) => each === groupId).length
    return {
      topic,
      groupId,
      instanceId: instanceId === undefined ? undefined : `${instanceId}-${same}`,
      name: String(this.#consumersMade),
      transactors: this.#transactors,
      overdue: this.#overdue,
      route: (record) => this.#router.route(record),
      refresh: () => this.#registry.refresh(),
    }
  }

  async #endTemporary(channel: string, group: string): Promise<void> {
    const entry = this.#registry.channel(channel)?.groups.get(group)
    if (entry?.lifetime !== 'temporary') return
    const groupId = this.#names.groupId(channel, group, entry.token)
    this.#temporary.delete(groupId)
    await endGroup(this.cluster, groupId)
    await write(this.#topology, [groupLine(channel, entry, true)])
    await this.#eraseNotes(channel, notedGroup(entry))
  }

  async #eraseNotes(channel: string, group: string): Promise<void> {
    const ranges = [...(await this.cluster.topic(this.#names.topic(channel))).leaders.keys()]
    const names = ranges.map((range) => ({ channel, group, range: String(range) }))
    const loaded = await Promise.all(names.map((name) => this.notes.load(name)))
    const erasures = loaded.flatMap(({ notes, orders }, at) => {
      const changes = notes.map(({ name }) => ({ name, record: undefined }))
      return this.notes.routed(names[at] as (typeof names)[number], changes, orders)
    })
    await this.#producer.send(erasures, new Array(erasures.length))
  }

  async #startDelays(): Promise<void> {
    if (this.#delays !== undefined) return
    this.#delays = new Delays(this.cluster, {
      ...this.#source(this.#names.delays, delaysGroup(this.#names)),
      decode: (read, partition) => fromKafka(read, '', { topic: this.#names.delays, partition }),
    })
    await this.#delays.start()
  }

  // ── What nobody needs ─────────────────────────────────────────────────────────────────────────────────────────────

  #armTrim(): void {
    const { clock, random } = this.cluster.host
    this.#trimTimer = clock.setTimer(trimEveryMs * (0.5 + random()), () => {
      void this.tidy().finally(() => {
        if (this.#closing === undefined) this.#armTrim()
      })
    })
  }

  /** Deletes what nobody needs any more: records that are settled, groups whose process is gone. Called from time to time. */
  async tidy(): Promise<void> {
    const groups = new Set(this.#consumers.values())
    try {
      await this.#registry.refresh()
      await this.#remakeTemporary()
      const foreign = this.#registry.foreignGroups()
      for (const { spec, groups: own } of this.#registry.channels.values()) {
        const isRead = [...own.values()].some(({ group, token }) =>
          groups.has(this.#names.groupId(spec.name, group, token)),
        )
        const others = foreign.filter(({ channel }) => channel === spec.name)
        const all = new Map([...own, ...others.map((each) => [`${each.group}~${each.token}`, each] as const)])
        if (isRead) await trim(this.cluster, this.#names, { spec, groups: all })
      }
      await this.#endAbandoned(foreign)
      if (this.#delays !== undefined) await trimDelays(this.cluster, this.#names, delaysGroup(this.#names))
    } catch (error) {
      this.cluster.host.log.debug('kafka engine: what nobody needs was not deleted this time', { error })
    }
  }

  /** Temporary groups whose process ended without a word: those without members this time and the time before. */
  async #endAbandoned(foreign: ReturnType<Registry['foreignGroups']>): Promise<void> {
    const before = this.#memberless
    this.#memberless = new Set()
    for (const { channel, ...entry } of foreign) {
      const groupId = this.#names.groupId(channel, entry.group, entry.token)
      if ((await memberCount(this.cluster, groupId)) > 0) continue
      this.#memberless.add(groupId)
      if (!before.has(groupId)) continue
      await endGroup(this.cluster, groupId)
      await this.#eraseNotes(channel, notedGroup(entry))
      await write(this.#topology, [groupLine(channel, entry, true)])
    }
  }

  // ── The end ───────────────────────────────────────────────────────────────────────────────────────────────────────

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    this.#trimTimer?.cancel()
    this.cluster.beginClose()
    if (!this.cluster.isConnected) this.#producer.expire(Number.POSITIVE_INFINITY)
    await this.#producer.idle()
    await Promise.allSettled([...this.#consumers.keys()].map((consumer) => consumer.stop()))
    await this.#delays?.stop()
    for (const { spec, groups } of this.#registry.channels.values())
      for (const { group, lifetime } of groups.values())
        if (lifetime === 'temporary') await this.#endTemporary(spec.name, group).catch(() => {})
    this.abandon()
  }

  /** Lets go of everything at once. */
  abandon(): void {
    this.#trimTimer?.cancel()
    this.cluster.close()
    this.#producer.close()
  }
}
