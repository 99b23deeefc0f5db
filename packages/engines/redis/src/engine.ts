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
  type Timer,
  type Topology,
  type TopologyReport,
} from '@posthaste/contracts'
import type { Batcher } from './batcher.ts'
import { browsing } from './browsing.ts'
import { Connection } from './connection.ts'
import { Consumer, type ConsumerNeeds } from './consumer.ts'
import { lagReading, scheduling } from './counting.ts'
import { notOpen, undeclared } from './errors.ts'
import { capabilitiesWith } from './features.ts'
import type { Link } from './link.ts'
import { listing } from './listing.ts'
import { keysOf } from './names.ts'
import { type CheckedOptions, checkOptions, type RedisOptions } from './options.ts'
import { PatternGroups } from './patterns.ts'
import { preparing } from './preparing.ts'
import { publisher } from './publisher.ts'
import { seeking } from './seeking.ts'
import { measureSkew, promiseOf } from './server.ts'
import { ServerTime } from './server-time.ts'
import { type Run, Session } from './session.ts'
import { declare, declareGroups } from './topology.ts'
import { Packer } from './wire.ts'

/**
 * The engine on Redis Streams: messages, groups and everything about them stand in one server, and every step is one
 * script there. What is confirmed is as durable as the server is set to make it.
 * @throws CONFIG_INVALID listing every mistake
 */
export function redis(options: RedisOptions): Engine {
  return new RedisEngine(checkOptions(options))
}

/** What joining answers when the session was ended by others. */
const noSession = 2

/** Everything that exists while the engine is open. */
interface Open {
  readonly host: EngineHost
  readonly connection: Connection
  readonly session: Session
  readonly publisher: Batcher<OutgoingRecord>
}

class RedisEngine implements Engine {
  readonly name = 'redis'
  readonly scheduling: Scheduling
  readonly browsing: Browsing
  readonly lag: LagReading
  readonly listing: Listing
  readonly seeking: Seeking
  readonly preparing: Preparing
  readonly patterns: Patterns
  readonly #options: CheckedOptions
  readonly #time = new ServerTime()
  readonly #groups: PatternGroups
  /** The members of this process, and what the server calls them. */
  readonly #members = new Map<Consumer, string>()
  /** Temporary groups that this process has declared, by channel and group. */
  readonly #temporary = new Map<string, GroupSpec>()
  /** Members that left while there was no connection. */
  readonly #departed: [spec: SubscriptionSpec, member: string][] = []
  /** How many listen for what is new in a channel. */
  readonly #listening = new Map<string, number>()
  #capabilities = capabilitiesWith('disk')
  #isMeasured = false
  #open: Open | undefined
  #state: 'new' | 'open' | 'closed' = 'new'
  #lastMember = 0
  #poll: Timer | undefined
  #needsAttention: PosthasteError | undefined

  constructor(options: CheckedOptions) {
    this.#options = options
    const run: Run = (operation, packed) => this.#run(operation, packed)
    this.scheduling = scheduling(run, this.#time)
    this.browsing = browsing(run, this.#time)
    this.lag = lagReading(run)
    this.listing = listing(run)
    this.seeking = seeking(run, this.#time)
    this.preparing = preparing(run, this.#time)
    this.#groups = new PatternGroups({
      run,
      host: () => this.#current().host,
      session: () => this.#current().session.id,
    })
    this.patterns = this.#groups
  }

  get capabilities(): EngineCapabilities {
    return this.#capabilities
  }

  // ── Life cycle ────────────────────────────────────────────────────────────────────────────────────────────────────

  async open(host: EngineHost): Promise<void> {
    if (this.#state !== 'new') throw new PosthasteError('FAILED_PRECONDITION', 'the redis engine was opened before')
    this.#state = 'open'
    const connection = new Connection(this.#options, host, {
      message: (channel, text) => this.#told(channel, text),
      resume: (link) => this.#resume(link),
      resumed: () => this.#resumed(),
      lost: (cause) => this.#lost(cause),
    })
    const { timeoutMs, sessionMs, reconnectMs } = this.#options
    const session = new Session({
      ...{ connection, host, sessionMs, reconnectMs },
      lost: (reason) => this.#loseAll(reason),
      rejoin: (run) => this.#rejoin(run),
    })
    const needs = { connection, host, timeoutMs, time: this.#time }
    this.#open = { host, connection, session, publisher: publisher(needs) }
    const keys = keysOf(this.#options.prefix)
    try {
      await connection.open([`${keys}due`, `${keys}channels`])
    } catch (thrown) {
      connection.close()
      this.#state = 'closed'
      throw thrown
    }
    this.#pollLater()
  }

  async close(): Promise<void> {
    const open = this.#open
    if (this.#state !== 'open' || open === undefined) {
      this.#state = 'closed'
      return
    }
    this.#state = 'closed'
    this.#poll?.cancel()
    const { connection, publisher, session } = open
    const members = [...this.#members.keys()]
    // What waits for a connection would wait for its time limit.
    if (!connection.isUp) connection.close()
    await Promise.all([publisher.close(), ...members.map((member) => member.stop())])
    const run: Run = async (operation, packed) => (await connection.call(operation, packed)).reply
    // Without a connection the session ends by itself, in its time.
    await session.close(connection.isUp ? run : undefined).catch(() => {})
    connection.close()
  }

  #current(): Open {
    if (this.#state !== 'open' || this.#open === undefined) throw notOpen()
    return this.#open
  }

  async #run(operation: string, packed: Buffer) {
    return (await this.#current().connection.call(operation, packed)).reply
  }

  // ── The connection ────────────────────────────────────────────────────────────────────────────────────────────────

  /** There is a link: what must be known, and put right, before it is used. */
  async #resume(link: Link): Promise<void> {
    const { host, connection, session } = this.#current()
    const run: Run = (operation, packed) => connection.callOn(link, operation, packed)
    session.returning()
    try {
      await this.#look(link, host)
      await session.resume(run, link)
      for (const [spec, member] of this.#departed.splice(0)) await run('leave', this.#packLeave(spec, member))
    } catch (thrown) {
      session.disconnected()
      throw thrown
    }
  }

  async #look(link: Link, host: EngineHost): Promise<void> {
    const [aheadMs, errorMs] = await measureSkew(link, host.clock)
    this.#time.measured(aheadMs, errorMs)
    host.onClockSkew?.(aheadMs, errorMs)
    const { durability, warnings } = await promiseOf(link)
    // Final from the first time on; what is other later is told.
    if (!this.#isMeasured) this.#capabilities = capabilitiesWith(durability)
    this.#isMeasured = true
    this.#needsAttention = undefined
    if (warnings.length === 0) return
    for (const warning of warnings) host.log.warn(`redis: ${warning}`, { server: this.#options.host })
    this.#needsAttention = new PosthasteError('FAILED_PRECONDITION', `redis: ${warnings.join('; ')}`, {
      remedy: 'Set appendonly yes, appendfsync always and maxmemory-policy noeviction.',
    })
  }

  #resumed(): void {
    if (this.#needsAttention === undefined) this.#open?.host.onState('connected')
    else this.#open?.host.onState('degraded', this.#needsAttention)
    for (const consumer of this.#members.keys()) consumer.wake()
    this.#groups.changed()
  }

  #lost(cause: PosthasteError): void {
    if (this.#state !== 'open') {
      this.#open?.connection.close()
      return
    }
    this.#open?.session.disconnected()
    this.#open?.host.onState('lost', cause)
  }

  /** Somebody has told something over pub/sub. */
  #told(channel: string, text: string): void {
    const what = channel.slice(keysOf(this.#options.prefix).length)
    if (what.startsWith('wake:')) {
      const name = what.slice('wake:'.length)
      for (const consumer of this.#members.keys()) {
        const { spec } = consumer
        if (spec.channel === name && (text === '' || text === spec.group)) consumer.wake()
      }
    } else if (what === 'due') this.#open?.session.due(Number(text))
    else if (what === 'channels') this.#groups.changed()
  }

  /** What other clients add to a stream they do not tell about. */
  #pollLater(): void {
    const { clock } = this.#current().host
    this.#poll = clock.setTimer(this.#options.pollMs, () => {
      if (this.#state !== 'open') return
      for (const consumer of this.#members.keys()) consumer.wake()
      this.#pollLater()
    })
  }

  // ── The session ───────────────────────────────────────────────────────────────────────────────────────────────────

  #loseAll(reason: PosthasteError): void {
    for (const consumer of this.#members.keys()) {
      this.#members.set(consumer, '')
      consumer.loseAll(reason)
    }
  }

  /** A session has begun: groups that went with the one before are made again, and members join. */
  async #rejoin(run: Run): Promise<void> {
    const { session } = this.#current()
    await declareGroups([...this.#temporary.values()], { run, session: session.id })
    await this.#groups.again(run)
    for (const consumer of this.#members.keys()) {
      const { channel, group } = consumer.spec
      if ((await this.#join(consumer, run)) === 0) continue
      this.#members.delete(consumer)
      this.#unlisten(channel)
      consumer.end(undeclared(`group ${group} of ${channel}`))
    }
  }

  /** @returns 0, or what is missing: 1 the group, 2 the session */
  async #join(consumer: Consumer, run: Run): Promise<number> {
    const { channel, group } = consumer.spec
    const { session } = this.#current()
    this.#lastMember += 1
    const member = `${session.id}:${this.#lastMember}`
    const packed = new Packer().array(4).text(channel).text(group).text(member).text(session.id).take()
    const answer = (await run('join', packed)).number()
    if (answer === 0) this.#members.set(consumer, member)
    return answer
  }

  async #leave(consumer: Consumer): Promise<void> {
    const member = this.#members.get(consumer)
    const open = this.#open
    if (member === undefined || open === undefined) return
    this.#members.delete(consumer)
    const { spec } = consumer
    this.#unlisten(spec.channel)
    const isLastOfGroup = ![...this.#members.keys()].some(
      (each) => each.spec.channel === spec.channel && each.spec.group === spec.group,
    )
    if (isLastOfGroup) this.#temporary.delete(`${spec.channel} ${spec.group}`)
    if (member === '') return
    try {
      await open.connection.call('leave', this.#packLeave(spec, member), { repeatable: true })
    } catch (cause) {
      open.host.log.debug('redis does not know yet that a member left', { member: spec.member, cause })
      this.#departed.push([spec, member])
    }
  }

  async #listen(channel: string): Promise<void> {
    const count = this.#listening.get(channel) ?? 0
    this.#listening.set(channel, count + 1)
    await this.#current().connection.listen(`${keysOf(this.#options.prefix)}wake:${channel}`)
  }

  #unlisten(channel: string): void {
    const left = (this.#listening.get(channel) ?? 0) - 1
    if (left > 0) this.#listening.set(channel, left)
    else if (this.#listening.delete(channel))
      this.#open?.connection.unlisten(`${keysOf(this.#options.prefix)}wake:${channel}`)
  }

  #packLeave({ channel, group }: SubscriptionSpec, member: string): Buffer {
    const session = member.slice(0, member.indexOf(':'))
    return new Packer().array(4).text(channel).text(group).text(member).text(session).take()
  }

  // ── What the core asks for ────────────────────────────────────────────────────────────────────────────────────────

  async declare(topology: Topology): Promise<TopologyReport> {
    const { session } = this.#current()
    const run: Run = (operation, packed) => this.#run(operation, packed)
    const report = await declare(topology, { run, capabilities: this.capabilities, session: session.id })
    for (const spec of topology.groups) {
      if (spec.lifetime === 'temporary') this.#temporary.set(`${spec.channel} ${spec.group}`, { ...spec, from: 'next' })
    }
    return report
  }

  async publish(records: readonly OutgoingRecord[]): Promise<readonly Outcome[]> {
    return this.#current().publisher.add(records)
  }

  async subscribe(spec: SubscriptionSpec, sink: DeliverySink): Promise<EngineSubscription> {
    const { connection, host, session } = this.#current()
    if (spec.filter !== undefined)
      throw new PosthasteError('CAPABILITY_UNSUPPORTED', 'redis: it has no filters, the core has')
    const needs: ConsumerNeeds = {
      ...{ connection, host, time: this.#time, timeoutMs: this.#options.timeoutMs },
      memberOf: (consumer) => this.#members.get(consumer) || undefined,
      unknown: () => void session.check(),
      leave: (consumer) => this.#leave(consumer),
    }
    const consumer = new Consumer(spec, sink, needs)
    await this.#listen(spec.channel)
    const run: Run = (operation, packed) => this.#run(operation, packed)
    try {
      let missing = await this.#join(consumer, run)
      if (missing === noSession) {
        await session.check()
        missing = await this.#join(consumer, run)
      }
      if (missing !== 0) throw undeclared(`group ${spec.group} of ${spec.channel}`)
    } catch (thrown) {
      this.#unlisten(spec.channel)
      throw thrown
    }
    return consumer
  }
}
