import {
  AckPolicy,
  type ConsumerConfig,
  type ConsumerInfo,
  DeliverPolicy,
  DiscardPolicy,
  type JetStreamManager,
  RetentionPolicy,
  StorageType,
  type StreamConfig,
  type StreamInfo,
} from '@nats-io/jetstream'
import { nanos } from '@nats-io/nats-core'
import {
  type ChannelSpec,
  channelDrift,
  checkTopology,
  type EngineCapabilities,
  type GroupSpec,
  lifetimeDrift,
  PosthasteError,
  type Topology,
  type TopologyDrift,
  type TopologyReport,
} from '@posthaste/contracts'
import { apiCodes, errorFrom, isApiError } from './errors.ts'
import type { Link } from './link.ts'
import type { ChannelNames, Names } from './names.ts'

/** A group as its consumers tell. */
export interface Group {
  readonly name: string
  readonly lifetime: NonNullable<GroupSpec['lifetime']>
}

/** A channel as its stream tells. */
export interface Channel {
  readonly spec: ChannelSpec
  readonly names: ChannelNames
  /** Into how many ranges its keys are divided; 0 where it is not keyed. */
  readonly keyRanges: number
  readonly groups: Map<string, Group>
}

/** What the server does not keep itself stands in the description of a stream. */
interface Description {
  readonly posthaste: 1
  readonly spec: ChannelSpec
  readonly keyRanges: number
}

/** What {@link TopologyKeeper} needs. */
export interface TopologySurroundings {
  readonly link: Link
  readonly names: Names
  readonly capabilities: () => EngineCapabilities
  /** A temporary group was made by this process, or is to be kept by it from now on. */
  readonly onTemporary: (channel: Channel, group: string) => Promise<void>
  /** A channel is seen for the first time. */
  readonly onLearned?: (channel: Channel) => void
}

/** Channels asked for at once: declaring hundreds one after the other would take long. */
const parallelMax = 16

/** Messages whose ids a stream remembers where the channel does not ask for it: moves are told apart by it. */
const moveWindowMs = 120_000

/** The server has a default of 1,000, and stops delivering at it. */
const unlimited = -1

/** Pulls that may wait at one consumer; each member has a few. */
const pullsMax = 4_096

/**
 * The consumer of what waits for its time, where some process hands it on; elsewhere it only holds it in a stream that would
 * keep nothing but what somebody is to consume.
 */
export const laterConsumer = '@later'

/** Makes channels and groups exist, and knows those that it has seen. */
export class TopologyKeeper {
  readonly #surroundings: TopologySurroundings
  readonly #channels = new Map<string, Channel>()
  #turn: Promise<unknown> = Promise.resolve()

  constructor(surroundings: TopologySurroundings) {
    this.#surroundings = surroundings
  }

  /** A channel that was seen already. */
  known(name: string): Channel | undefined {
    return this.#channels.get(name)
  }

  forget(name: string): void {
    this.#channels.delete(name)
  }

  all(): Iterable<Channel> {
    return this.#channels.values()
  }

  /** Looks at the server where it was not seen yet. */
  async find(name: string): Promise<Channel | undefined> {
    const known = this.#channels.get(name)
    if (known !== undefined) return known
    const { link, names } = this.#surroundings
    const { stream } = names.channel(name, false)
    const info = await link.find(`channel ${name}`, (manager) => manager.streams.info(stream))
    return info === undefined ? undefined : this.#learn(name, info)
  }

  /** @throws NOT_FOUND */
  async channel(name: string): Promise<Channel> {
    const channel = await this.find(name)
    if (channel === undefined) throw new PosthasteError('NOT_FOUND', `channel ${name}: it is not declared`)
    return channel
  }

  async findGroup(channel: Channel, name: string): Promise<Group | undefined> {
    const known = channel.groups.get(name)
    if (known !== undefined) return known
    const info = await this.consumerInfo(channel, name, channel.keyRanges > 0 ? 0 : undefined)
    if (info === undefined) return undefined
    const group: Group = { name, lifetime: lifetimeOf(info) }
    channel.groups.set(name, group)
    return group
  }

  /** @throws NOT_FOUND */
  async group(channelName: string, name: string): Promise<{ readonly channel: Channel; readonly group: Group }> {
    const channel = await this.channel(channelName)
    const group = await this.findGroup(channel, name)
    if (group === undefined) {
      throw new PosthasteError('NOT_FOUND', `group ${name} of ${channelName}: it is not declared`)
    }
    return { channel, group }
  }

  async consumerInfo(channel: Channel, group: string, range?: number): Promise<ConsumerInfo | undefined> {
    const { link, names } = this.#surroundings
    const consumer = names.consumer(group, range)
    return link.find(`group ${group}`, (manager) => manager.consumers.info(channel.names.stream, consumer))
  }

  /** One declaration at a time, so that each thing is made once. */
  declare(topology: Topology): Promise<TopologyReport> {
    const turn = this.#turn.then(() => this.#declare(topology))
    this.#turn = turn.catch(() => {})
    return turn
  }

  async #declare({ channels, groups }: Topology): Promise<TopologyReport> {
    const named = new Set([...channels.map(({ name }) => name), ...groups.map(({ channel }) => channel)])
    await inParallel([...named].filter(isName), (name) => this.find(name))
    const { capabilities } = this.#surroundings
    checkTopology(
      { channels, groups },
      { capabilities: capabilities(), kindOf: (name) => this.#channels.get(name)?.spec.kind },
    )
    refuseShortWindows(channels)
    const created: string[] = []
    const drift: TopologyDrift[] = []
    const report = { created, drift }
    await inParallel(channels, (spec) => this.#declareChannel(spec, report))
    await inParallel(groups, (spec) => this.#declareGroup(spec, report))
    return report
  }

  async #declareChannel(wanted: ChannelSpec, { created, drift }: MutableReport): Promise<void> {
    const { link } = this.#surroundings
    const found = this.#channels.get(wanted.name)
    if (found === undefined) {
      const config = this.#streamConfig(wanted)
      const what = `channel ${wanted.name}`
      try {
        const info = await link.admin(what, (manager) => makeStream(manager, config, this.#laterConfig(config)))
        this.#learn(wanted.name, info)
        created.push(wanted.name)
      } catch (thrown) {
        throw errorFrom(thrown, what)
      }
      return
    }
    drift.push(...channelDrift(found.spec, wanted))
    const { keyRanges } = link.settings
    if (wanted.keyed && found.spec.keyed && found.keyRanges !== keyRanges) {
      drift.push({
        name: wanted.name,
        setting: 'keyRanges',
        wanted: String(keyRanges),
        found: String(found.keyRanges),
      })
    }
  }

  async #declareGroup(wanted: GroupSpec, { created, drift }: MutableReport): Promise<void> {
    const channel = this.#channels.get(wanted.channel) as Channel
    if (channel.spec.kind === 'queue') {
      const other = await this.groupOfQueue(channel)
      if (other !== undefined && other !== wanted.group) {
        drift.push({ name: wanted.channel, setting: 'group', wanted: wanted.group, found: other })
        return
      }
    }
    channel.groups.delete(wanted.group)
    const found = await this.findGroup(channel, wanted.group)
    if (found !== undefined) {
      drift.push(...lifetimeDrift(found.lifetime, wanted))
      // A process that died while it made the group may have left some of its consumers unmade.
      await this.#makeConsumers(channel, wanted)
    } else {
      await this.#makeConsumers(channel, wanted)
      created.push(`${wanted.channel}@${wanted.group}`)
      channel.groups.set(wanted.group, { name: wanted.group, lifetime: wanted.lifetime ?? 'durable' })
    }
    if ((found?.lifetime ?? wanted.lifetime) === 'temporary')
      await this.#surroundings.onTemporary(channel, wanted.group)
  }

  async #makeConsumers(channel: Channel, wanted: GroupSpec): Promise<void> {
    const what = `group ${wanted.group} of ${wanted.channel}`
    const ranges = rangesOf(channel)
    // The first one is made last: it is the one that is looked at to see whether the group is there.
    for (const range of [...ranges].reverse()) {
      await this.makeConsumer(channel, this.consumerConfig(channel, wanted, range), what)
    }
  }

  async makeConsumer(channel: Channel, config: Partial<ConsumerConfig>, what: string): Promise<void> {
    const { link } = this.#surroundings
    try {
      await link.admin(what, async (manager) => {
        const { stream } = channel.names
        const exists = await manager.consumers.info(stream, config.durable_name ?? '').catch((thrown: unknown) => {
          if (isApiError(thrown, apiCodes.consumerNotFound)) return undefined
          throw thrown
        })
        if (exists === undefined) await manager.consumers.add(stream, config)
      })
    } catch (thrown) {
      if (!isApiError(thrown, apiCodes.consumerNameExists, apiCodes.consumerExists)) throw errorFrom(thrown, what)
    }
  }

  /** How a group reads a channel, or one range of it. */
  consumerConfig(channel: Channel, { group, from, lifetime }: ConsumerWish, range?: number): Partial<ConsumerConfig> {
    const { link, names } = this.#surroundings
    const { leaseMs } = link.settings
    const begins = channel.spec.kind === 'queue' || from === 'earliest' ? DeliverPolicy.All : DeliverPolicy.New
    return {
      durable_name: names.consumer(group, range),
      description: JSON.stringify({ posthaste: 1, lifetime: lifetime ?? 'durable' }),
      ack_policy: AckPolicy.Explicit,
      ack_wait: nanos(serverLeaseMs(leaseMs)),
      max_deliver: unlimited,
      max_ack_pending: unlimited,
      max_waiting: pullsMax,
      deliver_policy: begins,
      ...this.#filterOf(channel, group, range),
    }
  }

  /**
   * A queue has one group, which gets everything. A group of a log gets what is for all and what is for it; where the
   * server allows one filter only, what is for others comes too, and is passed over.
   */
  #filterOf(channel: Channel, group: string, range: number | undefined): Partial<ConsumerConfig> {
    const { names, spec } = channel
    if (spec.kind === 'queue' || !this.#surroundings.link.features.severalFilters) {
      return { filter_subject: range === undefined ? names.records : names.records.replace(/\*$/, String(range)) }
    }
    return { filter_subjects: [names.subject(undefined, range), names.subject(group, range)] }
  }

  #streamConfig(spec: ChannelSpec): StreamWish {
    const { link, names } = this.#surroundings
    const { features, settings } = link
    const { stream, records, later } = names.channel(spec.name, spec.keyed)
    const keyRanges = spec.keyed ? settings.keyRanges : 0
    const description: Description = { posthaste: 1, spec: plainSpec(spec), keyRanges }
    return {
      name: stream,
      description: JSON.stringify(description),
      subjects: [records, `${later}.*.*.*.*`],
      retention: retentionOf(spec),
      storage: StorageType.File,
      num_replicas: settings.replicas,
      discard: DiscardPolicy.Old,
      duplicate_window: nanos(spec.deduplicateForMs ?? moveWindowMs),
      allow_direct: true,
      allow_rollup_hdrs: true,
      ...(features.schedules ? { allow_msg_schedules: true } : {}),
    }
  }

  /** Undefined where nobody needs a consumer of what waits. */
  #laterConfig({ retention, subjects = [] }: StreamWish): Partial<ConsumerConfig> | undefined {
    const { features, settings } = this.#surroundings.link
    if (features.schedules && retention !== RetentionPolicy.Interest) return undefined
    return {
      durable_name: laterConsumer,
      ack_policy: AckPolicy.Explicit,
      ack_wait: nanos(Math.max(10_000, settings.timeoutMs * 2)),
      max_deliver: unlimited,
      max_ack_pending: unlimited,
      max_waiting: pullsMax,
      deliver_policy: DeliverPolicy.All,
      filter_subject: subjects[1] ?? '',
    }
  }

  #learn(name: string, info: StreamInfo): Channel {
    const { names } = this.#surroundings
    const { spec, keyRanges } = descriptionOf(name, info)
    const channel: Channel = { spec, keyRanges, names: names.channel(name, spec.keyed), groups: new Map() }
    const known = this.#channels.get(name)
    if (known !== undefined) return known
    this.#channels.set(name, channel)
    this.#surroundings.onLearned?.(channel)
    return channel
  }

  /** The name of the one group of a queue, if it has one. */
  async groupOfQueue(channel: Channel): Promise<string | undefined> {
    const { link } = this.#surroundings
    const consumers = await link.admin(`channel ${channel.spec.name}`, (manager) =>
      manager.consumers.list(channel.names.stream).next(),
    )
    for (const { name } of consumers) {
      if (!name.startsWith('@')) return (name.split('@')[0] ?? '').replaceAll('=', '.')
    }
    return undefined
  }
}

/** Shortest time for which a server recognises ids. */
const windowMsMin = 100

/** @throws CONFIG_INVALID */
function refuseShortWindows(channels: readonly ChannelSpec[]): void {
  const issues = channels.flatMap(({ name, deduplicateForMs = windowMsMin }, at) => {
    if (deduplicateForMs >= windowMsMin) return []
    const message = `${name}: NATS recognises ids for ${windowMsMin} ms at least, not for ${deduplicateForMs}`
    return [{ path: `channels.${at}.deduplicateForMs`, message }]
  })
  if (issues.length === 0) return
  throw new PosthasteError('CONFIG_INVALID', `topology: ${issues.map(({ message }) => message).join('; ')}`, { issues })
}

/** Keeps everything that is to be consumed while the consumers of a group are made anew. */
export function guardConsumer(records: string): Partial<ConsumerConfig> {
  return {
    durable_name: '@guard',
    ack_policy: AckPolicy.Explicit,
    deliver_policy: DeliverPolicy.All,
    filter_subject: records,
  }
}

/** How a consumer is to begin. */
export type ConsumerWish = Pick<GroupSpec, 'group' | 'from' | 'lifetime'>

interface MutableReport {
  readonly created: string[]
  readonly drift: TopologyDrift[]
}

type StreamWish = Partial<StreamConfig> & { name: string }

/** The ranges of a channel, or the one that is none. */
export function rangesOf({ keyRanges }: Pick<Channel, 'keyRanges'>): readonly (number | undefined)[] {
  return keyRanges === 0 ? [undefined] : Array.from({ length: keyRanges }, (_, range) => range)
}

/**
 * How long the server waits before it gives a delivery to somebody else: longer than its member believes to have it, so
 * that nobody settles what is somebody else's.
 */
export function serverLeaseMs(leaseMs: number): number {
  return leaseMs + Math.max(200, Math.round(leaseMs / 10))
}

/** A stream, with what is read by no group. */
async function makeStream(
  manager: JetStreamManager,
  config: StreamWish,
  later: Partial<ConsumerConfig> | undefined,
): Promise<StreamInfo> {
  const info = await manager.streams.add(config)
  if (later !== undefined) await manager.consumers.add(config.name, later)
  return info
}

/** A log without retention keeps what a group has not settled; one with it is trimmed by us, who know what groups need. */
function retentionOf({ kind, retention }: ChannelSpec): RetentionPolicy {
  if (kind === 'queue') return RetentionPolicy.Workqueue
  return retention === undefined ? RetentionPolicy.Interest : RetentionPolicy.Limits
}

function plainSpec({ name, kind, keyed, retention, deduplicateForMs }: ChannelSpec): ChannelSpec {
  return { name, kind, keyed, retention, deduplicateForMs }
}

/** @throws FAILED_PRECONDITION when the stream is not one of ours */
function descriptionOf(name: string, { config }: StreamInfo): Description {
  try {
    const description = JSON.parse(config.description ?? '') as Description
    if (description.posthaste === 1) return description
  } catch {
    // Told below.
  }
  throw new PosthasteError(
    'FAILED_PRECONDITION',
    `channel ${name}: the stream ${config.name} was not made by Posthaste`,
    {
      remedy: 'Delete the stream, or use another prefix.',
    },
  )
}

function lifetimeOf({ config }: ConsumerInfo): Group['lifetime'] {
  return config.description?.includes('"lifetime":"temporary"') ? 'temporary' : 'durable'
}

function isName(name: string): boolean {
  return /^[A-Za-z0-9._-]{1,240}$/.test(name)
}

/** Works on several at once, and rejects with the first failure. */
export async function inParallel<T>(items: readonly T[], work: (item: T) => Promise<unknown>): Promise<void> {
  const rest = items.values()
  const worker = async (): Promise<void> => {
    for (const item of rest) await work(item)
  }
  await Promise.all(Array.from({ length: Math.min(parallelMax, items.length) }, worker))
}
