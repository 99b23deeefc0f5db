import { isIP } from 'node:net'
import { apiVersionsV4, findCoordinatorV6 } from '@platformatic/kafka'
import { type EngineHost, PosthasteError } from '@posthaste/contracts'
import { ConnectionError, hasCode, isAuthentication, isTransient, KafkaError, kafkaCodes, mapped } from './errors.ts'
import { Lane } from './lane.ts'
import type { BrokerAddress, Settings } from './options.ts'
import { backoffMs, rest } from './waiting.ts'
import { metadata } from './wire/metadata.ts'

/** What is known of a topic. */
export interface TopicPlace {
  readonly id: string
  /** The broker that leads each partition. */
  readonly leaders: readonly number[]
}

/** Whom a coordinator is for. */
export type Coordinated = 'group' | 'transaction'

/** The servers: where they are, who leads what, and a connection to each for each purpose. */
export class Cluster {
  readonly settings: Settings
  readonly host: EngineHost
  readonly clientId: string
  /** Groups that this engine has given their session timeout. A busy server goes by it only some time later. */
  readonly sessionsGiven = new Set<string>()
  /** Told when there is a server again. */
  onReconnected: (() => void) | undefined
  #brokers = new Map<number, BrokerAddress>()
  readonly #topics = new Map<string, TopicPlace>()
  readonly #coordinators = new Map<string, Promise<number>>()
  readonly #lanes = new Map<string, Lane>()
  #control: Lane | undefined
  #controlAt: BrokerAddress | undefined
  #connecting: Promise<void> | undefined
  readonly #pausing = new Set<() => void>()
  #closing = false
  #closed = false

  constructor(settings: Settings, host: EngineHost) {
    this.settings = settings
    this.host = host
    this.clientId = `posthaste-${host.instance}`
  }

  get isClosed(): boolean {
    return this.#closed
  }

  /** @throws UNAVAILABLE UNAUTHENTICATED CAPABILITY_UNSUPPORTED */
  async open(): Promise<void> {
    try {
      await this.#connect()
    } catch (error) {
      throw mapped(error, 'kafka engine: no broker could be reached')
    }
  }

  /** The connection for what any broker answers. */
  async control(): Promise<Lane> {
    if (this.#closed) throw new PosthasteError('ENGINE_CLOSED', 'kafka engine: it is closed')
    if (this.#connecting !== undefined && !this.#closing) await this.pause(connectingMsMax)
    if (this.#control === undefined) throw new ConnectionError('no broker is connected')
    return this.#control
  }

  /** A connection to one broker for one purpose; made on first use. */
  lane(broker: number, purpose: string): Lane {
    const name = `${broker}/${purpose}`
    const address = this.#brokers.get(broker)
    if (this.#closed || address === undefined) throw new ConnectionError(`there is no connection to broker ${broker}`)
    let lane = this.#lanes.get(name)
    if (lane === undefined) {
      const at = this.settings.reach(address)
      lane = this.#newLane(at, purpose === watching ? this.#silenceMsMax : this.settings.timeoutMs)
      if (purpose === watching) lane.onBroken = (cause) => this.#fellSilent(broker, at, cause)
      this.#lanes.set(name, lane)
    }
    return lane
  }

  /** Ends the connections of a purpose, and forgets them. */
  end(purpose: string): void {
    for (const [name, lane] of this.#lanes) {
      if (name.slice(name.indexOf('/') + 1) !== purpose) continue
      this.#lanes.delete(name)
      lane.close()
    }
  }

  /** All servers that are known. */
  get brokerIds(): readonly number[] {
    return [...this.#brokers.keys()]
  }

  /** Whether it makes sense to try again: while the engine closes nobody waits for a server that is gone. */
  mayRetry(error: unknown): boolean {
    return isTransient(error) && !(this.#closing && error instanceof ConnectionError)
  }

  /** Tries until it succeeds, fails for good, or time is over. */
  async persistently<T>(work: () => Promise<T>, timeoutMs = this.settings.timeoutMs): Promise<T> {
    const { clock, random } = this.host
    const deadlineMs = clock.monotonicMs() + timeoutMs
    for (let round = 0; ; round += 1) {
      try {
        return await work()
      } catch (error) {
        if (this.#closed) throw new PosthasteError('ENGINE_CLOSED', 'kafka engine: it is closed', { cause: error })
        if (!this.mayRetry(error) || clock.monotonicMs() >= deadlineMs) throw error
        await this.pause(backoffMs(round, random))
      }
    }
  }

  /** Waits before another try; no longer than until there is a server again. */
  pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const end = () => {
        timer.cancel()
        this.#pausing.delete(end)
        resolve()
      }
      const timer = this.host.clock.setTimer(ms, end)
      this.#pausing.add(end)
    })
  }

  /** What is known of a topic; asks where it is not known. @throws NOT_FOUND when there is none */
  async topic(name: string): Promise<TopicPlace> {
    return this.#topics.get(name) ?? (await this.refresh([name]).then(() => this.#known(name)))
  }

  #known(name: string): TopicPlace {
    const place = this.#topics.get(name)
    if (place === undefined) throw new PosthasteError('NOT_FOUND', `topic ${name}: it is not there`)
    return place
  }

  /** What is known of a topic, without asking. */
  topicIfKnown(name: string): TopicPlace | undefined {
    return this.#topics.get(name)
  }

  async leader(topic: string, partition: number): Promise<number> {
    const { leaders } = await this.topic(topic)
    const leader = leaders[partition]
    if (leader === undefined || leader < 0) {
      this.#topics.delete(topic)
      throw new KafkaError(5, `partition ${partition} of ${topic}`)
    }
    return leader
  }

  /** Asks again who leads the partitions of topics. Those that are not there are forgotten. */
  async refresh(names: readonly string[]): Promise<void> {
    for (let at = 0; at < names.length; at += topicsPerRequest)
      await this.#refresh(names.slice(at, at + topicsPerRequest))
  }

  async #refresh(names: readonly string[]): Promise<void> {
    const lane = await this.control()
    const answer = await lane.send(metadata(names))
    this.#brokers = new Map(answer.brokers.map(({ nodeId, host, port }) => [nodeId, { host, port }]))
    for (const name of names) this.#topics.delete(name)
    for (const { name, id, leaders, errorCode } of answer.topics)
      if (errorCode === 0 && name !== undefined) this.#topics.set(name, { id, leaders })
  }

  /** Which broker coordinates a group or a transactional id. */
  coordinator(kind: Coordinated, name: string): Promise<number> {
    const key = `${kind}/${name}`
    let found = this.#coordinators.get(key)
    if (found === undefined) {
      found = this.#findCoordinator(kind, name)
      this.#coordinators.set(key, found)
      found.catch(() => this.#coordinators.delete(key))
    }
    return found
  }

  /** The coordinator has moved, or is not there: asks again the next time. */
  forgetCoordinator(kind: Coordinated, name: string): void {
    this.#coordinators.delete(`${kind}/${name}`)
  }

  async #findCoordinator(kind: Coordinated, name: string): Promise<number> {
    const lane = await this.control()
    const answer = await lane.call(findCoordinatorV6.api, kind === 'group' ? 0 : 1, [name])
    const [found] = answer.coordinators
    if (found === undefined) throw new KafkaError(15, `coordinator of ${name}`)
    if (!this.#brokers.has(found.nodeId)) this.#brokers.set(found.nodeId, { host: found.host, port: found.port })
    return found.nodeId
  }

  /** Asks a coordinator, wherever it is, until it answers for good. */
  coordinated<T>(kind: Coordinated, name: string, ask: (lane: Lane) => Promise<T>): Promise<T> {
    return this.persistently(async () => {
      const broker = await this.coordinator(kind, name)
      try {
        return await ask(this.lane(broker, 'coordination'))
      } catch (error) {
        if (hasCode(error, kafkaCodes.notCoordinator, 15) || error instanceof ConnectionError)
          this.forgetCoordinator(kind, name)
        throw error
      }
    })
  }

  /** From now on what fails because no server is there is not tried again. */
  beginClose(): void {
    this.#closing = true
  }

  /** Whether there is a server at the moment. */
  get isConnected(): boolean {
    return this.#control !== undefined
  }

  close(): void {
    this.#closed = true
    this.#control?.close()
    for (const lane of this.#lanes.values()) lane.close()
    this.#lanes.clear()
    for (const end of [...this.#pausing]) end()
  }

  // ── The connection that tells whether there is a server ───────────────────────────────────────────────────────────

  async #connect(): Promise<void> {
    const known = [...this.settings.bootstrap, ...[...this.#brokers.values()].map((each) => this.settings.reach(each))]
    let last: unknown
    for (const address of known) {
      const lane = this.#newLane(address, this.settings.timeoutMs)
      try {
        const versions = await lane.call(apiVersionsV4.api, 'posthaste', '0')
        checkVersions(versions)
        this.#control = lane
        this.#controlAt = address
        lane.onBroken = (cause) => this.#broke(lane, cause)
        this.#connecting = undefined
        await this.refresh(['-'])
        return
      } catch (error) {
        lane.close()
        if (PosthasteError.is(error) || isAuthentication(error)) throw error
        last = error
      }
    }
    throw last
  }

  #broke(lane: Lane, cause: Error): void {
    if (this.#closed || this.#control !== lane) return
    lane.close()
    this.#control = undefined
    this.host.onState('lost', mapped(cause, 'kafka engine: the connection broke'))
    this.#connecting = this.#reconnect()
  }

  async #reconnect(): Promise<void> {
    const { clock, random } = this.host
    for (let round = 0; !this.#closed; round += 1) {
      await rest(clock, backoffMs(round, random))
      try {
        await this.#connect()
        this.host.onState('connected')
        this.onReconnected?.()
        for (const end of [...this.#pausing]) end()
        return
      } catch (error) {
        if (!isTransient(error)) this.host.log.warn('kafka engine: no broker lets us in', { error })
      }
    }
  }

  /** Signs of life are not answered any more: what else goes to that server waits for nothing either, and is sent anew. */
  #fellSilent(broker: number, { host, port }: BrokerAddress, cause: Error): void {
    for (const [name, lane] of this.#lanes) if (name.startsWith(`${broker}/`)) lane.break()
    const [control, at] = [this.#control, this.#controlAt]
    if (control !== undefined && at?.host === host && at.port === port) this.#broke(control, cause)
  }

  get #silenceMsMax(): number {
    const { sessionTimeoutMs = silence.mostMs, timeoutMs } = this.settings
    const withinSession = sessionTimeoutMs * silence.ofSession
    return Math.min(timeoutMs, silence.mostMs, Math.max(silence.leastMs, withinSession))
  }

  #newLane(address: BrokerAddress, requestTimeout: number): Lane {
    const { tls, sasl, timeoutMs } = this.settings
    return new Lane(address, this.clientId, {
      connectTimeout: Math.min(5_000, timeoutMs),
      requestTimeout,
      maxInflights: 64,
      ...(sasl && { sasl }),
      ...(tls && {
        tls: { ...(tls.ca && { ca: tls.ca }), ...(tls.cert && { cert: tls.cert }), ...(tls.key && { key: tls.key }) },
        // An address is no name that could be asked for.
        tlsServerName: tls.serverName ?? isIP(address.host) === 0,
      }),
    })
  }
}

/** How long a request waits for a connection before it is told that there is none. */
const connectingMsMax = 200
const topicsPerRequest = 500
/** The purpose whose requests are answered at once, so that silence says that the server or the way to it is gone. */
export const watching = 'heartbeats'
/** How long a server may be silent: so much of a session, within bounds. */
const silence = { ofSession: 2 / 3, leastMs: 1_000, mostMs: 10_000 } as const

function checkVersions({ finalizedFeatures = [] }: { readonly finalizedFeatures?: readonly Feature[] }): void {
  const level = (name: string) => finalizedFeatures.find((each) => each.name === name)?.maxVersionLevel ?? 0
  const missing = [...(level('group.version') < 1 ? ['group.version 1'] : [])]
  if (level('transaction.version') < 2) missing.push('transaction.version 2')
  if (missing.length === 0) return
  throw new PosthasteError('CAPABILITY_UNSUPPORTED', `kafka engine: the server has no ${missing.join(' and no ')}`, {
    remedy: 'Use Kafka 4.0 or newer, with these features on.',
  })
}

interface Feature {
  readonly name: string
  readonly maxVersionLevel: number
}
