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
import type { Channel } from 'rabbitmq-client'
import type { Admin } from './admin.ts'
import type { Catalogue } from './catalogue.ts'
import { errorOf, isReply } from './errors.ts'
import { dueExchange, patternOf } from './ladder.ts'
import type { Names } from './names.ts'
import type { Registry } from './registry.ts'
import type { Entry } from './registry-entries.ts'
import type { KnownChannel } from './settings-text.ts'
import { parseSettings, settingsText } from './settings-text.ts'
import { differenceIn, keepText, readText } from './stored-text.ts'

/** What declaring needs. */
export interface TopologyDeps {
  readonly admin: Admin
  /** The same over the connection that consumes: only there queues that go with it can be reached. */
  readonly consumerAdmin: Admin
  readonly catalogue: Catalogue
  /** Where the names of all that is declared stand. */
  readonly registry: Registry
  readonly capabilities: EngineCapabilities
  readonly keyRanges: number
  /** Counts the connections that consumed, this one included. */
  readonly generation: () => number
}

/** Makes exchanges and queues exist, and knows the temporary groups of this process. */
export class TopologyKeeper {
  readonly #deps: TopologyDeps
  readonly #temporary = new Map<string, Temporary>()
  #tail: Promise<unknown> = Promise.resolve()

  constructor(deps: TopologyDeps) {
    this.#deps = deps
  }

  /** One after the other, so that each thing is made once. */
  declare(topology: Topology): Promise<TopologyReport> {
    const report = this.#tail.then(() => this.#declare(topology))
    this.#tail = report.catch(() => {})
    return report
  }

  isTemporary(channel: string, group: string): boolean {
    return this.#temporary.has(`${channel}@${group}`)
  }

  /** The group of a `queue` channel; undefined where none is declared. */
  async groupOfQueue(channel: string): Promise<string | undefined> {
    const { admin, catalogue } = this.#deps
    const known = catalogue.groupOf(channel) ?? (await readText(admin, catalogue.names.groupOf(channel)))
    if (known !== undefined) catalogue.setGroup(channel, known)
    return known
  }

  /** Deletes the temporary groups that nobody has joined. */
  async close(): Promise<void> {
    const drops = Array.from(this.#temporary.values(), ({ spec }) => this.dropTemporary(spec.channel, spec.group))
    await Promise.allSettled(drops)
  }

  /** Makes all temporary groups anew that went with a connection. */
  async renewAll(): Promise<void> {
    for (const { spec } of this.#temporary.values()) await this.renew(spec.channel, spec.group)
  }

  /** Makes one temporary group anew, if it went with a connection. */
  async renew(channel: string, group: string): Promise<void> {
    const generation = this.#deps.generation()
    const made = this.#temporary.get(`${channel}@${group}`)
    if (made === undefined || made.generation === generation) return
    const known = await this.#deps.catalogue.find(channel)
    if (known === undefined) return
    await this.#makeGroup(known, made.spec)
    made.generation = generation
    // It may have been found gone in between.
    void this.#deps.registry.add([{ channel, group }])
  }

  /** Deletes a temporary group with all that waits in it. */
  async dropTemporary(channel: string, group: string): Promise<void> {
    this.#temporary.delete(`${channel}@${group}`)
    const known = this.#deps.catalogue.get(channel)
    if (known === undefined) return
    const queues = queuesOf(this.#deps.catalogue, known, group)
    await Promise.all(queues.map((queue) => this.#deps.consumerAdmin.run((asked) => asked.queueDelete(queue))))
  }

  async #declare({ channels, groups }: Topology): Promise<TopologyReport> {
    const { catalogue, capabilities, registry } = this.#deps
    for (const { channel } of groups) await catalogue.find(channel)
    checkTopology({ channels, groups }, { capabilities, kindOf: (name) => catalogue.get(name)?.spec.kind })
    const created: string[] = []
    const drift: TopologyDrift[] = []
    const standing: Entry[] = []
    for (const spec of channels) {
      const { isNew, differences } = await this.#declareChannel(spec)
      if (isNew) created.push(spec.name)
      if (differences.length === 0) standing.push({ channel: spec.name })
      drift.push(...differences)
    }
    for (const spec of groups) {
      if (drift.some(({ name }) => name === spec.channel)) continue
      const { isNew, differences } = await this.#declareGroup(spec)
      if (isNew) created.push(`${spec.channel}@${spec.group}`)
      // The group of a queue is told by what the server keeps of the channel.
      const isOfLog = catalogue.get(spec.channel)?.spec.kind === 'log'
      if (differences.length === 0 && isOfLog) standing.push({ channel: spec.channel, group: spec.group })
      drift.push(...differences)
    }
    await registry.add(standing)
    return { created, drift }
  }

  async #declareChannel(spec: ChannelSpec): Promise<Declared> {
    const { admin, catalogue, keyRanges } = this.#deps
    if (spec.keyed && catalogue.mappingOf(spec.name) !== undefined) throw keyedMapping(spec.name)
    const wanted: KnownChannel = { spec, keyRanges: spec.keyed ? keyRanges : 0 }
    const { found, isNew } = await keepText(admin, catalogue.names.settings(spec.name), settingsText(wanted))
    const known = parseSettings(spec.name, found)
    if (known === undefined)
      return drifted({ name: spec.name, setting: 'settings', wanted: settingsText(wanted), found })
    catalogue.add(known)
    const differences = [...channelDrift(known.spec, spec), ...rangesDrift(known, wanted)]
    if (differences.length > 0) return { isNew: false, differences }
    return this.#making(spec.name, isNew, () => this.#makeChannel(known))
  }

  async #makeChannel(known: KnownChannel): Promise<void> {
    const { admin, catalogue } = this.#deps
    const { name, kind } = known.spec
    const mapping = catalogue.mappingOf(name)
    const exchange = mapping?.exchange ?? catalogue.names.exchange(name)
    await admin.run(async (channel) => {
      const type = mapping?.type ?? (known.keyRanges > 0 ? 'topic' : 'fanout')
      await channel.exchangeDeclare({ exchange, type, durable: true })
      if (mapping !== undefined) return
      const routingKey = patternOf(catalogue.names.channelWord(name))
      await channel.exchangeBind({ destination: exchange, source: dueExchange, routingKey })
    })
    // A queue keeps what comes before its group is known.
    if (kind === 'queue') await this.#makeQueues(known, undefined)
  }

  async #declareGroup(spec: GroupSpec): Promise<Declared> {
    const { admin, catalogue } = this.#deps
    const { channel: name, group, lifetime = 'durable' } = spec
    const channel = await catalogue.find(name)
    if (channel === undefined) return { isNew: false, differences: [] }
    if (channel.spec.kind === 'queue') {
      const { found, isNew } = await keepText(admin, catalogue.names.groupOf(name), group)
      catalogue.setGroup(name, found)
      return found === group ? { isNew, differences: [] } : drifted({ name, setting: 'group', wanted: group, found })
    }
    const found = await this.#lifetimeOf(channel, group)
    const differences = found === undefined ? [] : lifetimeDrift(found, spec)
    if (differences.length > 0) return { isNew: false, differences }
    if (lifetime === 'temporary') this.#temporary.set(`${name}@${group}`, { spec, generation: this.#deps.generation() })
    return this.#making(`${name}@${group}`, found === undefined, () => this.#makeGroup(channel, spec))
  }

  /** Undefined where there is no such group. */
  async #lifetimeOf(channel: KnownChannel, group: string): Promise<GroupSpec['lifetime']> {
    if (this.isTemporary(channel.spec.name, group)) return 'temporary'
    return (await groupExists(this.#deps, channel, group)) ? 'durable' : undefined
  }

  async #makeGroup(channel: KnownChannel, { group, lifetime }: GroupSpec): Promise<void> {
    await this.#makeQueues(channel, { group, isTemporary: lifetime === 'temporary' })
  }

  async #makeQueues(known: KnownChannel, owner: Owner | undefined): Promise<void> {
    const { catalogue, consumerAdmin } = this.#deps
    const isTemporary = owner?.isTemporary ?? false
    const { name } = known.spec
    const base = catalogue.names.queue(name, owner?.group)
    const make = (range: number): Promise<void> =>
      consumerAdmin.run(async (channel) => {
        const isRanged = known.keyRanges > 0
        const queue = isRanged ? catalogue.names.range(base, range) : base
        // The notes come first: a range that can be published to can be read.
        if (isRanged) await declareQueue(channel, catalogue.names.control(base, range), { isTemporary, isRanged })
        await declareQueue(channel, queue, { isTemporary, isRanged })
        await channel.queueBind({
          queue,
          exchange: dueExchange,
          routingKey: patternOf(catalogue.names.queueWord(queue)),
        })
        await bindToChannel(channel, catalogue, { queue, name, pattern: isRanged ? `#.${range}` : '' })
      })
    await Promise.all(Array.from({ length: Math.max(1, known.keyRanges) }, (_, range) => make(range)))
  }

  /** Makes something; what is there with other arguments is drift, in the server's words. */
  async #making(name: string, isNew: boolean, make: () => Promise<void>): Promise<Declared> {
    try {
      await make()
      return { isNew, differences: [] }
    } catch (thrown) {
      const difference = differenceIn(thrown)
      if (difference === undefined) throw errorOf(thrown, `declaring ${name}`)
      return drifted({ name, ...difference })
    }
  }
}

/** Whether the queue of a group is there, and may be read by this process. */
export async function groupExists(deps: TopologyDeps, channel: KnownChannel, group: string): Promise<boolean> {
  return (await stateOf(deps, channel, group)) === 'there'
}

/** How long a group of any process lives; undefined where there is none. `isOwn`: this process has one that is temporary. */
export async function lifetimeOf(
  deps: TopologyDeps,
  channel: KnownChannel,
  { group, isOwn }: { readonly group: string; readonly isOwn: boolean },
): Promise<'durable' | 'temporary' | undefined> {
  const state = await stateOf(deps, channel, group)
  if (state === 'absent') return undefined
  return state === 'locked' || isOwn ? 'temporary' : 'durable'
}

async function stateOf(
  deps: TopologyDeps,
  channel: KnownChannel,
  group: string,
): Promise<'there' | 'locked' | 'absent'> {
  const queue = deps.catalogue.queueOf(channel, group, 0)
  try {
    await deps.consumerAdmin.run((asked) => asked.queueDeclare({ queue, passive: true }))
    return 'there'
  } catch (thrown) {
    // What is locked is the temporary group of another process: it ends with that.
    if (isReply(thrown, 'RESOURCE_LOCKED')) return 'locked'
    if (isReply(thrown, 'NOT_FOUND')) return 'absent'
    throw errorOf(thrown, `looking for the queue ${queue}`)
  }
}

/** The queue that the members of a group are counted by. */
export function membersOf(names: Names, { name, kind }: ChannelSpec, group: string): string {
  return names.members(names.queue(name, kind === 'queue' ? undefined : group))
}

/** All queues of a group. */
export function queuesOf({ names }: Catalogue, { spec, keyRanges }: KnownChannel, group: string): readonly string[] {
  const queue = names.queue(spec.name, spec.kind === 'queue' ? undefined : group)
  if (keyRanges === 0) return [queue]
  const ranges = Array.from({ length: keyRanges }, (_, range) => range)
  return ranges.flatMap((range) => [names.range(queue, range), names.control(queue, range)])
}

interface Temporary {
  readonly spec: GroupSpec
  /** Which connection it was made for. */
  generation: number
}

interface Declared {
  readonly isNew: boolean
  readonly differences: readonly TopologyDrift[]
}

interface Owner {
  readonly group: string
  readonly isTemporary: boolean
}

function drifted(difference: TopologyDrift): Declared {
  return { isNew: false, differences: [difference] }
}

function rangesDrift(found: KnownChannel, wanted: KnownChannel): readonly TopologyDrift[] {
  if (found.keyRanges === wanted.keyRanges || found.spec.keyed !== wanted.spec.keyed) return []
  const [is, asked] = [String(found.keyRanges), String(wanted.keyRanges)]
  return [{ name: wanted.spec.name, setting: 'keyRanges', wanted: asked, found: is }]
}

/**
 * Nothing may be dead-lettered or dropped behind the core's back, and from 4.0 a queue without a limit has one of 20. A number
 * that is never reached is understood by every version, so an upgrade of the server is no drift.
 */
const unlimited = 2_147_483_647

function declareQueue(
  channel: Channel,
  queue: string,
  { isTemporary, isRanged }: { readonly isTemporary: boolean; readonly isRanged: boolean },
): Promise<unknown> {
  const single = isRanged ? { 'x-single-active-consumer': true } : {}
  if (isTemporary) return channel.queueDeclare({ queue, exclusive: true, arguments: single })
  const durable = { 'x-queue-type': 'quorum', 'x-delivery-limit': unlimited } as const
  return channel.queueDeclare({ queue, durable: true, arguments: { ...durable, ...single } })
}

async function bindToChannel(
  channel: Channel,
  catalogue: Catalogue,
  { queue, name, pattern }: { readonly queue: string; readonly name: string; readonly pattern: string },
): Promise<void> {
  const mapping = catalogue.mappingOf(name)
  if (mapping === undefined) {
    await channel.queueBind({ queue, exchange: catalogue.names.exchange(name), routingKey: pattern })
    return
  }
  const { exchange, routingKey = name, bindingKey = routingKey, headers, match = 'all' } = mapping
  const matched = headers === undefined ? {} : { arguments: { 'x-match': match, ...headers } }
  await channel.queueBind({ queue, exchange, routingKey: bindingKey, ...matched })
  // What is delayed comes back to our own groups alone: the ladder cannot give a record its routing key back.
  const due = patternOf(catalogue.names.channelWord(name))
  await channel.queueBind({ queue, exchange: dueExchange, routingKey: due })
}

function keyedMapping(channel: string): PosthasteError {
  return new PosthasteError(
    'CAPABILITY_UNSUPPORTED',
    `channel ${channel}: it is keyed, and an exchange of another making knows nothing of key ranges`,
    { remedy: 'Take the key out of the contract, or the channel out of the option exchanges.' },
  )
}
