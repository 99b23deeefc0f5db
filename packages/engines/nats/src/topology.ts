import type { ConsumerConfig, ConsumerInfo, JetStreamManager, StreamInfo } from '@nats-io/jetstream'
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
import { type Channel, type Group, rangesOf } from './channel.ts'
import { consumerConfig, descriptionOf, laterConfig, lifetimeOf, type StreamWish, streamConfig } from './configs.ts'
import { apiCodes, errorFrom, isApiError } from './errors.ts'
import type { Link } from './link.ts'
import type { Names } from './names.ts'
import { inParallel } from './parallel.ts'

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

  all(): Iterable<Channel> {
    return this.#channels.values()
  }

  /** Looks at the server where it was not seen yet. */
  async find(name: string): Promise<Channel | undefined> {
    const known = this.#channels.get(name)
    if (known !== undefined || !isName(name)) return known
    const { link, names } = this.#surroundings
    const { stream } = names.channel(name, false)
    const info = await link.find(`channel ${name}`, (manager) => manager.streams.info(stream))
    return info === undefined ? undefined : this.#learn(name, info)
  }

  /** @throws NOT_FOUND */
  async channel(name: string): Promise<Channel> {
    const channel = await this.find(name)
    if (channel === undefined) throw undeclared(name)
    return channel
  }

  async findGroup(channel: Channel, name: string): Promise<Group | undefined> {
    const known = channel.groups.get(name)
    if (known !== undefined || !isName(name)) return known
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
    await inParallel([...named], (name) => this.find(name))
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
      const config = streamConfig(this.#surroundings, wanted)
      const what = `channel ${wanted.name}`
      try {
        const info = await link.admin(what, (manager) => makeStream(manager, config, laterConfig(link, config)))
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
      await this.makeConsumer(channel, consumerConfig(this.#surroundings, channel, { ...wanted, range }), what)
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

interface MutableReport {
  readonly created: string[]
  readonly drift: TopologyDrift[]
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

export function undeclared(channel: string): PosthasteError {
  return new PosthasteError('NOT_FOUND', `channel ${channel}: it is not declared`)
}

/** Whether it may be one: a client refuses to ask a server for what cannot be there. */
export function isName(name: string): boolean {
  return /^[A-Za-z0-9._-]{1,240}$/.test(name)
}
