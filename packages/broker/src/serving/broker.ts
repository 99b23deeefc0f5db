import { readFileSync } from 'node:fs'
import { patient } from '@posthaste/broker/protocol'
import { type Clock, type EngineHost, type Log, PosthasteError } from '@posthaste/contracts'
import { type DurableEngine, embedded } from '@posthaste/embedded'
import { type LinkListener, type ListenOptions, listen } from '@posthaste/link/connection'
import { silentLog, systemClock } from 'posthaste/pipeline'
import { Gate } from '../access/grants.ts'
import type { BrokerConfig, TlsConfig } from '../config/config.ts'
import { HealthEndpoint } from '../health/endpoint.ts'
import { Made } from '../quotas/made.ts'
import { type Places, Tally } from '../quotas/tally.ts'
import { acceptor } from './acceptor.ts'
import type { BrokerFigures } from './figures.ts'
import { Sessions } from './sessions.ts'
import type { Counts, Surroundings } from './surroundings.ts'

/** What a broker is given of its surroundings; all of it has defaults. */
export interface BrokerHost {
  /** Default: the machine's. */
  readonly clock?: Clock | undefined
  /** Default: nobody is told. Never has secrets or payloads in it. */
  readonly log?: Log | undefined
}

/** A broker that runs. */
export interface Broker {
  /** Where it can be reached, with the ports that it got. */
  readonly urls: readonly string[]
  /** Where health is told: `http://127.0.0.1:7421`; undefined: nowhere. */
  readonly healthUrl: string | undefined
  /** What it is doing now. */
  figures(): BrokerFigures
  /** Resolves with the cause when it has failed and cannot go on by itself: a disk that is full, above all. */
  readonly failed: Promise<Error>
  /**
   * Ends in order: takes nothing new, lets clients end what they do within `drainMs` of the configuration and hands back
   * the rest, which counts as no attempt. A second call ends it at once.
   */
  stop(): Promise<void>
}

/**
 * Starts a broker: opens its data, and listens.
 * @throws CONFIG_INVALID ENGINE_LOCKED ENGINE_FORMAT ENGINE_CORRUPT UNAVAILABLE; nothing is left open then
 */
export async function startBroker(config: BrokerConfig, host: BrokerHost = {}): Promise<Broker> {
  const { clock = systemClock, log = silentLog } = host
  const broker = new RunningBroker(config, { clock, log })
  try {
    await broker.start()
  } catch (thrown) {
    await broker.release()
    throw thrown
  }
  return broker
}

/** How long streams have that are ending when the broker stops, in milliseconds. */
const farewellMs = 1_000
/** How often it is looked whether clients have handed back what they had. */
const lookMs = 20

const mib = 1024 * 1024
/** Credit for what clients send: batches of publications, above all. */
const windows = { streamWindow: 2 * mib, connectionWindow: 16 * mib, unconsumedBytesMax: 64 * mib } as const

class RunningBroker implements Broker {
  readonly failed: Promise<Error>
  readonly #config: BrokerConfig
  readonly #clock: Clock
  readonly #log: Log
  readonly #engine: DurableEngine
  readonly #counts: Counts = { published: 0, delivered: 0, settled: 0 }
  readonly #sessions: Sessions
  readonly #around: Surroundings
  readonly #fail: (cause: Error) => void
  #listeners: LinkListener[] = []
  readonly #urls: string[] = []
  #health: HealthEndpoint | undefined
  #state: BrokerFigures['state'] = 'ready'
  #stopping: Promise<void> | undefined
  #hurry: () => void = () => {}

  constructor(config: BrokerConfig, { clock, log }: { readonly clock: Clock; readonly log: Log }) {
    this.#config = config
    this.#clock = clock
    this.#log = log
    const { promise, resolve } = Promise.withResolvers<Error>()
    this.failed = promise
    this.#fail = resolve
    this.#engine = embedded({ dir: config.dataDir })
    const engine = this.#engine
    const { limits } = config
    this.#around = {
      config,
      engine,
      clock,
      log,
      figures: this.#counts,
      channels: new Made('channels', limits.channelsMax, () => channelsOf(engine)),
      groups: new Made('groups', limits.groupsMax, () => groupsOf(engine)),
      places: new Tally('the broker', placesOf(limits)),
      clients: () => this.#sessions.clients(),
      isKept: (group) => this.#sessions.isKept(group),
    }
    this.#sessions = new Sessions(this.#around)
  }

  async start(): Promise<void> {
    const { users, limits, listen: urls, tls, health } = this.#config
    await this.#engine.open(this.#engineHost())
    this.#around.channels.look()
    this.#around.groups.look()
    const { bytesInFlightMax, bytesInHandMax } = limits
    const gate = new Gate(users, { ...unlimited, bytesInFlightMax, bytesInHandMax }, this.#clock)
    const keys = tls && keysOf(tls)
    const messageBytesMax = 2 * limits.bodyBytesMax + mib
    const options: Omit<ListenOptions, 'url'> = {
      ...{ ...windows, codecs: ['application/octet-stream'], agent: 'posthaste-broker' },
      ...{ authenticate: gate.authenticate, connectionsMax: limits.connectionsMax, messageBytesMax },
      unfinishedBytesMax: Math.max(64 * mib, messageBytesMax),
      unsentBytesMax: Math.max(64 * mib, 2 * messageBytesMax),
      ...{ streamsMax, handshakesMax, handshakeMs },
    }
    const host = { clock: patient(this.#clock), log: this.#log }
    for (const url of urls) {
      const secure = url.startsWith('links:') ? { tls: keys } : {}
      const listener = await listen({ url, ...options, ...secure }, acceptor(this.#sessions, this.#around), host)
      this.#listeners.push(listener)
      this.#urls.push(listener.url)
    }
    if (health !== undefined) this.#health = await HealthEndpoint.open(health, () => this.figures())
    this.#log.info('the broker is ready', { urls: this.urls, health: this.healthUrl, dataDir: this.#config.dataDir })
  }

  #engineHost(): EngineHost {
    return {
      ...{ clock: this.#clock, log: this.#log, instance: 'broker' },
      // tidy-allow randomness: an engine in the process needs none
      random: Math.random,
      onState: (state, cause) => {
        if (state !== 'lost' || this.#state === 'draining') return
        this.#state = 'failed'
        this.#fail(cause ?? new PosthasteError('INTERNAL', 'the engine has stopped'))
      },
    }
  }

  get urls(): readonly string[] {
    return this.#urls
  }

  get healthUrl(): string | undefined {
    return this.#health?.url
  }

  figures(): BrokerFigures {
    let subscriptions = 0
    for (const session of this.#sessions.all) subscriptions += session.subscriptions.size
    const connections = this.#listeners.reduce((sum, listener) => sum + listener.connections, 0)
    return { state: this.#state, connections, sessions: this.#sessions.size, subscriptions, ...this.#counts }
  }

  stop(): Promise<void> {
    if (this.#stopping !== undefined) this.#hurry()
    this.#stopping ??= this.#stop()
    return this.#stopping
  }

  async #stop(): Promise<void> {
    if (this.#state === 'ready') this.#state = 'draining'
    this.#log.info('the broker stops', { sessions: this.#sessions.size })
    this.#sessions.drain()
    await this.#untilHandedBack()
    await this.#sessions.end()
    await Promise.all(this.#listeners.map((listener) => listener.drain(farewellMs)))
    await this.release()
    this.#log.info('the broker has stopped')
  }

  /** Waits until nobody has anything in hand, as long as the configuration allows. */
  async #untilHandedBack(): Promise<void> {
    const deadlineMs = this.#clock.monotonicMs() + this.#config.drainMs
    let isHurried = false
    this.#hurry = () => {
      isHurried = true
    }
    while (!isHurried && this.#clock.monotonicMs() < deadlineMs && this.#isInHand())
      await new Promise<void>((resolve) => void this.#clock.setTimer(lookMs, resolve))
  }

  #isInHand(): boolean {
    for (const session of this.#sessions.all)
      for (const subscription of session.subscriptions.values()) if (subscription.hasInHand) return true
    return false
  }

  /** Lets go of everything. */
  async release(): Promise<void> {
    await Promise.allSettled(this.#listeners.map((listener) => listener.drain(0)))
    this.#listeners = []
    await this.#health?.close()
    await this.#engine.close()
  }
}

/** What a user may use that the configuration limits for all users together. */
const unlimited = {
  connectionsMax: undefined,
  channelsMax: undefined,
  groupsMax: undefined,
  temporaryGroupsMax: undefined,
  subscriptionsMax: undefined,
  recordsPerSecondMax: undefined,
} as const

function placesOf({ sessionsMax, subscriptionsMax, temporaryGroupsMax }: BrokerConfig['limits']): Places {
  return {
    sessions: { max: sessionsMax, option: 'limits.sessionsMax' },
    subscriptions: { max: subscriptionsMax, option: 'limits.subscriptionsMax' },
    temporaryGroups: { max: temporaryGroupsMax, option: 'limits.temporaryGroupsMax' },
  }
}

function* channelsOf(engine: DurableEngine): Generator<string> {
  for (const { name } of engine.topology().channels) yield name
}

function* groupsOf(engine: DurableEngine): Generator<string> {
  for (const { channel, group, lifetime } of engine.topology().groups)
    if (lifetime !== 'temporary') yield `${channel}@${group}`
}

/** One for each subscription of a client, and those that are asked for meanwhile. */
const streamsMax = 20_000

/**
 * Clients that have come and not said who they are, and how long they may take: after a restart all of them come at once, and
 * one that is sent away comes again.
 */
const handshakesMax = 4_096
const handshakeMs = 15_000

function keysOf({ certFile, keyFile, caFile, clients }: TlsConfig): NonNullable<ListenOptions['tls']> {
  const [cert, key] = [pem('tls.certFile', certFile), pem('tls.keyFile', keyFile)]
  if (caFile === undefined || clients === 'none') return { cert, key, clientCertificate: 'none' }
  return {
    cert,
    key,
    ca: pem('tls.caFile', caFile),
    clientCertificate: clients === 'required' ? 'required' : 'optional',
  }
}

function pem(path: string, file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (cause) {
    const message = `cannot be read: ${(cause as Error).message}`
    throw new PosthasteError('CONFIG_INVALID', `broker configuration: ${path} ${message}`, {
      issues: [{ path, message }],
    })
  }
}
