import {
  type ChannelSpec,
  checkTopology,
  type DeliverySink,
  type Engine,
  type EngineCapabilities,
  type EngineHost,
  type EngineSubscription,
  type Outcome,
  type OutgoingRecord,
  PosthasteError,
  type SubscriptionSpec,
  succeeded,
  type Topology,
  type TopologyReport,
} from '@posthaste/contracts'
import { Redis } from 'ioredis'
import { refusal } from './admission.ts'
import { connectError, failed, notOpen, serverError, unavailable, undeclared } from './errors.ts'
import { capabilitiesWith } from './features.ts'
import { connectionOptions } from './link.ts'
import { keysOf } from './names.ts'
import { type CheckedOptions, checkOptions, type RedisOptions } from './options.ts'
import { PubSubSubscription } from './pubsub-subscription.ts'
import { packFields, RecordReader } from './record-fields.ts'
import { Packer, Unpacker } from './wire.ts'

/** Options of the plain pub/sub engine: those that say where the server is. */
export type RedisPubSubOptions = Pick<RedisOptions, 'url' | 'username' | 'password' | 'tls' | 'prefix'>

const capabilities: EngineCapabilities = Object.freeze({
  ...capabilitiesWith('none'),
  keyOrder: 'none',
  holdKey: 'none',
  delay: 'none',
  delayPrecisionMs: 0,
  atomicSettle: 'none',
  history: 'none',
  priorityLevels: 1,
  patterns: 'none',
  deduplicateForMsMax: 0,
})

/**
 * Plain pub/sub, at most once: a message reaches the processes that listen at that moment, and nothing keeps it. For what
 * is worth nothing a second later. It has temporary groups alone, each with one member; everything else is refused.
 * @throws CONFIG_INVALID listing every mistake
 */
export function redisPubSub(options: RedisPubSubOptions): Engine {
  return new PubSubEngine(checkOptions(options, 'redisPubSub'))
}

class PubSubEngine implements Engine {
  readonly name = 'redis-pubsub'
  readonly capabilities = capabilities
  readonly #options: CheckedOptions
  readonly #channels = new Map<string, ChannelSpec>()
  readonly #groups = new Set<string>()
  readonly #members = new Set<PubSubSubscription>()
  readonly #packer = new Packer()
  #connections: readonly [commands: Redis, messages: Redis] | undefined
  #host: EngineHost | undefined
  #state: 'new' | 'open' | 'closed' = 'new'
  #heard = 0

  constructor(options: CheckedOptions) {
    this.#options = options
  }

  // ── Life cycle ────────────────────────────────────────────────────────────────────────────────────────────────────

  async open(host: EngineHost): Promise<void> {
    if (this.#state !== 'new')
      throw new PosthasteError('FAILED_PRECONDITION', 'the redis pub/sub engine was opened before')
    this.#state = 'open'
    this.#host = host
    const connect = () => this.#connection(host)
    const [commands, messages] = [connect(), connect()] as const
    messages.on('messageBuffer', (channel: Buffer, body: Buffer) => this.#hear(String(channel), body))
    try {
      await Promise.all([commands.connect(), messages.connect()])
    } catch (thrown) {
      this.#state = 'closed'
      for (const connection of [commands, messages]) connection.disconnect()
      throw connectError(`${this.#options.host}:${this.#options.port}`, thrown)
    }
    this.#connections = [commands, messages]
    host.onState('connected')
    messages.on('close', () => this.#told('lost'))
    messages.on('ready', () => this.#told('connected'))
  }

  #connection(host: EngineHost): Redis {
    const redis = new Redis({
      ...connectionOptions(this.#options, `posthaste-${host.instance}`),
      enableAutoPipelining: true,
      autoResubscribe: true,
      maxRetriesPerRequest: 0,
      retryStrategy: (times) => Math.min(2_000, 50 * 2 ** times) * (0.5 + host.random() / 2),
    })
    redis.on('error', (cause: Error) => host.log.debug('redis cannot be reached', { cause }))
    return redis
  }

  #told(state: 'lost' | 'connected'): void {
    if (this.#state !== 'open') return
    const lost = () => unavailable('the connection is lost, and what is published meanwhile')
    this.#host?.onState(state, state === 'lost' ? lost() : undefined)
  }

  async close(): Promise<void> {
    if (this.#state === 'open') await Promise.all([...this.#members].map((member) => member.stop()))
    this.#state = 'closed'
    for (const connection of this.#connections ?? []) connection.disconnect()
  }

  #current() {
    if (this.#state !== 'open' || this.#connections === undefined || this.#host === undefined) throw notOpen()
    const [commands, messages] = this.#connections
    return { commands, messages, host: this.#host }
  }

  // ── Channels ──────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Nothing is made at the server: what is declared is known to this engine alone, until it is closed. */
  async declare(topology: Topology): Promise<TopologyReport> {
    this.#current()
    checkTopology(topology, { capabilities, kindOf: (name) => this.#channels.get(name)?.kind })
    for (const { channel, group, lifetime } of topology.groups) {
      if (lifetime === 'temporary') continue
      throw new PosthasteError('CAPABILITY_UNSUPPORTED', `redis pub/sub: nothing is kept for ${group} of ${channel}`, {
        remedy: 'Follow the event with broadcast: true, or use the engine redis().',
      })
    }
    for (const spec of topology.channels) {
      if (!spec.keyed && spec.retention === undefined) continue
      throw new PosthasteError('CAPABILITY_UNSUPPORTED', `redis pub/sub: ${spec.name} asks for order or history`, {
        remedy: 'Leave out key and retention, or use the engine redis().',
      })
    }
    const created: string[] = []
    for (const spec of topology.channels) {
      if (!this.#channels.has(spec.name)) created.push(spec.name)
      this.#channels.set(spec.name, spec)
    }
    for (const { channel, group } of topology.groups) {
      if (!this.#groups.has(`${channel}@${group}`)) created.push(`${channel}@${group}`)
      this.#groups.add(`${channel}@${group}`)
    }
    return { created, drift: [] }
  }

  #keyOf(channel: string): string {
    return `${keysOf(this.#options.prefix)}pubsub:${channel}`
  }

  // ── Messages ──────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Confirmed is that the server has passed it on, to however many. */
  async publish(records: readonly OutgoingRecord[]): Promise<readonly Outcome[]> {
    const { commands } = this.#current()
    return Promise.all(records.map((record) => this.#publish(record, commands)))
  }

  async #publish(record: OutgoingRecord, commands: Redis): Promise<Outcome> {
    const error = refusal(record)
    if (error !== undefined) return { ok: false, error }
    if (!this.#channels.has(record.channel)) return { ok: false, error: undeclared(`channel ${record.channel}`) }
    if (record.dueAtMs !== undefined) return failed('CAPABILITY_UNSUPPORTED', 'redis pub/sub: nothing waits')
    packFields(this.#packer, record)
    try {
      await commands.publish(this.#keyOf(record.channel), this.#packer.take())
      return succeeded
    } catch (thrown) {
      return { ok: false, error: serverError('publish', thrown) }
    }
  }

  #hear(key: string, body: Buffer): void {
    const channel = key.slice(this.#keyOf('').length)
    const host = this.#host
    if (host === undefined) return
    try {
      const { record } = new RecordReader(channel).read(new Unpacker(body), '0-0')
      this.#heard += 1
      const position = String(this.#heard).padStart(16, '0')
      for (const member of this.#members) {
        const { spec } = member
        if (spec.channel !== channel || (record.group ?? spec.group) !== spec.group) continue
        member.heard({ record, attempt: 1, storedAtMs: host.clock.nowMs(), position })
      }
    } catch (cause) {
      host.log.warn('a message that is none of Posthaste was heard and dropped', { channel, cause })
    }
  }

  async subscribe(spec: SubscriptionSpec, sink: DeliverySink): Promise<EngineSubscription> {
    const { commands, messages, host } = this.#current()
    const { channel, group } = spec
    if (!this.#groups.has(`${channel}@${group}`)) throw undeclared(`group ${group} of ${channel}`)
    if (spec.filter !== undefined)
      throw new PosthasteError('CAPABILITY_UNSUPPORTED', 'redis pub/sub: it has no filters')
    const token = `${this.#keyOf(channel)}@${group}`
    const member = new PubSubSubscription(spec, sink, {
      log: host.log,
      publish: (records) => this.publish(records),
      left: (each) => this.#left(each),
    })
    const [, others] = (await commands.pubsub('NUMSUB', token)) as [string, number]
    if (Number(others) > 0) {
      throw new PosthasteError('CONFLICT', `redis pub/sub: somebody is ${group} of ${channel}, and each hears all`, {
        remedy: 'Follow the event with broadcast: true, or use the engine redis() to share the work.',
      })
    }
    this.#members.add(member)
    await messages.subscribe(this.#keyOf(channel), token)
    return member
  }

  async #left(member: PubSubSubscription): Promise<void> {
    const { channel, group } = member.spec
    this.#members.delete(member)
    this.#groups.delete(`${channel}@${group}`)
    const [, messages] = this.#connections ?? []
    const isLast = ![...this.#members].some(({ spec }) => spec.channel === channel)
    const keys = [`${this.#keyOf(channel)}@${group}`, ...(isLast ? [this.#keyOf(channel)] : [])]
    await messages?.unsubscribe(...keys).catch(() => {})
  }
}
